"""A project whose layers run row by row, so that its arena fits a budget."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reference_models import reference_model
from tests.models import Operator, Tensor, build
from tests.test_cli import done, tinytrain
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.opening import open_device
from tinytrain.errors import InputError
from tinytrain.model import Model
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.inspection import inspect
from tinytrain.project import load_project
from tinytrain.protocol import Space
from tinytrain.statistics import StatisticsOptions

SHAPE = (24, 16, 3)
BUDGET = 2500
INPUT_BYTES = 24 * 16 * 3


def scale_of(tensor: Tensor) -> float:
    assert isinstance(tensor.scale, float)
    return tensor.scale


def widening() -> bytes:
    """Convolutions of 3 channels to 16, and back to 4 at half the size; then a classifier of 5."""
    rng = np.random.default_rng(3)
    tensors = [Tensor((1, *SHAPE), scale=0.05, zero_point=-3, name="image")]
    operators = []

    def layer(kind: str, weights: tuple[int, ...], shape: tuple[int, ...], stride: int) -> None:
        x = len(tensors) - 1
        unit = scale_of(tensors[x]) * 0.01
        channels = shape[-1]
        tensors.append(Tensor(weights, scale=0.01, data=rng.integers(-127, 128, weights)))
        bias = rng.integers(-900, 900, channels)
        tensors.append(Tensor((channels,), "int32", scale=unit, data=bias))
        tensors.append(Tensor(shape, scale=unit * 150, zero_point=-20, name=f"layer_{x + 3}"))
        options = {"padding": "SAME", "strideH": stride, "strideW": stride}
        table = "Conv2DOptions"
        if kind == "DEPTHWISE_CONV_2D":
            options["depthMultiplier"], table = 1, "DepthwiseConv2DOptions"
        operators.append(Operator(kind, (x, x + 1, x + 2), (x + 3,), table, options))

    layer("CONV_2D", (16, 3, 3, 3), (1, 24, 16, 16), 1)
    layer("DEPTHWISE_CONV_2D", (1, 3, 3, 16), (1, 12, 8, 16), 2)
    layer("CONV_2D", (4, 1, 1, 16), (1, 12, 8, 4), 1)
    image = len(tensors) - 1
    scale = scale_of(tensors[image])
    pooling = {"padding": "VALID", "strideH": 4, "strideW": 4, "filterHeight": 4, "filterWidth": 4}
    tensors += [
        Tensor((1, 3, 2, 4), scale=scale, zero_point=-20),
        Tensor((1, 24), scale=scale, zero_point=-20, name="features"),
        Tensor((5, 24), scale=0.01, data=rng.integers(-127, 128, (5, 24))),
        Tensor((5,), "int32", scale=scale * 0.01, data=rng.integers(-900, 900, 5)),
        Tensor((1, 5), scale=scale * 2, name="logits"),
        Tensor((1, 5), scale=1 / 256, zero_point=-128, name="probabilities"),
    ]
    pooled, flat = image + 1, image + 2
    operators += [
        Operator("AVERAGE_POOL_2D", (image,), (pooled,), "Pool2DOptions", pooling),
        Operator("RESHAPE", (pooled,), (flat,), "ReshapeOptions", {"newShape": [1, 24]}),
        Operator("FULLY_CONNECTED", (flat, flat + 1, flat + 2), (flat + 3,),
                 "FullyConnectedOptions"),
        Operator("SOFTMAX", (flat + 3,), (flat + 4,), "SoftmaxOptions", {"beta": 1.0}),
    ]  # fmt: skip
    return build(tensors, operators, [0], [flat + 4])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("ram")
    (found / "wide.tflite").write_bytes(widening())
    done("convert", found / "wide.tflite", "--out", found / "plain")
    done("convert", found / "wide.tflite", "--out", found / "chained", "--ram", BUDGET)
    return found


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load_project(folder / "chained").model


def test_the_arena_fits_and_the_command_says_what_runs_row_by_row(
    folder: Path, tmp_path: Path, model: Model
) -> None:
    text = done("convert", folder / "wide.tflite", "--out", tmp_path / "p", "--ram", BUDGET).stdout
    (chain,) = model.memory.chains
    assert INPUT_BYTES < model.memory.arena_bytes <= BUDGET
    assert f"arena {model.memory.arena_bytes:,} bytes" in text
    assert f"operators {chain.first} to {chain.last} run row by row, " in text
    plain = load_project(folder / "plain").model
    assert plain.memory.arena_bytes > BUDGET
    assert (
        "row by row" not in done("convert", folder / "wide.tflite", "--out", tmp_path / "q").stdout
    )


def test_a_project_keeps_its_budget_and_is_read_back_alike(folder: Path, model: Model) -> None:
    manifest = json.loads((folder / "chained" / "manifest.json").read_text())
    assert (manifest["ram"], manifest["arena"]) == (BUDGET, model.memory.arena_bytes)
    assert json.loads((folder / "plain" / "manifest.json").read_text())["ram"] is None
    assert (
        f"ARENA_BYTES {model.memory.arena_bytes}\n"
        in (folder / "chained" / "model" / "wide.h").read_text()
    )


def test_a_budget_that_is_large_enough_changes_no_byte_of_the_code(
    folder: Path, tmp_path: Path
) -> None:
    done("convert", folder / "wide.tflite", "--out", tmp_path / "p", "--ram", 1 << 20)
    for file in ("wide.c", "wide.h"):
        # The first line's comment says what it was made with.
        plain = (folder / "plain" / "model" / file).read_text().splitlines()[2:]
        assert (tmp_path / "p" / "model" / file).read_text().splitlines()[2:] == plain


def test_what_was_chosen_for_less_flash_runs_row_by_row_all_the_same(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "p"
    done("convert", folder / "wide.tflite", "--out", out, "--ram", BUDGET, "--optimize", "size")
    assert load_project(out).model.memory.chains
    assert "tt_fast_conv_2d" in (out / "model" / "wide.c").read_text()


@pytest.mark.parametrize(
    ("ram", "message"),
    [
        ("900", r"--ram 900: the smallest arena is 2,\d\d\d bytes; operator"),
        ("0", "0 is not in the range"),
        ("-5", "-5 is not in the range"),
        ("40k", "'40k' is not a valid integer"),
    ],
)
def test_a_budget_that_cannot_be_is_one_line_and_leaves_nothing(
    ram: str, message: str, folder: Path, tmp_path: Path
) -> None:
    for command in (["convert", "--out", tmp_path / "out"], ["inspect"]):
        result = tinytrain(command[0], folder / "wide.tflite", *command[1:], "--ram", ram)
        assert result.exit_code == 2
        assert re.search(message, result.stderr)
        assert result.stderr.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_the_smallest_arena_that_a_refusal_names_is_one(folder: Path, tmp_path: Path) -> None:
    refused = tinytrain("convert", folder / "wide.tflite", "--out", tmp_path / "p", "--ram", 900)
    found = re.search(r"arena is ([\d,]+) bytes", refused.stderr)
    assert found is not None
    smallest = int(found[1].replace(",", ""))
    done("convert", folder / "wide.tflite", "--out", tmp_path / "p", "--ram", smallest)
    assert load_project(tmp_path / "p").model.memory.arena_bytes == smallest


def test_inspect_shows_the_rows_that_are_there(folder: Path, model: Model) -> None:
    (chain,) = model.memory.chains
    for path, ram in ((folder / "wide.tflite", BUDGET), (folder / "chained", None)):
        found = inspect(path, ram=ram)
        assert found.arena == model.memory.arena_bytes
        assert [(c.first, c.last, c.rows) for c in found.chains] == [
            (chain.first, chain.last, chain.rows)
        ]
        rolling = [stretch for stretch in found.memory if stretch.rows]
        assert sorted(stretch.rows or 0 for stretch in rolling) == sorted(chain.buffers)
        assert {(s.first, s.last) for s in rolling} == {(chain.last, chain.last)}
    text = done("inspect", folder / "chained", "--memory").stdout
    assert f", {chain.buffers[0]} rows\n" in text
    assert "run row by row" in text
    entry = json.loads(done("inspect", folder / "chained", "--json").stdout)
    assert entry["chains"] == [{"first": chain.first, "last": chain.last, "rows": chain.rows}]


def test_the_picture_of_the_arena_has_the_rows(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done("inspect", folder / "chained", "--picture", tmp_path / "m.png")
    assert (tmp_path / "m.png").stat().st_size > 1000


def test_inside_a_chain_a_trace_has_the_crc_of_nothing(model: Model) -> None:
    x = np.zeros((2, *SHAPE), np.int8)
    (chain,) = model.memory.chains
    trace = EmulatedDevice(model).trace_many(x)
    inside = set(chain.operators[:-1])
    assert {
        i for i in range(len(model.kernels)) if (trace[:, i] == zlib.crc32(b"")).all()
    } == inside


def test_the_host_agrees_with_the_emulator_in_every_bit(
    folder: Path, require_host_gcc: None
) -> None:
    arguments = ["verify", folder / "chained", "--target", "host", "--samples", 20, "--steps", 20]
    text = done(*arguments, "--layers").stdout
    assert "DIFFERS" not in text
    assert "tt_fast_conv_2d_paired, within " in text


def test_a_run_up_to_any_operator_leaves_what_the_emulator_has(
    folder: Path, model: Model, require_host_gcc: None
) -> None:
    x = np.random.default_rng(0).integers(-128, 128, (1, *SHAPE)).astype(np.int8)
    reference = EmulatedDevice(model)
    with open_device(load_project(folder / "chained"), "host") as device:
        for kernel in model.kernels:
            place = model.memory.placements.get(kernel.outputs[0])
            for body in (reference, device):
                body.run(x[0], kernel.index + 1)
            if place is not None:
                ours, theirs = (
                    body.read(Space.ARENA, 0, place.offset, place.bytes)
                    for body in (reference, device)
                )
                assert ours == theirs


@pytest.mark.slow
def test_the_cortex_m4_agrees_and_the_last_operator_carries_the_others(
    folder: Path, model: Model, require_target: Callable[[str], None]
) -> None:
    require_target("cortex-m4")
    text = done("verify", folder / "chained", "--target", "cortex-m4", "--samples", 3).stdout
    assert "DIFFERS" not in text
    cost, plain = (
        json.loads(done("bench", folder / name, "--target", "cortex-m4", "--json").stdout)
        for name in ("chained", "plain")
    )
    (chain,) = model.memory.chains
    *inside, last = (cost["operators"][i]["instructions"] for i in chain.operators)
    assert max(inside) < 100 < last
    assert cost["instructions"]["inference"] < 1.3 * plain["instructions"]["inference"]


KEPT_WHOLE = (
    r"smallest arena is 6,\d\d\d bytes; operator 0 .*; layers whose statistics are renewed "
    r"\(--statistics\), here 1, do not run row by row$"
)


def test_a_layer_whose_statistics_are_renewed_is_in_no_chain(folder: Path, tmp_path: Path) -> None:
    samples = tmp_path / "samples.npz"
    x = np.random.default_rng(0).integers(-128, 128, (60, *SHAPE)).astype(np.int8)
    np.savez(samples, x=x, y=np.arange(60) % 5)
    options = StatisticsOptions(("layer_6",))
    with pytest.raises(InputError, match=KEPT_WHOLE):
        convert(
            *(folder / "wide.tflite", tmp_path / "p"),
            samples=samples,
            statistics=options,
            ram=BUDGET,
        )
    assert not (tmp_path / "p").exists()


def test_residual_blocks_in_half_the_ram(tmp_path: Path, require_host_gcc: None) -> None:
    (tmp_path / "ic.tflite").write_bytes(reference_model("ic"))
    text = done("convert", tmp_path / "ic.tflite", "--out", tmp_path / "p", "--ram", 17_000).stdout
    assert "operators 0 to 7 run row by row, a row at a time" in text
    text = done("verify", tmp_path / "p", "--samples", 2, "--steps", 5, "--layers").stdout
    assert " tt_add_elements " in text
    assert "DIFFERS" not in text


@pytest.mark.slow
def test_residual_blocks_row_by_row_take_few_instructions_more(
    tmp_path: Path, require_target: Callable[[str], None]
) -> None:
    require_target("cortex-m4")
    (tmp_path / "ic.tflite").write_bytes(reference_model("ic"))
    counted = []
    for name, budget in (("plain", 40_000), ("chained", 17_000)):
        done("convert", tmp_path / "ic.tflite", "--out", tmp_path / name, "--ram", budget)
        text = done("bench", tmp_path / name, "--target", "cortex-m4", "--json").stdout
        counted.append(json.loads(text)["instructions"]["inference"])
    assert counted[0] < counted[1] < 1.06 * counted[0]
    arguments = ["verify", tmp_path / "chained", "--target", "cortex-m4", "--samples", 2]
    assert "DIFFERS" not in done(*arguments, "--steps", 0).stdout


@pytest.mark.slow
def test_person_detection_in_as_much_ram_as_its_input_and_half_a_kilobyte(
    tmp_path: Path, require_target: Callable[[str], None]
) -> None:
    require_target("cortex-m4")
    (tmp_path / "vww.tflite").write_bytes(reference_model("vww"))
    counted = []
    for name, budget in (("plain", 40_000), ("chained", 27_648 + 512)):
        done("convert", tmp_path / "vww.tflite", "--out", tmp_path / name, "--ram", budget)
        text = done("bench", tmp_path / name, "--target", "cortex-m4", "--json").stdout
        counted.append(json.loads(text)["instructions"]["inference"])
    assert counted[0] < counted[1] < 1.02 * counted[0]
    text = done("verify", tmp_path / "chained", "--target", "cortex-m4", "--samples", 2,
                "--steps", 0).stdout  # fmt: skip
    assert "DIFFERS" not in text
