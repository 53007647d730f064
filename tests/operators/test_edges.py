"""A model's float32 edges, and what the element-wise and int16 operators refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models import Operator, Tensor, build
from tinytrain.converters.tflite import parse_tflite
from tinytrain.device.opening import open_device
from tinytrain.emulator.inference import run
from tinytrain.errors import InputError
from tinytrain.operators.table import require_kernels
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.use import infer
from tinytrain.pipeline.verify import verify
from tinytrain.progress import silent
from tinytrain.project import load_project

SCALE, ZERO_POINT = 0.5, -3

STEPS = {
    # Ties go away from zero.
    0.25: -2,
    -0.25: -4,
    0.7499: -2,
    1e9: 127,
    -1e9: -128,
    np.inf: 127,
    -np.inf: -128,
    # The reference is undefined here; the lowest value is ours.
    np.nan: -128,
    3.5e38: 127,
    -0.0: -3,
    1e-45: -3,
}


def float_model() -> bytes:
    """float32 to int8 and back, in rows as wide as STEPS."""
    shape = (1, len(STEPS))
    tensors = [
        Tensor(shape, "float32", name="input"),
        Tensor(shape, scale=SCALE, zero_point=ZERO_POINT),
        Tensor(shape, "float32", name="output"),
    ]
    operators = [
        Operator("QUANTIZE", (0,), (1,), "QuantizeOptions"),
        Operator("DEQUANTIZE", (1,), (2,), "DequantizeOptions"),
    ]
    return build(tensors, operators, [0], [2])


@pytest.fixture
def float_project(tmp_path: Path) -> Path:
    source = tmp_path / "edges.tflite"
    source.write_bytes(float_model())
    convert(source, tmp_path / "project")
    return tmp_path / "project"


def odd_floats() -> tuple[np.ndarray, np.ndarray]:
    """Inputs (1, n), and the outputs that belong to them."""
    with np.errstate(over="ignore"):
        x = np.array([list(STEPS)], np.float32)
    quantized = np.array([list(STEPS.values())])
    return x, (np.float32(SCALE) * (quantized - ZERO_POINT)).astype(np.float32)


@pytest.mark.parametrize("target", ["emulator", "host"])
def test_every_float_has_one_quantized_value(
    target: str, float_project: Path, request: pytest.FixtureRequest
) -> None:
    if target == "host":
        request.getfixturevalue("require_host_gcc")
    x, expected = odd_floats()
    with open_device(load_project(float_project), target) as device:
        outputs = device.infer_many(x)
    np.testing.assert_array_equal(outputs.view(np.float32), expected)


def test_infer_takes_and_gives_the_types_of_the_models_edges(
    float_project: Path, tmp_path: Path
) -> None:
    x, expected = odd_floats()
    np.save(tmp_path / "x.npy", x)
    infer(load_project(float_project), "emulator", tmp_path / "x.npy", tmp_path / "y.npy", silent)
    outputs = np.load(tmp_path / "y.npy")
    assert outputs.dtype == np.float32
    np.testing.assert_array_equal(outputs, expected)


def test_infer_names_the_type_that_it_expects(float_project: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, len(STEPS)), np.int8))
    with pytest.raises(InputError, match="is int8; float32 of shape"):
        infer(
            load_project(float_project), "emulator", tmp_path / "x.npy", tmp_path / "y.npy", silent
        )


def test_verify_compares_floats(float_project: Path, require_host_gcc: None) -> None:
    assert verify(load_project(float_project), "host", samples=20).passed


def test_random_floats_reach_both_ends_of_the_quantization(float_project: Path) -> None:
    model = load_project(float_project).model
    with np.load(float_project / "golden.npz") as golden:
        x = golden["x"].view(np.float32)
    assert np.isfinite(x).all()
    quantized = run(model.graph, model.kernels, [x])[1]
    assert {-128, 127} <= set(quantized.reshape(-1).tolist())


def one(kind: str, tensors: list[Tensor], table: str | None = None, **options: Any) -> bytes:
    """A model of one operator: constants are inputs of it, the last tensor is its output."""
    *inputs, output = range(len(tensors))
    given = [index for index in inputs if tensors[index].data is None]
    return build(
        tensors, [Operator(kind, tuple(inputs), (output,), table, options)], given, [output]
    )


def int8(scale: float = 0.5, zero_point: int = 0, shape: tuple[int, ...] = (1, 2)) -> Tensor:
    return Tensor(shape, scale=scale, zero_point=zero_point)


def int16(scale: float = 0.5, zero_point: int = 0) -> Tensor:
    return Tensor((1, 2), "int16", scale=scale, zero_point=zero_point)


WEIGHTS = Tensor((2, 2), scale=0.5, data=[[1, 2], [3, 4]])

REFUSED = {
    "a slope of the other sign": (
        one("LEAKY_RELU", [int8(), int8()], "LeakyReluOptions", alpha=-1.5),
        r"alpha is -1\.5; 0 and more is supported",
    ),
    "shapes that do not stretch": (
        one("ADD", [int8(), int8(shape=(1, 3)), int8()], "AddOptions"),
        r"tensor 0 .* shape \(1, 2\) and tensor 1 .* shape \(1, 3\) do not stretch",
    ),
    "an output of another shape": (
        one("MUL", [int8(), int8(), int8(shape=(2, 1))], "MulOptions"),
        r"has shape \(2, 1\), expected \(1, 2\)",
    ),
    "types that differ": (
        one("ADD", [int8(), int16(), int8()], "AddOptions"),
        "tensor 1 .* is int16; supported here: int8",
    ),
    "an output much finer than its inputs": (
        one("SUB", [int8(1.0), int8(1.0), int8(2.0**-20)], "SubOptions"),
        "output scale .* is below 2\\^-19 of its larger input scale",
    ),
    "a product that leaves 32 bits": (
        one("MUL", [int8(4.0), int8(4.0), int8(2.0**-20)], "MulOptions"),
        "more than 32 bits hold",
    ),
    "quantizations that cannot be compared": (
        one("MAXIMUM", [int8(), int8(0.25), int8()], "MaximumMinimumOptions"),
        "tensor 1 .* need the same scale and zero point",
    ),
    "RELU6 with rescaling": (
        one("RELU6", [int8(0.1), int8(0.05)]),
        "same scale and zero point",
    ),
    "LOGISTIC of another output scale": (
        one("LOGISTIC", [int8(), int8(1 / 128, -128)]),
        "1/256 and -128 are supported",
    ),
    "HARD_SWISH of scales far apart": (
        one("HARD_SWISH", [int8(1.0), int8(1024.0)], "HardSwishOptions"),
        "their ratio must lie between",
    ),
    "int16 with a zero point": (
        one("MUL", [int16(), int16(), int16(0.5, 3)], "MulOptions"),
        "int16 activations with a zero point of 3; 0 is supported",
    ),
    "TANH int16 of another output scale": (
        one("TANH", [int16(), int16()]),
        r"2\^-15 is supported",
    ),
    "LOGISTIC int16 of an enormous input": (
        one("LOGISTIC", [int16(8.0), int16(2.0**-15)]),
        "input scale 8.0 is out of range",
    ),
    "a type that nothing quantizes to": (
        one("QUANTIZE", [int8(), Tensor((1, 2), "int32", scale=0.5)], "QuantizeOptions"),
        "int8 to int32 is not supported; supported are float32 to int8",
    ),
    "a wide bias that leaves 47 bits": (
        one(
            "FULLY_CONNECTED",
            [int16(), WEIGHTS, Tensor((2,), "int64", data=[1 << 48, 0]), int16()],
            "FullyConnectedOptions",
        ),
        "its sums can reach .* are supported",
    ),
    "a wide bias of the lowest number": (
        one(
            "FULLY_CONNECTED",
            [int16(), WEIGHTS, Tensor((2,), "int64", data=[-(1 << 63), 0]), int16()],
            "FullyConnectedOptions",
        ),
        "its sums can reach .* are supported",
    ),
    "a depthwise int32 bias with int16": (
        one(
            "DEPTHWISE_CONV_2D",
            [
                Tensor((1, 1, 1, 2), "int16", scale=0.5),
                Tensor((1, 1, 1, 2), scale=0.5, data=[1, 2]),
                Tensor((2,), "int32", data=[1, 2]),
                Tensor((1, 1, 1, 2), "int16", scale=0.5),
            ],
            "DepthwiseConv2DOptions",
            depthMultiplier=1,
            strideH=1,
            strideW=1,
        ),
        "a constant int64 is supported",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_exact_answer_is_refused_by_name(name: str) -> None:
    model, message = REFUSED[name]
    graph = parse_tflite(model, "model")
    with pytest.raises(InputError, match=message):
        require_kernels(graph)
