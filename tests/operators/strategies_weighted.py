"""Random models of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.models import Operator, Tensor, build
from tests.operators.cases import (
    Case,
    activations,
    biases,
    extent,
    numbers,
    pairs,
    scales,
    seeds,
    shapes,
    styles,
    zero_points,
)


@dataclass(frozen=True)
class Weighted(Case):
    """CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED: weights, biases, rescaling.

    `gain` is log2 of output scale / (input scale * weight scale).
    """

    input_scale: float
    input_zero_point: int
    weight_scale: float
    output_zero_point: int
    gain: float
    per_channel: bool
    weight_style: str
    bias: str
    activation: str
    seed: int
    dtype: str = field(default="int8", kw_only=True)
    """Of input and output."""
    bias_dtype: str = field(default="int32", kw_only=True)

    @property
    def bias_limit(self) -> int:
        """Sums must not overflow when they are shifted left: the reference is undefined there."""
        bits = 30.0 if self.bias_dtype == "int32" else 44.0
        return 1 << int(min(bits, 25.0 + self.gain)) if self.bias == "large" else 5000

    def operator(
        self,
        kind: str,
        input_shape: tuple[int, ...],
        weight_shape: tuple[int, ...],
        channel_axis: int,
        output_shape: tuple[int, ...],
        options: tuple[str, dict[str, Any]],
    ) -> bytes:
        rng = self.rng
        channels = weight_shape[channel_axis]
        spread = 2.0 ** rng.uniform(-3, 3, channels) if self.per_channel else np.ones(1)
        weight_scale = (self.weight_scale * spread).astype(np.float32)
        output_scale = self.input_scale * self.weight_scale * 2.0**self.gain
        weights = numbers(rng, weight_shape, self.weight_style)
        bias = rng.integers(-self.bias_limit, self.bias_limit + 1, channels)
        tensors = [
            Tensor(input_shape, self.dtype, self.input_scale, self.input_zero_point),
            Tensor(weight_shape, scale=weight_scale, axis=channel_axis, data=weights),
            Tensor(output_shape, self.dtype, output_scale, self.output_zero_point),
            Tensor(
                (channels,), self.bias_dtype, weight_scale * np.float32(self.input_scale), data=bias
            ),
        ]
        inputs = {"none": (0, 1, -1), "left out": (0, 1)}.get(self.bias, (0, 1, 3))
        table, values = options
        values = {**values, "fusedActivationFunction": self.activation}
        return build(tensors, [Operator(kind, inputs, (2,), table, values)], [0], [2])


weighted = {
    "input_scale": scales,
    "input_zero_point": zero_points,
    "weight_scale": scales,
    "output_zero_point": zero_points,
    "gain": st.floats(-4.0, 24.0),
    "per_channel": st.booleans(),
    "weight_style": styles,
    "bias": biases,
    "activation": activations,
    "seed": seeds,
}


@dataclass(frozen=True)
class Convolution(Weighted):
    """Pairs are (height, width)."""

    size: tuple[int, int]
    channels: int
    filters: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: str

    @property
    def output_size(self) -> tuple[int, ...]:
        along = zip(self.size, self.kernel, self.stride, self.dilation, strict=True)
        return tuple(extent(*axis, self.padding) for axis in along)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "padding": self.padding,
            "strideH": self.stride[0],
            "strideW": self.stride[1],
            "dilationHFactor": self.dilation[0],
            "dilationWFactor": self.dilation[1],
        }


class Conv2D(Convolution):
    def build(self) -> bytes:
        return self.operator(
            "CONV_2D",
            (1, *self.size, self.channels),
            (self.filters, *self.kernel, self.channels),
            0,
            (1, *self.output_size, self.filters),
            ("Conv2DOptions", self.options),
        )


class DepthwiseConv2D(Convolution):
    """`filters`: the depth multiplier. The reference crashes at a bias of index -1."""

    def build(self) -> bytes:
        channels = self.channels * self.filters
        return self.operator(
            "DEPTHWISE_CONV_2D",
            (1, *self.size, self.channels),
            (1, *self.kernel, channels),
            3,
            (1, *self.output_size, channels),
            ("DepthwiseConv2DOptions", {**self.options, "depthMultiplier": self.filters}),
        )


@st.composite
def windows(draw: st.DrawFn, dilated: bool = True) -> dict[str, Any]:
    """Size, kernel, stride, dilation and padding that fit each other."""
    kernel, stride = draw(pairs), draw(pairs)
    dilation = draw(pairs) if dilated else (1, 1)
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    size = draw(st.tuples(st.integers(1, 11), st.integers(1, 11)))
    if padding == "VALID":
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        size = (max(size[0], reach[0]), max(size[1], reach[1]))
    return dict(size=size, kernel=kernel, stride=stride, dilation=dilation, padding=padding)


def convolutions(
    kind: type[Convolution], drawn: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Case]:
    channels = st.integers(1, 5)
    drawn = {**drawn, "channels": channels, "filters": channels}
    others = st.fixed_dictionaries(drawn)
    return st.builds(lambda window, other: kind(**window, **other), windows(), others)


@dataclass(frozen=True)
class FullyConnected(Weighted):
    leading: tuple[int, ...]
    """The input's shape but for the last dimension."""
    depth: int
    outputs: int
    keep_dimensions: bool

    def build(self) -> bytes:
        leading = self.leading if self.keep_dimensions else (prod(self.leading),)
        return self.operator(
            "FULLY_CONNECTED",
            (*self.leading, self.depth),
            (self.outputs, self.depth),
            0,
            (*leading, self.outputs),
            ("FullyConnectedOptions", {"keepNumDims": self.keep_dimensions}),
        )


