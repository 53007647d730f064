"""The reference kernels: one numpy function an operator, over a batch of independent inferences.

Each takes its parameters and the inputs as arrays of shape (n, elements), and gives the output
as (n, elements). n is how many inferences run at once; it is no dimension of the model.
Source of the rules: TensorFlow Lite Micro's reference kernels (DESIGN.md, "Arithmetic").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator.requantize import EXACT_FLOAT32, Rescale
from tinytrain.operators.activation import INTEGER_BITS, Softmax
from tinytrain.operators.convolution import Conv2D, Convolution, DepthwiseConv2D
from tinytrain.operators.dense import FullyConnected
from tinytrain.operators.kernel import Parameters
from tinytrain.operators.layout import Copy
from tinytrain.operators.pooling import AveragePool2D, MaxPool2D, Pooling
from tinytrain.operators.reduction import ArgMax, Reduction, Sum
from tinytrain.operators.transpose_convolution import TransposeConv

Int8 = npt.NDArray[np.int8]
Int = npt.NDArray[np.int64]
Float = npt.NDArray[np.float32]
Value = npt.NDArray[Any]
"""(n, elements) of a tensor's type."""

CHUNK_ELEMENTS = 1 << 17
"""Numbers that a kernel works on at a time: what a core's cache holds."""

PREPARED = 512
"""Operators whose weights are kept ready, so that a batch in parts prepares them once."""


@singledispatch
def evaluate(parameters: Parameters, *_inputs: Value) -> Value | tuple[Value, ...]:
    """Runs the kernel that belongs to the type of `parameters`.

    Gives the output, or the outputs where the operator has several.
    """
    raise TypeError(f"no reference kernel for {type(parameters).__name__}")


def _clamp(x: Int, low: int, high: int) -> Int8:
    return np.clip(x, low, high).astype(np.int8).reshape(len(x), -1)


def _centred(x: Int8, zero_point: int) -> Float:
    centred = x.astype(np.float32)
    centred -= np.float32(zero_point)
    return centred


def _reach(weights: Int8) -> int:
    """A bound on the sums of weights (channels, k) with inputs less their zero point."""
    return int(np.abs(weights.astype(np.int64)).sum(axis=1).max(initial=0)) * 255


@dataclass(frozen=True, eq=False)
class _Product:
    """Weights ready for exact matrix products.

    Floating point is exact as long as no partial sum leaves the mantissa, so the fast matrix
    product of float32 or float64 serves where the bound on the sums allows.
    """

    columns: npt.NDArray[Any]
    """(k, channels)"""
    reach: int

    def __call__(self, x: Float) -> npt.NDArray[Any]:
        """(n, channels) sums of integers x (n, k)."""
        return x.astype(self.columns.dtype, copy=False) @ self.columns


def _product(weights: Int8) -> _Product:
    """Of weights (channels, k)."""
    reach = _reach(weights)
    dtype = np.float32 if reach < EXACT_FLOAT32 else np.float64
    return _Product(np.ascontiguousarray(weights.T.astype(dtype)), reach)


def _rescale(p: Convolution | FullyConnected) -> Rescale:
    return Rescale(
        p.bias, p.multiplier, p.shift, p.output_zero_point, p.activation_min, p.activation_max
    )


