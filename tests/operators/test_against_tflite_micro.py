"""Every operator of the emulator gives the bytes of TensorFlow Lite Micro's own kernels.

An operator has a `Case`: a dataclass that holds everything random about a one-operator model in a
few readable numbers, and a strategy in `STRATEGIES` that draws it. A case that failed once is kept
in `EXAMPLES`, as hypothesis printed it. More draws than the usual ones: DRAWS=5000 pytest ...
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tflite_micro.python.tflite_micro.runtime import Interpreter

from tests.models import Operator, Tensor, build
from tests.operators import (
    strategies_elementwise,
    strategies_int16,
    strategies_layout,
    strategies_lookup,
    strategies_quantize,
    strategies_state,
    strategies_weighted,
)
from tests.operators.cases import (
    Case,
    activations,
    extent,
    scales,
    seeds,
    shapes,
    zero_points,
)
from tests.operators.strategies_weighted import FullyConnected, windows
from tinytrain.converters.tflite import parse_tflite, read_bytes
from tinytrain.emulator.inference import run_in_order
from tinytrain.operators.table import OPERATORS, require_kernels

DRAWS = int(os.environ.get("DRAWS", "40"))
"""Random models an operator, here and in C: few in a developer's loop, 200 by `make test`."""
MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"


@dataclass(frozen=True)
class Pool(Case):
    size: tuple[int, int]
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: str
    scale: float
    zero_point: int
    activation: str
    seed: int
    kind = ""

    def build(self) -> bytes:
        along = zip(self.size, self.kernel, self.stride, (1, 1), strict=True)
        output = tuple(extent(*axis, self.padding) for axis in along)
        options = {
            "padding": self.padding,
            "strideH": self.stride[0],
            "strideW": self.stride[1],
            "filterHeight": self.kernel[0],
            "filterWidth": self.kernel[1],
            "fusedActivationFunction": self.activation,
        }
        tensors = [
            Tensor((1, *size, self.channels), scale=self.scale, zero_point=self.zero_point)
            for size in (self.size, output)
        ]
        return build(tensors, [Operator(self.kind, (0,), (1,), "Pool2DOptions", options)], [0], [1])


class AveragePool2D(Pool):
    kind = "AVERAGE_POOL_2D"


class MaxPool2D(Pool):
    kind = "MAX_POOL_2D"


def pools(kind: type[Pool]) -> st.SearchStrategy[Case]:
    def make(window: dict[str, Any], **others: Any) -> Case:
        del window["dilation"]
        return kind(**window, **others)

    return st.builds(
        make,
        windows(dilated=False),
        channels=st.integers(1, 5),
        scale=scales,
        zero_point=zero_points,
        activation=activations,
        seed=seeds,
    )


@dataclass(frozen=True)
class Softmax(Case):
    leading: tuple[int, ...]
    depth: int
    scale: float
    zero_point: int
    beta: float
    seed: int

    def build(self) -> bytes:
        shape = (*self.leading, self.depth)
        tensors = [
            Tensor(shape, scale=self.scale, zero_point=self.zero_point),
            Tensor(shape, scale=1 / 256, zero_point=-128),
        ]
        operator = Operator("SOFTMAX", (0,), (1,), "SoftmaxOptions", {"beta": self.beta})
        return build(tensors, [operator], [0], [1])


softmaxes = st.builds(
    Softmax,
    leading=st.lists(st.integers(1, 3), max_size=3).map(tuple),
    depth=st.integers(1, 40) | st.integers(1, 500),
    scale=scales,
    zero_point=zero_points,
    beta=st.floats(2.0**-6, 64.0, width=32),
    seed=seeds,
)


@dataclass(frozen=True)
class Reshape(Case):
    shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    scale: float
    zero_point: int
    by_option: bool
    """Whether the new shape stands in the options, or in a second input."""
    seed: int

    def build(self) -> bytes:
        tensors = [
            Tensor(self.shape, scale=self.scale, zero_point=self.zero_point),
            Tensor(self.output_shape, scale=self.scale, zero_point=self.zero_point),
            Tensor((len(self.output_shape),), "int32", data=self.output_shape),
        ]
        inputs = (0,) if self.by_option else (0, 2)
        options = {"newShape": list(self.output_shape)} if self.by_option else {}
        operator = Operator("RESHAPE", inputs, (1,), "ReshapeOptions", options)
        return build(tensors, [operator], [0], [1])


@st.composite
def reshapes(draw: st.DrawFn) -> Case:
    shape = draw(shapes())
    factors = [factor for size in shape for factor in prime_factors(size)]
    count = draw(st.integers(1, 5))
    output = [1] * count
    for factor in factors:
        output[draw(st.integers(0, count - 1))] *= factor
    return Reshape(
        shape, tuple(output), draw(scales), draw(zero_points), draw(st.booleans()), draw(seeds)
    )


