"""Random models of the operators that move, join, part or reduce tensors, and of TRANSPOSE_CONV.

tflite-micro takes rank 4 at most here (5 for TRANSPOSE), ten parts, and no padding beyond the
input's extent where it mirrors; test_layout.py compares what goes beyond with numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.models import Operator, Tensor, build
from tests.operators.cases import (
    Case,
    activations,
    extent,
    numbers,
    pairs,
    scales,
    seeds,
    shapes,
    styles,
    zero_points,
)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Moved(Case):
    """An input, an output of the same quantization, and constant int32 operands."""

    kind: str
    shape: Shape
    output_shape: Shape
    operands: tuple[Any, ...]
    """Nested tuples, one for each constant int32 input after the first."""
    table: str
    options: Mapping[str, Any]
    scale: float
    zero_point: int
    seed: int

    def build(self) -> bytes:
        tensors = [
            Tensor(self.shape, scale=self.scale, zero_point=self.zero_point),
            Tensor(self.output_shape, scale=self.scale, zero_point=self.zero_point),
            *(Tensor(np.shape(value), "int32", data=value) for value in self.operands),
        ]
        inputs = (0, *range(2, len(tensors)))
        operator = Operator(self.kind, inputs, (1,), self.table, self.options)
        return build(tensors, [operator], [0], [1])


quantized = {"scale": scales, "zero_point": zero_points, "seed": seeds}


@st.composite
def moved(draw: st.DrawFn, kind: str, table: str, parts: st.SearchStrategy[Any]) -> Case:
    """`parts` gives shape, output shape, operands and options."""
    shape, output_shape, operands, options = draw(parts)
    drawn = draw(st.fixed_dictionaries(quantized))
    return Moved(kind, shape, output_shape, operands, table, options, **drawn)


@st.composite
def squeezed(draw: st.DrawFn) -> Any:
    shape = draw(shapes())
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    gone = draw(st.lists(st.sampled_from(ones), unique=True)) if ones else []
    given = [axis - draw(st.sampled_from([0, len(shape)])) for axis in gone]
    gone = gone or ones
    output = tuple(size for axis, size in enumerate(shape) if axis not in gone)
    return shape, output, (), {"squeezeDims": given}


@st.composite
def expanded(draw: st.DrawFn) -> Any:
    shape = draw(shapes())
    axis = draw(st.integers(0, len(shape)))
    given = axis - draw(st.sampled_from([0, len(shape) + 1]))
    operand = given if draw(st.booleans()) else (given,)
    return shape, (*shape[:axis], 1, *shape[axis:]), (operand,), {}


@st.composite
def transposed(draw: st.DrawFn) -> Any:
    shape = draw(shapes(rank=5))
    order = draw(st.permutations(range(len(shape))))
    return shape, tuple(shape[axis] for axis in order), (tuple(order),), {}


@st.composite
def sliced(draw: st.DrawFn) -> Any:
    """Numpy says what is left; the whole axis where nothing would be.

    The begin of an axis that goes lies in the axis: the reference does not check it.
    """
    shape = draw(shapes(rank=4))
    begins, ends, steps, left = [], [], [], []
    masks = {"beginMask": 0, "endMask": 0, "shrinkAxisMask": 0}
    for axis, size in enumerate(shape):
        if draw(st.integers(0, 3)) == 0:
            begin = draw(st.integers(-size, size - 1))
            begins.append(begin)
            ends.append(draw(st.integers(-size, size)))
            steps.append(1)
            masks["shrinkAxisMask"] |= 1 << axis
            masks["beginMask"] |= draw(st.booleans()) << axis
            masks["endMask"] |= draw(st.booleans()) << axis
            continue
        step = draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        span = st.integers(-size - 3, size + 3)
        begin, end = draw(st.none() | span), draw(st.none() | span)
        count = len(range(size)[begin:end:step])
        if count == 0:
            begin, end, count = None, None, len(range(size)[::step])
        masks["beginMask"] |= (begin is None) << axis
        masks["endMask"] |= (end is None) << axis
        begins.append(draw(span) if begin is None else begin)
        ends.append(draw(span) if end is None else end)
        steps.append(step)
        left.append(count)
    return shape, tuple(left), (tuple(begins), tuple(ends), tuple(steps)), masks


@st.composite
def padded(draw: st.DrawFn, most: int | None = None) -> Any:
    """`most`: 1 or 0, what a mirrored padding stays below the extent; None: any padding."""
    shape = draw(shapes(300))
    paddings = []
    for size in shape:
        limit = 4 if most is None else size - most
        pad = st.integers(0, min(limit, 4))
        paddings.append((draw(pad), draw(pad)))
    output = tuple(size + sum(pair) for size, pair in zip(shape, paddings, strict=True))
    mode = {} if most is None else {"mode": "REFLECT" if most else "SYMMETRIC"}
    return shape, output, (tuple(paddings),), mode


@dataclass(frozen=True)
class PadV2(Case):
    shape: Shape
    output_shape: Shape
    paddings: tuple[Any, ...]
    value: int
    value_shape: Shape
    scale: float
    zero_point: int
    seed: int

    def build(self) -> bytes:
        same = {"scale": self.scale, "zero_point": self.zero_point}
        tensors = [
            Tensor(self.shape, **same),
            Tensor(np.shape(self.paddings), "int32", data=self.paddings),
            Tensor(self.value_shape, data=[self.value], **same),
            Tensor(self.output_shape, **same),
        ]
        return build(tensors, [Operator("PADV2", (0, 1, 2), (3,), "PadV2Options")], [0], [3])


@st.composite
def padv2(draw: st.DrawFn) -> Case:
    shape, output_shape, (paddings,), _ = draw(padded())
    value_shape = draw(st.sampled_from([(), (1,)]))
    drawn = draw(st.fixed_dictionaries(quantized))
    return PadV2(shape, output_shape, paddings, draw(zero_points), value_shape, **drawn)


@st.composite
def resized(draw: st.DrawFn) -> Any:
    """Sizes up to 40, where rounding in float32 begins to matter, and few channels."""
    size = st.integers(1, 8) | st.integers(1, 40)
    height, width, to_height, to_width = (draw(size) for _ in range(4))
    batch, channels = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    options = {"alignCorners": draw(st.booleans()), "halfPixelCenters": draw(st.booleans())}
    return (
        (batch, height, width, channels),
        (batch, to_height, to_width, channels),
        ((to_height, to_width),),
        options,
    )


@dataclass(frozen=True)
class Concatenation(Case):
    shape: Shape
    """Of a part, but for `axis`."""
    axis: int
    sizes: tuple[int, ...]
    """Of the parts along `axis`."""
    sources: tuple[str, ...]
    """Of each part: "input", "constant", or "again" for the first input, if that has its size."""
    from_the_back: bool
    scale: float
    zero_point: int
    seed: int

    def build(self) -> bytes:
        rng = self.rng
        tensors: list[Tensor] = []
        operands: list[int] = []
        inputs: list[int] = []
        for size, source in zip(self.sizes, self.sources, strict=True):
            shape = self.with_size(size)
            if source == "again" and inputs and tensors[inputs[0]].shape == shape:
                operands.append(inputs[0])
                continue
            data = numbers(rng, shape, "any") if source == "constant" and inputs else None
            operands.append(len(tensors))
            inputs += [] if data is not None else [len(tensors)]
            tensors.append(self.tensor(shape, data))
        tensors.append(self.tensor(self.with_size(sum(self.sizes)), None))
        axis = self.axis - (len(self.shape) if self.from_the_back else 0)
        operator = Operator(
            "CONCATENATION",
            tuple(operands),
            (len(tensors) - 1,),
            "ConcatenationOptions",
            {"axis": axis, "fusedActivationFunction": "NONE"},
        )
        return build(tensors, [operator], inputs, [len(tensors) - 1])

    def with_size(self, size: int) -> Shape:
        return (*self.shape[: self.axis], size, *self.shape[self.axis + 1 :])

    def tensor(self, shape: Shape, data: Any) -> Tensor:
        return Tensor(shape, scale=self.scale, zero_point=self.zero_point, data=data)


@st.composite
def concatenations(draw: st.DrawFn) -> Case:
    shape = draw(shapes(200))
    axis = draw(st.integers(0, len(shape) - 1))
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=10))
    source = st.sampled_from(["input", "input", "constant", "again"])
    sources = tuple(draw(source) for _ in sizes)
    drawn = draw(st.fixed_dictionaries(quantized))
    return Concatenation(shape, axis, tuple(sizes), sources, draw(st.booleans()), **drawn)


@dataclass(frozen=True)
class Split(Case):
    part: Shape
    axis: int
    count: int
    from_the_back: bool
    axis_shape: Shape
    scale: float
    zero_point: int
    seed: int

    def build(self) -> bytes:
        same = {"scale": self.scale, "zero_point": self.zero_point}
        whole = list(self.part)
        whole[self.axis] *= self.count
        axis = self.axis - (len(whole) if self.from_the_back else 0)
        tensors = [
            Tensor(self.axis_shape, "int32", data=[axis]),
            Tensor(tuple(whole), **same),
            *(Tensor(self.part, **same) for _ in range(self.count)),
        ]
        outputs = tuple(range(2, 2 + self.count))
        operator = Operator("SPLIT", (0, 1), outputs, "SplitOptions", {"numSplits": self.count})
        return build(tensors, [operator], [1], list(outputs))


@st.composite
def splits(draw: st.DrawFn) -> Case:
    part = draw(shapes(150))
    return Split(
        part,
        draw(st.integers(0, len(part) - 1)),
        draw(st.integers(1, 6)),
        draw(st.booleans()),
        draw(st.sampled_from([(), (1,)])),
        **draw(st.fixed_dictionaries(quantized)),
    )


@dataclass(frozen=True)
class Reduce(Case):
    """`gain` is log2 of output scale / input scale; None: input and output quantized alike."""

    kind: str
    shape: Shape
    axes: tuple[int, ...]
    axes_shape: Shape
    keep_dimensions: bool
    scale: float
    gain: float | None
    zero_points: tuple[int, int]
    seed: int

    def build(self) -> bytes:
        reduced = {axis % len(self.shape) for axis in self.axes}
        left = [
            1 if axis in reduced else size
            for axis, size in enumerate(self.shape)
            if self.keep_dimensions or axis not in reduced
        ]
        same = self.gain is None
        scale = self.scale if self.gain is None else self.scale * 2.0**self.gain
        tensors = [
            Tensor(self.shape, scale=self.scale, zero_point=self.zero_points[0]),
            Tensor(self.axes_shape, "int32", data=self.axes),
            Tensor(tuple(left), scale=scale, zero_point=self.zero_points[0 if same else 1]),
        ]
        options = {"keepDims": self.keep_dimensions}
        operator = Operator(self.kind, (0, 1), (2,), "ReducerOptions", options)
        return build(tensors, [operator], [0], [2])


@st.composite
def reductions(draw: st.DrawFn, kind: str, gains: st.SearchStrategy[float | None]) -> Case:
    """Any axes, in any order, counted from either end. (The reference has room for two and writes
    past it, into padding as its builds are.)
    """
    shape = draw(shapes())
    axes = draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True))
    given = tuple(axis - draw(st.sampled_from([0, len(shape)])) for axis in axes)
    scalar = len(given) == 1 and draw(st.booleans())
    return Reduce(
        kind,
        shape,
        given,
        () if scalar else (len(given),),
        draw(st.booleans()),
        draw(scales),
        draw(gains),
        draw(st.tuples(zero_points, zero_points)),
        draw(seeds),
    )


@dataclass(frozen=True)
class ArgMax(Case):
    """Samples of extremes have several maxima."""

    shape: Shape
    axis: int
    axis_shape: Shape
    scale: float
    zero_point: int
    seed: int

    def build(self) -> bytes:
        axis = self.axis % len(self.shape)
        tensors = [
            Tensor(self.shape, scale=self.scale, zero_point=self.zero_point),
            Tensor(self.axis_shape, "int32", data=[self.axis]),
            Tensor((*self.shape[:axis], *self.shape[axis + 1 :]), "int32"),
        ]
        options = {"outputType": "INT32"}
        return build(
            tensors, [Operator("ARG_MAX", (0, 1), (2,), "ArgMaxOptions", options)], [0], [2]
        )


@st.composite
def arg_maxima(draw: st.DrawFn) -> Case:
    shape = draw(shapes())
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    axis_shape = draw(st.sampled_from([(), (1,)]))
    return ArgMax(shape, axis, axis_shape, **draw(st.fixed_dictionaries(quantized)))


@dataclass(frozen=True)
class TransposeConv(Case):
    """Pairs are (height, width). `gain` is log2 of output scale / (input scale * weight scale)."""

    output_size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: str
    channels: int
    filters: int
    per_channel: bool
    weight_style: str
    bias: str
    activation: str
    scales: tuple[float, float]
    gain: float
    zero_points: tuple[int, int]
    seed: int

    def build(self) -> bytes:
        rng = self.rng
        along = zip(self.output_size, self.kernel, self.stride, (1, 1), strict=True)
        size = tuple(extent(*axis, self.padding) for axis in along)
        spread = 2.0 ** rng.uniform(-3, 3, self.filters) if self.per_channel else np.ones(1)
        weight_scale = (self.scales[1] * spread).astype(np.float32)
        output_scale = self.scales[0] * self.scales[1] * 2.0**self.gain
        output_shape = (1, *self.output_size, self.filters)
        weight_shape = (self.filters, *self.kernel, self.channels)
        # Larger sums overflow where they are shifted left, and the reference is undefined there.
        limit = 1 << int(min(30.0, 25.0 + self.gain)) if self.bias == "large" else 5000
        bias = rng.integers(-limit, limit + 1, self.filters)
        tensors = [
            Tensor((4,), "int32", data=output_shape),
            Tensor(
                weight_shape, scale=weight_scale, data=numbers(rng, weight_shape, self.weight_style)
            ),
            Tensor((1, *size, self.channels), scale=self.scales[0], zero_point=self.zero_points[0]),
            Tensor((self.filters,), "int32", weight_scale * np.float32(self.scales[0]), data=bias),
            Tensor(output_shape, scale=output_scale, zero_point=self.zero_points[1]),
        ]
        options = {
            "padding": self.padding,
            "strideH": self.stride[0],
            "strideW": self.stride[1],
            "fusedActivationFunction": self.activation,
        }
        inputs = (0, 1, 2) if self.bias == "left out" else (0, 1, 2, 3)
        operator = Operator("TRANSPOSE_CONV", inputs, (4,), "TransposeConvOptions", options)
        return build(tensors, [operator], [2], [4])


@st.composite
def transpose_convolutions(draw: st.DrawFn) -> Case:
    kernel = draw(pairs)
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    size = draw(st.tuples(st.integers(1, 11), st.integers(1, 11)))
    if padding == "VALID":
        size = (max(size[0], kernel[0]), max(size[1], kernel[1]))
    channels = st.integers(1, 5)
    return TransposeConv(
        size,
        kernel,
        draw(pairs),
        padding,
        draw(channels),
        draw(channels),
        draw(st.booleans()),
        draw(styles),
        draw(st.sampled_from(["left out", "small", "large"])),
        draw(activations),
        draw(st.tuples(scales, scales)),
        draw(st.floats(-4.0, 24.0)),
        draw(st.tuples(zero_points, zero_points)),
        draw(seeds),
    )


mirrored = st.sampled_from([0, 1]).flatmap(padded)
gains = st.none() | st.floats(-8.0, 8.0)

STRATEGIES: Mapping[str, st.SearchStrategy[Case]] = {
    "ARG_MAX": arg_maxima(),
    "CONCATENATION": concatenations(),
    "EXPAND_DIMS": moved("EXPAND_DIMS", "ExpandDimsOptions", expanded()),
    "MEAN": reductions("MEAN", gains),
    "MIRROR_PAD": moved("MIRROR_PAD", "MirrorPadOptions", mirrored),
    "PAD": moved("PAD", "PadOptions", padded()),
    "PADV2": padv2(),
    "REDUCE_MAX": reductions("REDUCE_MAX", st.none()),
    "RESIZE_NEAREST_NEIGHBOR": moved(
        "RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", resized()
    ),
    "SPLIT": splits(),
    "SQUEEZE": moved("SQUEEZE", "SqueezeOptions", squeezed()),
    "STRIDED_SLICE": moved("STRIDED_SLICE", "StridedSliceOptions", sliced()),
    "SUM": reductions("SUM", gains),
    "TRANSPOSE": moved("TRANSPOSE", "TransposeOptions", transposed()),
    "TRANSPOSE_CONV": transpose_convolutions(),
}