def _in_chunks(x: Value, elements: int, work: Callable[[Value], Value]) -> Value:
    """`work` on a few inferences at a time, so that what they work on stays in the cache."""
    step = max(1, CHUNK_ELEMENTS // elements)
    parts = [work(x[start : start + step]) for start in range(0, len(x), step)]
    return np.concatenate(parts) if parts else work(x)


@dataclass(frozen=True)
class _Geometry:
    """Where windows lie; the fields that convolutions and poolings have too."""

    output_height: int
    output_width: int
    stride_height: int
    stride_width: int
    pad_top: int
    pad_left: int


def _patches(
    x: npt.NDArray[Any],
    p: _Geometry | Pooling,
    kernel: tuple[int, int],
    dilation: tuple[int, int],
    fill: int,
) -> npt.NDArray[Any]:
    """Windows of x (n, H, W, C) as (n, outputs_h, outputs_w, kernel_h, kernel_w, C).

    Positions outside the input hold `fill`.
    """
    padded = _padded(x, p, kernel, dilation, fill)
    s = padded.strides
    return np.lib.stride_tricks.as_strided(
        padded,
        (len(x), p.output_height, p.output_width, kernel[0], kernel[1], x.shape[3]),
        (
            s[0],
            s[1] * p.stride_height,
            s[2] * p.stride_width,
            s[1] * dilation[0],
            s[2] * dilation[1],
            s[3],
        ),
        writeable=False,
    )


def _padded(
    x: npt.NDArray[Any],
    p: _Geometry | Convolution | Pooling,
    kernel: tuple[int, int],
    dilation: tuple[int, int],
    fill: int,
) -> npt.NDArray[Any]:
    """x with everything around it that a window can touch."""
    n, height, width, channels = x.shape
    bottom = (p.output_height - 1) * p.stride_height + (kernel[0] - 1) * dilation[0] + 1
    right = (p.output_width - 1) * p.stride_width + (kernel[1] - 1) * dilation[1] + 1
    if (p.pad_top, p.pad_left) == (0, 0) and bottom <= height and right <= width:
        return x
    shape = (n, max(bottom, p.pad_top + height), max(right, p.pad_left + width), channels)
    padded = np.full(shape, fill, x.dtype)
    padded[:, p.pad_top : p.pad_top + height, p.pad_left : p.pad_left + width] = x
    return padded


def _window(p: Convolution) -> tuple[tuple[int, int], tuple[int, int]]:
    return (p.kernel_height, p.kernel_width), (p.dilation_height, p.dilation_width)


def _image(p: Convolution, x: Int8) -> Float:
    """The input less its zero point; padding is then 0."""
    shape = (-1, p.input_height, p.input_width, p.input_channels)
    return _centred(x, p.input_zero_point).reshape(shape)


@lru_cache(maxsize=PREPARED)
def _prepare_conv_2d(p: Conv2D) -> tuple[_Product, int, int]:
    """The product for a tile of outputs, how many those are, and their input columns."""
    tile = _tile(p)
    wide, columns = _tiled_weights(p, tile)
    return _product(wide), tile, columns


@evaluate.register
def conv_2d(p: Conv2D, x: Int8) -> Int8:
    product, tile, columns = _prepare_conv_2d(p)
    tiles = -(-p.output_width // tile)
    rescale = _rescale(p)

    def work(part: Value) -> Value:
        patches = _tile_patches(p, _image(p, part), columns, tiles, tile * p.stride_width)
        acc = product(patches.reshape(-1, len(product.columns)))
        acc = acc.reshape(len(part), p.output_height, tiles * tile, p.output_channels)
        outputs = rescale.apply(acc, product.reach)
        return outputs[:, :, : p.output_width].reshape(len(part), -1)

    return _in_chunks(x, p.output_height * tiles * max(product.columns.shape), work)


BROAD_PRODUCT = 48
"""Columns of a matrix product from which on it runs at the processor's full speed."""


def _tile(p: Conv2D) -> int:
    """How many neighbouring outputs of a row one matrix product computes at once.

    With few output channels a product is narrow and slow, and neighbouring windows overlap: taking
    several together makes it broad, and reads the overlap once. Kernels of width 1 have none.
    """
    if p.kernel_width == 1 or p.dilation_width != 1:
        return 1
    return max(1, min(BROAD_PRODUCT // p.output_channels, p.output_width))


def _tiled_weights(p: Conv2D, tile: int) -> tuple[Int8, int]:
    """Weights (tile * O, KH * columns * I) for `tile` outputs at once, and their input columns."""
    if tile == 1:
        return p.weights.reshape(p.output_channels, -1), p.kernel_width
    columns = (tile - 1) * p.stride_width + p.kernel_width
    shape = (tile, p.output_channels, p.kernel_height, columns, p.input_channels)
    wide = np.zeros(shape, np.int8)
    for place in range(tile):
        left = place * p.stride_width
        wide[place, :, :, left : left + p.kernel_width] = p.weights
    return wide.reshape(tile * p.output_channels, -1), columns


def _tile_patches(
    p: Conv2D, image: npt.NDArray[Any], columns: int, tiles: int, step: int
) -> npt.NDArray[Any]:
    """(n, outputs_h, tiles, KH, columns, I): the windows that `tile` outputs together read."""
    geometry = _Geometry(p.output_height, tiles, p.stride_height, step, p.pad_top, p.pad_left)
    return _patches(image, geometry, (p.kernel_height, columns), _window(p)[1], 0)


@lru_cache(maxsize=PREPARED)
def _prepare_depthwise(p: DepthwiseConv2D) -> tuple[npt.NDArray[Any], int]:
    """Weights (KH, KW, O) in a type that holds the sums exactly, and the bound on those."""
    reach = _reach(np.moveaxis(p.weights[0], 2, 0).reshape(p.output_channels, -1))
    return p.weights[0].astype(np.float32 if reach < EXACT_FLOAT32 else np.float64), reach


@evaluate.register
def depthwise_conv_2d(p: DepthwiseConv2D, x: Int8) -> Int8:
    weights, reach = _prepare_depthwise(p)
    rescale = _rescale(p)

    def work(part: Value) -> Value:
        image = _image(p, part).astype(weights.dtype, copy=False)
        if p.output_channels != p.input_channels:
            image = np.repeat(image, p.output_channels // p.input_channels, axis=3)
        padded = _padded(image, p, *_window(p), fill=0)
        sums = _sum_runs if (p.stride_height, p.stride_width) == (1, 1) else _sum_taps
        outputs = rescale.apply(sums(p, padded, weights), reach)
        return outputs[:, :, : p.output_width].reshape(len(part), -1)

    return _in_chunks(x, 2 * p.output_height * p.output_width * p.output_channels, work)


def _sum_runs(
    p: DepthwiseConv2D, padded: npt.NDArray[Any], weights: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Sums of windows one step apart, (n, outputs_h, padded width, O).

    A tap is then one long run of memory, shifted, which numpy is fastest at. The sums right of
    outputs_w wrap into the next row and mean nothing.
    """
    n, _, width, channels = padded.shape
    flat = padded.reshape(n, -1)
    run = ((p.output_height - 1) * width + p.output_width) * channels
    acc = np.zeros((n, p.output_height * width * channels), padded.dtype)
    product = np.empty((n, run), padded.dtype)
    for row in range(p.kernel_height):
        for column in range(p.kernel_width):
            start = (row * p.dilation_height * width + column * p.dilation_width) * channels
            tap = np.tile(weights[row, column], run // channels)
            np.multiply(flat[:, start : start + run], tap, out=product)
            acc[:, :run] += product
    return acc.reshape(n, p.output_height, width, channels)


def _sum_taps(
    p: DepthwiseConv2D, padded: npt.NDArray[Any], weights: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Sums of windows any steps apart, (n, outputs_h, outputs_w, O), tap by tap."""
    shape = (len(padded), p.output_height, p.output_width, p.output_channels)
    acc = np.zeros(shape, padded.dtype)
    product = np.empty(shape, padded.dtype)
    for row in range(p.kernel_height):
        top = row * p.dilation_height
        bottom = top + (p.output_height - 1) * p.stride_height + 1
        for column in range(p.kernel_width):
            left = column * p.dilation_width
            right = left + (p.output_width - 1) * p.stride_width + 1
            tap = padded[:, top : bottom : p.stride_height, left : right : p.stride_width]
            np.multiply(tap, weights[row, column], out=product)
            acc += product
    return acc


@lru_cache(maxsize=PREPARED)
def _prepare_fully_connected(p: FullyConnected) -> _Product:
    return _product(p.weights)


@lru_cache(maxsize=PREPARED)
def _prepare_transpose_conv(p: TransposeConv) -> tuple[_Product, int]:
    """The product of every tap and channel with an input pixel, and the reach of whole sums."""
    taps = np.moveaxis(p.weights, 0, 2).reshape(-1, p.input_channels)
    return _product(taps), _reach(p.weights.reshape(p.output_channels, -1))


@evaluate.register
def transpose_conv(p: TransposeConv, x: Int8) -> Int8:
    product, reach = _prepare_transpose_conv(p)
    rescale = _rescale(p)

    def work(part: Value) -> Value:
        taps = product(_image(p, part).reshape(-1, p.input_channels))
        acc = _scatter_taps(p, taps.reshape(len(part), p.input_height, p.input_width, -1), reach)
        return rescale.apply(acc, reach).reshape(len(part), -1)

    return _in_chunks(x, p.output_height * p.output_width * product.columns.shape[1], work)


def _scatter_taps(p: TransposeConv, taps: npt.NDArray[Any], reach: int) -> npt.NDArray[Any]:
    """(n, outputs_h, outputs_w, C): each tap (n, H, W, kernel_h * kernel_w * C) adds to a grid."""
    rows, columns = p.input_height * p.stride_height, p.input_width * p.stride_width
    bottom, right = p.pad_top + p.output_height, p.pad_left + p.output_width
    height = max(rows + p.kernel_height, bottom)
    width = max(columns + p.kernel_width, right)
    dtype = np.float32 if reach < EXACT_FLOAT32 else np.float64
    acc = np.zeros((len(taps), height, width, p.output_channels), dtype)
    each = np.split(taps, p.kernel_height * p.kernel_width, axis=3)
    for tap, values in enumerate(each):
        row, column = divmod(tap, p.kernel_width)
        grid = acc[:, row : row + rows, column : column + columns]
        grid[:, :: p.stride_height, :: p.stride_width] += values
    return acc[:, p.pad_top : bottom, p.pad_left : right]


@evaluate.register
def fully_connected(p: FullyConnected, x: Int8) -> Int8:
    product = _prepare_fully_connected(p)
    acc = product(_centred(x, p.input_zero_point).reshape(-1, p.input_depth))
    return _rescale(p).apply(acc, product.reach).reshape(len(x), -1)


def _pooling_patches(p: Pooling, x: Int8, fill: int) -> Int8:
    image = x.reshape(-1, p.input_height, p.input_width, p.channels)
    return _patches(image, p, (p.filter_height, p.filter_width), (1, 1), fill)


@evaluate.register
def max_pool_2d(p: MaxPool2D, x: Int8) -> Int8:
    highest = _pooling_patches(p, x, -128).max(axis=(3, 4))
    return _clamp(highest.astype(np.int64), p.activation_min, p.activation_max)


@evaluate.register
def average_pool_2d(p: AveragePool2D, x: Int8) -> Int8:
    """Sums over the valid positions, divided by their number, ties away from zero."""
    total = _pooling_patches(p, x, 0).sum(axis=(3, 4), dtype=np.int64)
    ones = np.ones((1, p.input_height * p.input_width * p.channels), np.int8)
    count = _pooling_patches(p, ones, 0).sum(axis=(3, 4), dtype=np.int64)
    magnitude = (np.abs(total) + count // 2) // count
    return _clamp(np.sign(total) * magnitude, p.activation_min, p.activation_max)


def _in_five(p: Reduction, x: Int8) -> Int8:
    """x (n, elements) by axes of kept and reduced elements in turn; 2 and 4 are reduced."""
    return x.reshape(len(x), p.outer, p.reduced1, p.middle, p.reduced2, p.inner)


@evaluate.register
def reduce_sum(p: Sum, x: Int8) -> Int8:
    total = _in_five(p.extents, x).sum(axis=(2, 4), dtype=np.int64)
    centred = total - p.input_zero_point * p.extents.reduced1 * p.extents.reduced2
    scaled = fixed.multiply_by_quantized_multiplier(centred, p.multiplier, p.shift)
    return _clamp(scaled + p.output_zero_point, -128, 127)


@evaluate.register
def reduce_max(p: Reduction, x: Int8) -> Int8:
    return _in_five(p, x).max(axis=(2, 4)).reshape(len(x), -1)


@evaluate.register
def arg_max(p: ArgMax, x: Int8) -> npt.NDArray[np.int32]:
    rows = x.reshape(len(x), p.outer, p.depth, p.inner)
    return rows.argmax(axis=2).astype(np.int32).reshape(len(x), -1)


SUM_BITS = 12
"""Integer bits of the sum of exponentials."""


@evaluate.register
def softmax(p: Softmax, x: Int8) -> Int8:
    rows = x.reshape(len(x), p.rows, p.depth).astype(np.int64)
    difference = rows - rows.max(axis=2, keepdims=True)
    kept = difference >= p.difference_min
    scaled = fixed.saturating_rounding_doubling_high_mul(
        fixed.wrap32(np.where(kept, difference, 0) << p.shift), p.multiplier
    )
    exponential = fixed.exp_on_negative_values(scaled, INTEGER_BITS)
    total = np.where(kept, fixed.rounding_divide_by_pot(exponential, SUM_BITS), 0).sum(
        axis=2, keepdims=True
    )
    headroom = fixed.count_leading_zeros(total)
    reciprocal = fixed.one_over_one_plus_x((total << headroom) - (1 << 31))
    probability = fixed.rounding_divide_by_pot(
        fixed.saturating_rounding_doubling_high_mul(reciprocal, exponential),
        SUM_BITS - headroom + 31 - 8,
    )
    return _clamp(np.where(kept, probability - 128, -128), -128, 127)


@evaluate.register
def copy(_: Copy, x: Int8) -> Int8:
    return x