def fully_connected(drawn: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Case]:
    return st.builds(
        FullyConnected,
        **drawn,
        leading=shapes(12, rank=3),
        depth=st.integers(1, 70),
        outputs=st.integers(1, 12),
        keep_dimensions=st.booleans(),
    )


def without_index(drawn: dict[str, Any]) -> dict[str, Any]:
    """No bias of index -1, at which the reference's DEPTHWISE_CONV_2D crashes."""
    return {**drawn, "bias": biases.filter(lambda bias: bias != "none")}


narrow = {
    **weighted,
    "gain": st.floats(4.1, 16.0),
    "weight_style": styles | st.just("symmetric"),
}
"""Factors below one half, which the fast kernels take; weights as TensorFlow Lite makes them."""

LARGEST_LAYER = 4000
"""Weights."""


def fast_convolutions(
    kind: type[Convolution], drawn: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Case]:
    """Without dilation, of more channels: their loops take several at once and have ends."""
    channels = st.integers(1, 9) | st.sampled_from([12, 16, 17, 24, 31, 32, 64])
    depthwise = kind is DepthwiseConv2D
    drawn = {
        **drawn,
        "channels": channels,
        "filters": st.just(1) if depthwise else st.integers(1, 9) | st.sampled_from([16, 21, 32]),
    }
    others = st.fixed_dictionaries(drawn)
    every = windows(dilated=False) | pointwise()
    made = st.builds(lambda window, other: kind(**window, **other), every, others)
    return made.filter(lambda c: prod(c.kernel) * c.channels * c.filters <= LARGEST_LAYER)


def pointwise() -> st.SearchStrategy[dict[str, Any]]:
    """Windows of one pixel."""
    return st.builds(
        lambda size, stride: dict(
            size=size, kernel=(1, 1), stride=stride, dilation=(1, 1), padding="VALID"
        ),
        st.tuples(st.integers(1, 11), st.integers(1, 11)),
        st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 3)]),
    )


def fast_fully_connected() -> st.SearchStrategy[Case]:
    drawn = {**narrow, "weight_style": st.just("symmetric") | styles}
    return st.builds(
        FullyConnected,
        **drawn,
        leading=st.sampled_from([(1,), (1,), (2,), (3, 2)]),
        depth=st.integers(1, 70)
        | st.integers(1, 20).map(lambda words: 4 * words)
        | st.sampled_from([128, 300, 640, 1030, 1364, 1400]),
        outputs=st.integers(1, 20),
        keep_dimensions=st.booleans(),
    ).filter(lambda case: case.depth * case.outputs <= 4 * LARGEST_LAYER)


STRATEGIES: dict[str, st.SearchStrategy[Case]] = {
    "CONV_2D fast": fast_convolutions(Conv2D, narrow),
    "DEPTHWISE_CONV_2D fast": fast_convolutions(DepthwiseConv2D, without_index(narrow)),
    "FULLY_CONNECTED fast": fast_fully_connected(),
    "CONV_2D": convolutions(Conv2D, weighted),
    "DEPTHWISE_CONV_2D": convolutions(DepthwiseConv2D, without_index(weighted)),
    "FULLY_CONNECTED": fully_connected(weighted),
}
