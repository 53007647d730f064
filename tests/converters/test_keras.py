"""A .keras file and representative inputs become a project that TensorFlow would agree with."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from tinytrain.cli import main
from tinytrain.converters.formats import read_source
from tinytrain.emulator.inference import run
from tinytrain.errors import InputError
from tinytrain.pipeline.source import find_source
from tinytrain.pipeline.verify import verify
from tinytrain.project import load_project
from tinytrain.training.network import load_keras

pytestmark = pytest.mark.usefixtures("tensorflow")

SHAPE = (12, 10, 2)


def small_network() -> Any:
    keras = load_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    wide = keras.initializers.RandomNormal(stddev=0.5)
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(
                6, 3, strides=2, padding="same", activation="relu", kernel_initializer=wide
            ),
            layers.DepthwiseConv2D(3, activation="relu6", depthwise_initializer=wide),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )


def two_inputs() -> Any:
    keras = load_keras()
    keras.utils.set_random_seed(0)
    left, right = keras.Input((6,), name="left"), keras.Input((3,), name="right")
    dense = keras.layers.Dense
    joined = keras.layers.Add()([dense(5)(left), dense(5)(right)])
    return keras.Model([left, right], dense(2)(joined))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks and representative inputs, good and bad."""
    place = tmp_path_factory.mktemp("keras")
    keras = load_keras()
    small_network().save(place / "small.keras")
    two_inputs().save(place / "two.keras")
    code = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1)])
    code.save(place / "code.keras")
    transform = keras.Sequential([keras.Input((8, 8)), keras.layers.UnitNormalization()])
    transform.save(place / "odd.keras")
    (place / "text.keras").write_text("no archive")
    with zipfile.ZipFile(place / "empty.keras", "w"):
        pass
    x = representative()
    np.save(place / "x.npy", x)
    np.save(place / "odd.npy", x[:, :8, :8, 0])
    np.savez(place / "two.npz", left=x[:, 0, :6, 0], right=x[:, 1, :3, 0])
    np.savez(place / "one.npz", left=x[:, 0, :6, 0])
    np.savez(place / "uneven.npz", left=x[:, 0, :6, 0], right=x[:3, 1, :3, 0])
    np.save(place / "int8.npy", x.astype(np.int8))
    np.save(place / "shape.npy", x[:, 1:])
    np.save(place / "none.npy", x[:0])
    np.save(place / "endless.npy", x / np.float32(0))
    return place


def representative() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(0, 1, (40, *SHAPE)).astype(np.float32)


def tinytrain(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def project(folder: Path) -> Path:
    out = folder / "project"
    tinytrain("convert", folder / "small.keras", "--representative", folder / "x.npy", "--out", out)
    return out


def test_the_project_keeps_the_tflite_and_the_name_of_the_file(project: Path) -> None:
    source = load_project(project).manifest["source"]
    assert (source["file"], source["format"]) == ("small.keras", "tflite")
    assert read_source(project / "source.tflite").sha256 == source["sha256"]


def test_weights_are_per_channel_and_both_edges_int8(project: Path) -> None:
    graph = load_project(project).model.graph
    edges = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    assert [(edge.dtype, edge.shape) for edge in edges] == [
        ("int8", (1, *SHAPE)),
        ("int8", (1, 4)),
    ]
    weights = graph.tensors[graph.operators[0].inputs[1]]
    assert weights.quantization is not None
    assert weights.quantization.scale.size == 6


def test_the_int8_network_answers_as_the_float_one_does(project: Path) -> None:
    model = load_project(project).model
    x = representative()
    (source,), (answer,) = model.inputs, model.outputs
    assert source.quantization is not None
    assert answer.quantization is not None
    scaled = x / source.quantization.scale + source.quantization.zero_point
    levels = np.clip(np.rint(scaled), -128, 127).astype(np.int8)
    found = run(model.graph, model.kernels, [levels])[model.graph.outputs[0]].astype(np.float32)
    probabilities = (found - answer.quantization.zero_point) * answer.quantization.scale
    assert np.abs(probabilities - np.asarray(small_network()(x))).max() < 0.02


def test_the_project_is_proven_on_the_host(project: Path, require_host_gcc: None) -> None:
    loaded = load_project(project)
    assert loaded.model.head is not None
    assert verify(loaded, "host", samples=10, steps=10, seed=0).passed


def test_several_inputs_are_given_by_name(folder: Path) -> None:
    graph = find_source(folder / "two.keras", folder / "two.npz").graph()
    assert [graph.tensors[index].shape for index in graph.inputs] == [(1, 6), (1, 3)]


def test_converting_is_quiet(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    find_source(folder / "small.keras", folder / "x.npy")
    assert capfd.readouterr() == ("", "")


REFUSED = {
    "convert small.keras --out new": ("small.keras", "--representative", "float32"),
    "inspect small.keras": ("small.keras", "tinytrain convert small.keras --representative"),
    "convert none.keras --representative x.npy --out new": ("none.keras", "no such file"),
    "convert small.keras --representative none.npz --out new": ("none.npz", "cannot read"),
    "convert small.keras --representative int8.npy --out new": ("int8.npy", "int8", "float32"),
    "convert small.keras --representative shape.npy --out new": ("(40, 11, 10, 2)", "12, 10, 2"),
    "convert small.keras --representative none.npy --out new": ("none.npy", "at least 1"),
    "convert small.keras --representative endless.npy --out new": ("endless.npy", "finite"),
    "convert two.keras --representative one.npz --out new": ("one.npz", "'right'", "left, right"),
    "convert two.keras --representative uneven.npz --out new": ("uneven.npz", "40", "3"),
    "convert text.keras --representative x.npy --out new": ("text.keras", "cannot load"),
    "convert empty.keras --representative x.npy --out new": ("empty.keras", "cannot load"),
    "convert code.keras --representative x.npy --out new": ("code.keras", "cannot load", "Lambda"),
    "convert odd.keras --representative odd.npy --out new": ("odd.keras", "is not supported"),
    "convert project/source.tflite --representative x.npy --out new": ("--representative",),
}


@pytest.mark.parametrize("command", REFUSED)
def test_bad_input_ends_in_one_line(
    command: str,
    folder: Path,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    for part in ("error: ", *REFUSED[command]):
        assert part in line, line
    assert "defect" not in line
    assert not (folder / "new").exists()
    assert capfd.readouterr() == ("", "")


def test_without_tensorflow_the_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(InputError, match=r"TensorFlow, .*pip install 'tinytrain\[train\]'"):
        find_source(folder / "small.keras", folder / "x.npy")


def test_a_project_whose_source_was_exchanged_is_refused(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    (copy / "source.tflite").write_bytes(b"another")
    with pytest.raises(InputError, match="SHA-256"):
        load_project(copy)