def prime_factors(number: int) -> list[int]:
    for factor in range(2, number + 1):
        if number % factor == 0:
            return [factor, *prime_factors(number // factor)]
    return []


STRATEGIES: Mapping[str, st.SearchStrategy[Case]] = {
    **strategies_elementwise.STRATEGIES,
    **strategies_int16.STRATEGIES,
    **strategies_layout.STRATEGIES,
    **strategies_lookup.STRATEGIES,
    **strategies_quantize.STRATEGIES,
    "AVERAGE_POOL_2D": pools(AveragePool2D),
    **strategies_weighted.STRATEGIES,
    "MAX_POOL_2D": pools(MaxPool2D),
    "RESHAPE": reshapes(),
    "SOFTMAX": softmaxes,
    **strategies_state.STRATEGIES,
}

EXAMPLES: Mapping[str, tuple[Case, ...]] = {
    **strategies_int16.EXAMPLES,
    **strategies_lookup.EXAMPLES,
    # The product of the scales is taken in double, with one weight scale too.
    "FULLY_CONNECTED": (
        FullyConnected(
            input_scale=1.9442970752716064,
            input_zero_point=0,
            weight_scale=0.75,
            output_zero_point=0,
            gain=2.0,
            per_channel=False,
            weight_style="any",
            bias="none",
            activation="NONE",
            seed=1,
            leading=(1,),
            depth=1,
            outputs=1,
            keep_dimensions=False,
        ),
    ),
}
"""Cases that failed once."""


SAMPLES = 6


def samples(
    shapes: list[tuple[int, ...]], rng: np.random.Generator, dtypes: list[str] | None = None
) -> list[NDArray[Any]]:
    """A batch for each input, of int8 or of `dtypes`: random, extremes, all lowest, all highest,
    and random again, for what has state.
    """
    types = ["int8"] * len(shapes) if dtypes is None else dtypes
    return [
        batch_of(shape, np.dtype(dtype), rng) for shape, dtype in zip(shapes, types, strict=True)
    ]


def batch_of(
    shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator
) -> NDArray[Any]:
    if dtype == np.float32:
        return floats((SAMPLES, *shape), rng)
    batch = np.empty((SAMPLES, *shape), dtype)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    batch[0] = rng.integers(low, high + 1, shape)
    batch[1] = rng.choice(np.array([low, low + 1, high]), shape)
    batch[2], batch[3] = low, high
    batch[4:] = rng.integers(low, high + 1, batch[4:].shape)
    return batch


def floats(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Numbers of every size that a quantization may hold, ties of common scales among them."""
    size = 2.0 ** rng.uniform(-12, 8, shape)
    ties = (rng.integers(-600, 600, shape) + 0.5) * 2.0 ** rng.integers(-6, 1, shape)
    return np.where(rng.random(shape) < 0.5, ties, rng.uniform(-1, 1, shape) * size).astype(
        np.float32
    )


def reference(model: bytes, inputs: list[NDArray[Any]], outputs: int = 1) -> list[NDArray[Any]]:
    """What TensorFlow Lite Micro gives: (n, elements) for each output."""
    interpreter = Interpreter.from_bytes(model, arena_size=8 << 20)
    found: list[list[NDArray[Any]]] = [[] for _ in range(outputs)]
    for sample in zip(*inputs, strict=True):
        for position, x in enumerate(sample):
            interpreter.set_input(x, position)
        interpreter.invoke()
        for position in range(outputs):
            found[position].append(interpreter.get_output(position).reshape(-1))
    return [np.stack(batch) for batch in found]


def assert_equal_to_reference(model: bytes, rng: np.random.Generator) -> None:
    graph = parse_tflite(model, "model")
    kernels = require_kernels(graph)
    given = [graph.tensors[tensor] for tensor in graph.inputs]
    inputs = samples([x.shape for x in given], rng, [x.dtype for x in given])
    values = run_in_order(graph, kernels, inputs)
    expected = reference(model, inputs, len(graph.outputs))
    for tensor, output in zip(graph.outputs, expected, strict=True):
        assert values[tensor].dtype == output.dtype
        np.testing.assert_array_equal(values[tensor], output)


def test_every_operator_of_the_table_has_a_strategy() -> None:
    """A second strategy for an operator has the operator's name and what sets it apart."""
    assert {name.split()[0] for name in STRATEGIES} == set(OPERATORS)


@pytest.mark.parametrize("kind", STRATEGIES)
def test_the_emulator_gives_the_bytes_of_tflite_micro(kind: str) -> None:
    def check(case: Case) -> None:
        assert_equal_to_reference(case.build(), case.rng)

    checked: Callable[..., None] = given(STRATEGIES[kind])(check)
    checked = settings(max_examples=DRAWS, deadline=None)(checked)
    for case in EXAMPLES.get(kind, ()):
        checked = example(case)(checked)
    checked()


@pytest.mark.parametrize("file", ["kws_ref_model.tflite", "ad01_int8.tflite"])
def test_the_emulator_gives_the_bytes_of_tflite_micro_on_published_models(file: str) -> None:
    if not MODELS.is_dir():
        pytest.skip("the published models are not beside the repository")
    model = read_bytes(MODELS / file)
    for seed in range(5):
        assert_equal_to_reference(model, np.random.default_rng(seed))
