"""What `inspect` shows of a model, one that cannot be converted above all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

from tests.converters.onnx_models import Network, quantize, surround
from tests.converters.test_onnx import node, residual
from tests.test_cli import classifier
from tinytrain.cli import main
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.inspection import inspect
from tinytrain.variants.choose import SPEED


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A residual network whose sum is of a kind that exists nowhere."""
    model = onnx.load(quantize(residual(), tmp_path))
    for found in model.graph.node:
        found.op_type = "MyAdd" if found.op_type == "Add" else found.op_type
    onnx.save(model, tmp_path / "odd.onnx")
    return tmp_path / "odd.onnx"


def clamped(folder: Path) -> Path:
    """A sigmoid with a clamp that cannot be fused, as the quantizer of its output will show."""
    nodes = [node("Sigmoid", ["x"], ["s"]), node("Clip", ["s", "low", "high"], ["y"])]
    bounds = {"low": np.array(0, np.float32), "high": np.array(1, np.float32)}
    file = surround(Network(nodes, (1, 3, 8, 8), bounds), folder)
    model = onnx.load(file)
    for constant in model.graph.initializer:
        if constant.name == "high":
            constant.CopyFrom(numpy_helper.from_array(np.array(0.3, np.float32), "high"))
    onnx.save(model, file)
    return file


def test_every_node_of_an_onnx_file_has_a_row_and_the_first_that_fails_its_reason(
    odd: Path,
) -> None:
    nodes = onnx.load(odd).graph.node
    rows = inspect(odd).operators
    assert [row.name for row in rows] == [found.op_type for found in nodes]
    assert [row.output for row in rows] == [found.output[0] for found in nodes]
    (refused,) = (row for row in rows if row.problem is not None)
    assert (refused.name, refused.supported) == ("MyAdd", False)
    assert refused.problem is not None
    assert "is not supported" in refused.problem


def test_shapes_are_known_and_marks_given_up_to_the_node_that_fails(odd: Path) -> None:
    rows = inspect(odd).operators
    at = [row.name for row in rows].index("MyAdd")
    assert {row.supported for row in rows[:at]} == {True}
    assert {row.supported for row in rows[at + 1 :]} == {None}
    assert rows[at - 1].shape == (1, 6, 8, 8)
    assert {row.shape for row in rows[at:]} == {None}
    assert set(rows[at].inputs) == {rows[at - 1].output, "r0_DequantizeLinear_Output"}


def test_a_reason_stands_at_the_node_that_it_names(tmp_path: Path) -> None:
    rows = inspect(clamped(tmp_path)).operators
    assert [(row.name, row.supported) for row in rows[2:]] == [
        ("Sigmoid", False),
        ("Clip", True),
        ("QuantizeLinear", None),
        ("DequantizeLinear", None),
    ]
    assert str(rows[2].problem).startswith(f"node {rows[2].index} 's' (Sigmoid): ")


def test_the_command_prints_the_table_and_the_reason_and_succeeds(odd: Path) -> None:
    result = CliRunner().invoke(main, ["inspect", str(odd)])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "odd.onnx"
    (row,) = (line.split() for line in lines if " MyAdd " in line and line[0] in " 0123456789")
    assert row[-1] == "no"
    assert any(line.startswith("cannot be converted: node ") for line in lines)
    assert lines[-1].startswith("cannot be converted: supported are Add, ")


def test_json_has_the_keys_of_every_inspection(odd: Path) -> None:
    result = CliRunner().invoke(main, ["inspect", str(odd), "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["arena"] is None
    assert [entry["name"] for entry in found["inputs"]] == ["x"]
    assert {row["supported"] for row in found["operators"]} == {True, False, None}
    for row in found["operators"]:
        assert set(row) >= {"index", "name", "output", "shape", "macs", "weights", "problem"}


def test_a_file_is_shown_with_the_kernels_that_converting_it_gives(tmp_path: Path) -> None:
    """The head's layer among them, whose weights the head reads as bytes."""
    source = tmp_path / "small.tflite"
    source.write_bytes(classifier())
    model = convert(source, tmp_path / "project", optimize=SPEED)
    found = inspect(source, SPEED)
    assert [row.kernel for row in found.operators] == [v.kernel for v in model.variants]
    assert model.head is not None
    assert found.operators[model.head.operator].kernel == "tt_fast_fully_connected"
