"""Random whole models: operators of every family on one another's outputs.

A graph grows operator by operator from a seed, so that a graph of n operators is the start of that
of n + 1, and a failure shrinks to its first operators. Reads branch: any earlier tensor will do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.models import Operator, Tensor, build
from tests.operators.cases import Case, extent, numbers

LARGEST = 1500
"""Elements of a tensor."""


@dataclass(frozen=True)
class RandomGraph(Case):
    operators: int
    seed: int

    def build(self) -> bytes:
        return Growth(self.rng).grow(self.operators)


class Growth:
    """The model so far. Activations are (1, H, W, C)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.activations: list[int] = []
        self.inputs = [self.activation(self.extents()) for _ in range(self.pick([1, 1, 2]))]

    def grow(self, operators: int) -> bytes:
        """The file; its outputs are the tensors that nothing reads, and one more."""
        while len(self.operators) < operators:
            grower = self.pick(GROWERS)
            # Mostly the newest tensor, else any.
            x = self.activations[-1] if self.rng.random() < 0.6 else self.pick(self.activations)
            grower(self, x)
        read = {tensor for operator in self.operators for tensor in operator.inputs}
        written = [tensor for operator in self.operators for tensor in operator.outputs]
        also = self.pick(written)
        outputs = [tensor for tensor in written if tensor not in read or tensor == also]
        return build(self.tensors, self.operators, self.inputs, outputs)

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def extents(self) -> tuple[int, ...]:
        return (1, *(int(n) for n in self.rng.integers(1, [9, 9, 6])))

    def shape(self, tensor: int) -> tuple[int, ...]:
        return self.tensors[tensor].shape

    def add(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def activation(self, shape: tuple[int, ...], like: int | None = None) -> int:
        """A new tensor, quantized at random or as another is."""
        scale = float(np.float32(2.0 ** self.rng.uniform(-6, 0)))
        zero_point = int(self.rng.integers(-128, 128))
        if like is not None:
            scale, zero_point = self.tensors[like].scale, self.tensors[like].zero_point
        self.activations.append(self.add(Tensor(shape, scale=scale, zero_point=zero_point)))
        return self.activations[-1]

    def constant(self, values: Any) -> int:
        return self.add(Tensor(np.shape(values), "int32", data=values))

    def put(
        self, kind: str, inputs: Sequence[int], outputs: Sequence[int], table: str, **options: Any
    ) -> None:
        self.operators.append(Operator(kind, tuple(inputs), tuple(outputs), table, options))

    def convolved(self, x: int, kind: str, weights: tuple[int, ...], shape: tuple[int, ...]) -> Any:
        """Weights, bias and output of a convolution: (indices, index)."""
        axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
        scale = 2.0 ** self.rng.uniform(-8, -4, weights[axis])
        filters = self.add(
            Tensor(weights, scale=scale, axis=axis, data=numbers(self.rng, weights, "any"))
        )
        bias = self.rng.integers(-2000, 2000, weights[axis])
        product = scale * float(self.tensors[x].scale)  # type: ignore[arg-type]
        biases = self.add(Tensor((weights[axis],), "int32", product, data=bias))
        y = self.activation(shape)
        return filters, biases, y


def window(growth: Growth, x: int) -> tuple[dict[str, Any], tuple[int, int], tuple[int, int]]:
    """Strides and padding as options, a kernel's extents, and the output's."""
    _, height, width, _ = growth.shape(x)
    padding = growth.pick(["SAME", "VALID"])
    kernel = (growth.pick(range(1, min(height, 3) + 1)), growth.pick(range(1, min(width, 3) + 1)))
    stride = (growth.pick([1, 2]), growth.pick([1, 2]))
    along = zip((height, width), kernel, stride, (1, 1), strict=True)
    size = tuple(extent(*axis, padding) for axis in along)
    return {"padding": padding, "strideH": stride[0], "strideW": stride[1]}, kernel, size  # type: ignore[return-value]


def activation_function(growth: Growth) -> dict[str, str]:
    return {"fusedActivationFunction": growth.pick(["NONE", "NONE", "RELU", "RELU6"])}


def convolution(growth: Growth, x: int) -> None:
    options, kernel, size = window(growth, x)
    filters, channels = growth.pick([1, 3, 4]), growth.shape(x)[3]
    weights = (filters, *kernel, channels)
    w, b, y = growth.convolved(x, "CONV_2D", weights, (1, *size, filters))
    options |= activation_function(growth)
    growth.put("CONV_2D", (x, w, b), (y,), "Conv2DOptions", **options)


def depthwise_convolution(growth: Growth, x: int) -> None:
    options, kernel, size = window(growth, x)
    channels = growth.shape(x)[3]
    weights = (1, *kernel, channels)
    w, b, y = growth.convolved(x, "DEPTHWISE_CONV_2D", weights, (1, *size, channels))
    options |= {"depthMultiplier": 1, **activation_function(growth)}
    growth.put("DEPTHWISE_CONV_2D", (x, w, b), (y,), "DepthwiseConv2DOptions", **options)


def transpose_convolution(growth: Growth, x: int) -> None:
    _, height, width, channels = growth.shape(x)
    if max(height, width) > 8:
        return
    filters, stride = growth.pick([1, 3]), growth.pick([1, 2])
    shape = (1, height * stride, width * stride, filters)
    w, b, y = growth.convolved(x, "TRANSPOSE_CONV", (filters, 3, 2, channels), shape)
    options = {"padding": "SAME", "strideH": stride, "strideW": stride}
    inputs = (growth.constant(shape), w, x, b)
    growth.put("TRANSPOSE_CONV", inputs, (y,), "TransposeConvOptions", **options)


def pooling(growth: Growth, x: int) -> None:
    options, kernel, size = window(growth, x)
    y = growth.activation((1, *size, growth.shape(x)[3]), like=x)
    options |= {"filterHeight": kernel[0], "filterWidth": kernel[1]}
    kind = growth.pick(["AVERAGE_POOL_2D", "MAX_POOL_2D"])
    growth.put(kind, (x,), (y,), "Pool2DOptions", **options)


def residual(growth: Growth, x: int) -> None:
    """The sum with a tensor of the same shape, itself where there is no other."""
    shape = growth.shape(x)
    other = growth.pick([t for t in growth.activations if growth.shape(t) == shape])
    y = growth.activation(shape)
    growth.put("ADD", (x, other), (y,), "AddOptions", **activation_function(growth))


def concatenation(growth: Growth, x: int) -> None:
    """With tensors quantized alike that fit along an axis, or with itself."""
    tensors, axis, shape = growth.tensors, growth.pick([1, 2, 3]), growth.shape(x)
    alike = [
        t
        for t in growth.activations
        if (tensors[t].scale, tensors[t].zero_point) == (tensors[x].scale, tensors[x].zero_point)
        and all(
            a == b for i, (a, b) in enumerate(zip(growth.shape(t), shape, strict=True)) if i != axis
        )
    ]
    parts = [x, *(growth.pick(alike) for _ in range(growth.pick([1, 2])))]
    whole = list(shape)
    whole[axis] = sum(growth.shape(part)[axis] for part in parts)
    if np.prod(whole) > LARGEST:
        return
    y = growth.activation(tuple(whole), like=x)
    growth.put("CONCATENATION", parts, (y,), "ConcatenationOptions", axis=axis)


def split(growth: Growth, x: int) -> None:
    shape = list(growth.shape(x))
    ways = [(axis, n) for axis in (1, 2, 3) for n in (2, 3) if shape[axis] % n == 0]
    if ways:
        axis, count = growth.pick(ways)
        shape[axis] //= count
        outputs = [growth.activation(tuple(shape), like=x) for _ in range(count)]
        inputs = (growth.constant([axis]), x)
        growth.put("SPLIT", inputs, outputs, "SplitOptions", numSplits=count)


def padding(growth: Growth, x: int) -> None:
    shape = growth.shape(x)
    mirrored = growth.rng.random() < 0.4
    pairs = [[0, 0], *growth.rng.integers(0, 2, (2, 2)).tolist(), [0, 0]]
    padded = tuple(size + sum(pair) for size, pair in zip(shape, pairs, strict=True))
    if np.prod(padded) > LARGEST:
        return
    y = growth.activation(padded, like=x)
    inputs = (x, growth.constant(pairs))
    if mirrored:
        growth.put("MIRROR_PAD", inputs, (y,), "MirrorPadOptions", mode="SYMMETRIC")
    else:
        growth.put("PAD", inputs, (y,), "PadOptions")


def transpose(growth: Growth, x: int) -> None:
    order = [0, *(growth.rng.permutation(3) + 1).tolist()]
    y = growth.activation(tuple(growth.shape(x)[axis] for axis in order), like=x)
    growth.put("TRANSPOSE", (x, growth.constant(order)), (y,), "TransposeOptions")


def strided_slice(growth: Growth, x: int) -> None:
    shape = growth.shape(x)
    begin = [growth.pick(range((size + 1) // 2)) for size in shape]
    step = [growth.pick([1, 2]) for _ in shape]
    left = [len(range(b, size, s)) for b, size, s in zip(begin, shape, step, strict=True)]
    y = growth.activation(tuple(left), like=x)
    operands = [growth.constant(values) for values in (begin, shape, step)]
    growth.put("STRIDED_SLICE", (x, *operands), (y,), "StridedSliceOptions")


def resize(growth: Growth, x: int) -> None:
    _, _, _, channels = growth.shape(x)
    size = growth.extents()[1:3]
    y = growth.activation((1, *size, channels), like=x)
    options = {"alignCorners": growth.pick([True, False])}
    inputs = (x, growth.constant(size))
    growth.put("RESIZE_NEAREST_NEIGHBOR", inputs, (y,), "ResizeNearestNeighborOptions", **options)


def reduction(growth: Growth, x: int) -> None:
    axes = growth.pick([[1, 2], [1], [3], [1, 3]])
    kind = growth.pick(["MEAN", "SUM", "REDUCE_MAX"])
    shape = [1 if axis in axes else size for axis, size in enumerate(growth.shape(x))]
    y = growth.activation(tuple(shape), like=x if kind == "REDUCE_MAX" else None)
    inputs = (x, growth.constant(axes))
    growth.put(kind, inputs, (y,), "ReducerOptions", keepDims=True)


def reshape(growth: Growth, x: int) -> None:
    _, height, width, channels = growth.shape(x)
    y = growth.activation((1, width, 1, height * channels), like=x)
    options = {"newShape": list(growth.shape(y))}
    growth.put("RESHAPE", (x,), (y,), "ReshapeOptions", **options)


def softmax(growth: Growth, x: int) -> None:
    y = growth.add(Tensor(growth.shape(x), scale=1 / 256, zero_point=-128))
    growth.activations.append(y)
    growth.put("SOFTMAX", (x,), (y,), "SoftmaxOptions", beta=1.0)


GROWERS: list[Callable[[Growth, int], None]] = [
    convolution,
    depthwise_convolution,
    transpose_convolution,
    pooling,
    residual,
    residual,
    residual,
    concatenation,
    concatenation,
    split,
    split,
    padding,
    transpose,
    strided_slice,
    resize,
    reduction,
    reshape,
    softmax,
]
"""Each adds one operator that reads the tensor it is given, or none where that does not fit."""
