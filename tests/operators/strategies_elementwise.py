"""Random models of two operands: ADD, SUB, MUL, MAXIMUM, MINIMUM, PRELU, with broadcasting."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from hypothesis import strategies as st

from tests.models import Operator, Tensor, build
from tests.operators.cases import (
    Case,
    activations,
    numbers,
    scales,
    seeds,
    shapes,
    styles,
    zero_points,
)


@dataclass(frozen=True)
class Binary(Case):
    """`gain` is log2 of output scale / the scale that the operator's result has by itself.

    `operands`: "two" activations, one and a constant "first" or "second", or the "same" twice.
    """

    kind: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    scales: tuple[float, float]
    zero_points: tuple[int, int, int]
    gain: float
    operands: str
    style: str
    """Of a constant."""
    activation: str
    seed: int
    dtype: str = "int8"

    def build(self) -> bytes:
        first, second = self.shapes
        if self.operands == "same":
            second = first
        constants = {
            name: numbers(self.rng, shape, self.style, self.dtype)
            for name, shape in (("first", first), ("second", second))
        }
        tensors = [
            Tensor(
                shape,
                self.dtype,
                scale=scale,
                zero_point=zero_point,
                data=constants[name] if name == self.operands else None,
            )
            for name, shape, scale, zero_point in (
                ("first", first, self.scales[0], self.zero_points[0]),
                ("second", second, self.scales[1], self.zero_points[1]),
            )
        ]
        output_shape = tuple(np.broadcast_shapes(first, second))
        tensors.append(Tensor(output_shape, self.dtype, self.scale, self.zero_points[2]))
        inputs = (0, 0) if self.operands == "same" else (0, 1)
        given = {"two": [0, 1], "first": [1], "second": [0], "same": [0]}[self.operands]
        table, options = {
            "ADD": ("AddOptions", {"fusedActivationFunction": self.activation}),
            "SUB": ("SubOptions", {"fusedActivationFunction": self.activation}),
            "MUL": ("MulOptions", {"fusedActivationFunction": self.activation}),
            "MAXIMUM": ("MaximumMinimumOptions", {}),
            "MINIMUM": ("MaximumMinimumOptions", {}),
            "PRELU": (None, {}),
        }[self.kind]
        return build(tensors, [Operator(self.kind, inputs, (2,), table, options)], given, [2])

    @property
    def scale(self) -> float:
        first, second = self.scales
        if self.operands == "same":
            second = first
        own = first * second if self.kind == "MUL" else max(first, second)
        return own * 2.0**self.gain


MAX_RANK = 4
"""Of what the reference broadcasts."""


@st.composite
def broadcastable(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes: equal, or stretched where extents are 1 or missing."""
    common = draw(shapes(rank=MAX_RANK))
    if draw(st.booleans()):
        return common, common

    def shrunk() -> tuple[int, ...]:
        kept = [extent if draw(st.booleans()) else 1 for extent in common]
        return tuple(kept[draw(st.integers(0, len(kept) - 1)) :])

    pair = (common, shrunk()) if draw(st.booleans()) else (shrunk(), shrunk())
    return pair if draw(st.booleans()) else pair[::-1]


def binaries(
    kind: str,
    dtype: str = "int8",
    zero_points: st.SearchStrategy[int] = zero_points,
    gains: st.SearchStrategy[float] = st.floats(-6.0, 8.0),  # noqa: B008
) -> st.SearchStrategy[Case]:
    return st.builds(
        Binary,
        kind=st.just(kind),
        shapes=broadcastable().filter(lambda pair: max(map(prod, pair)) <= 600),
        scales=st.tuples(scales, scales),
        zero_points=st.tuples(zero_points, zero_points, zero_points),
        gain=gains,
        operands=st.sampled_from(["two", "two", "first", "second", "same"]),
        style=styles,
        activation=activations,
        seed=seeds,
        dtype=st.just(dtype),
    )


@dataclass(frozen=True)
class Extremum(Binary):
    """Inputs and output have the same quantization: that of the first input."""

    @property
    def scale(self) -> float:
        return self.scales[0]


@st.composite
def extrema(draw: st.DrawFn, kind: str) -> Case:
    scale, zero_point = draw(scales), draw(zero_points)
    return Extremum(
        kind=kind,
        shapes=draw(broadcastable()),
        scales=(scale, scale),
        zero_points=(zero_point, zero_point, zero_point),
        gain=0.0,
        operands=draw(st.sampled_from(["two", "two", "first", "second", "same"])),
        style=draw(styles),
        activation="NONE",
        seed=draw(seeds),
    )


@st.composite
def prelus(draw: st.DrawFn) -> Case:
    """Alpha, most often a constant, is stretched to the input's shape; its scale is small."""
    shape = draw(shapes(rank=MAX_RANK))
    kept = tuple(extent if draw(st.booleans()) else 1 for extent in shape)
    alpha = draw(st.sampled_from([shape, kept, kept, kept[draw(st.integers(0, len(kept) - 1)) :]]))
    return Binary(
        kind="PRELU",
        shapes=(shape, alpha),
        scales=(draw(scales), draw(st.floats(2.0**-12, 0.25, width=32))),
        zero_points=draw(st.tuples(zero_points, zero_points, zero_points)),
        gain=draw(st.floats(-4.0, 6.0)),
        operands=draw(st.sampled_from(["two", "second", "second", "same"])),
        style=draw(styles),
        activation="NONE",
        seed=draw(seeds),
    )


STRATEGIES: dict[str, st.SearchStrategy[Case]] = {
    "ADD": binaries("ADD"),
    "MAXIMUM": extrema("MAXIMUM"),
    "MINIMUM": extrema("MINIMUM"),
    "MUL": binaries("MUL"),
    "PRELU": prelus(),
    "SUB": binaries("SUB"),
}
