"""The reference kernels with weights: convolutions and dense layers of int8.

An input's zero point goes into the bias, so that inputs are multiplied as they are; around them
lies the zero point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.emulator.kernels import Int8, Value, evaluate
from tinytrain.emulator.requantize import EXACT_FLOAT32, PREPARED, Floats, Outputs, Rescale
from tinytrain.emulator.scratch import Scratch
from tinytrain.emulator.windows import Windows
from tinytrain.operators.convolution import Conv2D, Convolution, DepthwiseConv2D
from tinytrain.operators.dense import FullyConnected
from tinytrain.operators.transpose_convolution import TransposeConv

CHUNK_ELEMENTS = 1 << 19
"""Numbers that a kernel works on at a time: what a core's cache holds."""

Sums = Callable[[Value, Scratch], Floats]
"""Of the inputs (k, elements) of some inferences, the sums (k, ..., C)."""


def _in_chunks(x: Value, rescale: Rescale, shape: tuple[int, ...], work: int, sums: Sums) -> Int8:
    """Outputs (n, *shape) of inputs x, from few inferences at a time, so that what they work on,
    up to `work` numbers each, stays in the cache."""
    step = max(1, CHUNK_ELEMENTS // work)
    scratch = Scratch()
    outputs = Outputs(rescale, (len(x), *shape), scratch)
    for start in range(0, len(x), step):
        outputs.write(start, sums(x[start : start + step], scratch))
    return outputs.result()


def _as_floats(x: Value, dtype: np.dtype[Any], scratch: Scratch) -> Floats:
    floats = scratch.take("inputs", x.shape, dtype)
    np.copyto(floats, x)
    return floats


def _reach(weights: Int8) -> int:
    """A bound on the sums of weights (channels, k) with inputs, less their zero point or not."""
    return int(np.abs(weights.astype(np.int64)).sum(axis=1).max(initial=0)) * 255


def _exact_type(reach: int) -> np.dtype[Any]:
    """Floating point is exact as long as no partial sum leaves the mantissa."""
    return np.dtype(np.float32 if reach < EXACT_FLOAT32 else np.float64)


def _rescale(p: Convolution | FullyConnected, weights: Int8, zero_point: int) -> Rescale:
    """Of sums of weights (channels, k) with inputs that are too large by `zero_point`."""
    bias = p.bias - zero_point * weights.sum(axis=1, dtype=np.int64)
    clamp = p.output_zero_point, p.activation_min, p.activation_max
    return Rescale(bias, p.multiplier, p.shift, *clamp, _reach(weights))


@dataclass(frozen=True, eq=False)
class _Layer:
    """Weights ready for exact matrix products, and what happens to the sums."""

    columns: Floats
    """(k, channels)"""
    rescale: Rescale

    def sums(self, x: Floats, scratch: Scratch) -> Floats:
        """(n, channels) sums of integers x (n, k)."""
        shape = len(x), self.columns.shape[1]
        return np.matmul(x, self.columns, out=scratch.take("sums", shape, x.dtype))


def _layer(weights: Int8, rescale: Rescale) -> _Layer:
    """Of weights (columns, k)."""
    columns = np.ascontiguousarray(weights.T.astype(_exact_type(rescale.reach)))
    return _Layer(columns, rescale)


def _image(p: Convolution, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return x.reshape(-1, p.input_height, p.input_width, p.input_channels)


@dataclass(frozen=True, eq=False)
class _Tiled:
    """A convolution that computes several neighbouring outputs of a row at once."""

    layer: _Layer
    windows: Windows
    """One for each tile."""
    tile: int
    """Outputs."""


@lru_cache(maxsize=PREPARED)
def _prepare_conv_2d(p: Conv2D) -> _Tiled:
    tile = _tile(p)
    wide, columns = _tiled_weights(p, tile)
    windows = Windows(
        outputs=(p.output_height, -(-p.output_width // tile)),
        taps=(p.kernel_height, columns),
        strides=(p.stride_height, tile * p.stride_width),
        dilations=(p.dilation_height, p.dilation_width),
        before=(p.pad_top, p.pad_left),
    )
    rescale = _rescale(p, p.weights.reshape(p.output_channels, -1), p.input_zero_point)
    return _Tiled(_layer(wide, rescale), windows, tile)


@evaluate.register
def conv_2d(p: Conv2D, x: Int8) -> Int8:
    tiled = _prepare_conv_2d(p)
    shape = _tiled_shape(p)
    work = prod(tiled.windows.outputs) * max(tiled.layer.columns.shape)
    outputs = _in_chunks(x, tiled.layer.rescale, shape, work, partial(_conv_2d_sums, p))
    return outputs[:, :, : p.output_width].reshape(len(x), -1)


def _tiled_shape(p: Conv2D) -> tuple[int, int, int]:
    tiled = _prepare_conv_2d(p)
    return p.output_height, tiled.windows.outputs[1] * tiled.tile, p.output_channels


def _conv_2d_sums(p: Conv2D, part: Value, scratch: Scratch) -> Floats:
    tiled = _prepare_conv_2d(p)
    columns, windows = tiled.layer.columns, tiled.windows
    padded = windows.padded(_image(p, part), p.input_zero_point, columns.dtype, scratch)
    patches = _in_rows(windows.patches(padded), len(columns), scratch)
    return tiled.layer.sums(patches, scratch).reshape(len(part), *_tiled_shape(p))


def _in_rows(patches: Floats, depth: int, scratch: Scratch) -> Floats:
    """(patches, depth); a copy only where they do not lie side by side."""
    if not patches.flags.c_contiguous:
        rows = scratch.take("patches", patches.shape, patches.dtype)
        np.copyto(rows, patches)
        patches = rows
    return patches.reshape(-1, depth)


BROAD_PRODUCT = 64
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


@dataclass(frozen=True, eq=False)
class _Taps:
    """The taps of a depthwise window whose columns lie equally far apart in one phase.

    The columns of the input are sorted by phase, the remainder of their division by the stride:
    neighbouring outputs then read neighbouring inputs, whatever the stride.
    """

    phase: int
    start: int
    """Columns of the phase in front of the first tap."""
    step: int
    """Columns of the phase from tap to tap."""
    weights: Floats
    """(KH, taps, outputs_w * O)"""


@dataclass(frozen=True, eq=False)
class _Depthwise:
    windows: Windows
    taps: tuple[_Taps, ...]
    rescale: Rescale

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.taps[0].weights.dtype


@lru_cache(maxsize=PREPARED)
def _prepare_depthwise(p: DepthwiseConv2D) -> _Depthwise:
    channels = np.moveaxis(p.weights[0], 2, 0).reshape(p.output_channels, -1)
    rescale = _rescale(p, channels, p.input_zero_point)
    wide = np.tile(p.weights[0].astype(_exact_type(rescale.reach)), p.output_width)
    columns = np.arange(p.kernel_width) * p.dilation_width
    taps = []
    for phase in np.unique(columns % p.stride_width):
        (members,) = np.nonzero(columns % p.stride_width == phase)
        start, *further = (int(place) for place in columns[members] // p.stride_width)
        step = further[0] - start if further else 0
        taps.append(_Taps(int(phase), start, step, np.ascontiguousarray(wide[:, members])))
    windows = Windows(
        outputs=(p.output_height, p.output_width),
        taps=(p.kernel_height, p.kernel_width),
        strides=(p.stride_height, p.stride_width),
        dilations=(p.dilation_height, p.dilation_width),
        before=(p.pad_top, p.pad_left),
    )
    return _Depthwise(windows, tuple(taps), rescale)


@evaluate.register
def depthwise_conv_2d(p: DepthwiseConv2D, x: Int8) -> Int8:
    rescale = _prepare_depthwise(p).rescale
    shape = p.output_height, p.output_width, p.output_channels
    outputs = _in_chunks(x, rescale, shape, 2 * prod(shape), partial(_depthwise_sums, p))
    return outputs.reshape(len(x), -1)


def _depthwise_sums(p: DepthwiseConv2D, part: Value, scratch: Scratch) -> Floats:
    layer = _prepare_depthwise(p)
    image = _image(p, part)
    if p.output_channels != p.input_channels:
        image = np.repeat(image, p.output_channels // p.input_channels, axis=3)
    padded = layer.windows.padded(image, p.input_zero_point, layer.dtype, scratch, p.stride_width)
    wide = len(part), p.output_height, p.output_width * p.output_channels
    acc = _tap_sums(p, padded, layer.taps[0], scratch.take("sums", wide, layer.dtype))
    for taps in layer.taps[1:]:
        acc += _tap_sums(p, padded, taps, scratch.take("more sums", wide, layer.dtype))
    return acc.reshape(len(part), p.output_height, p.output_width, p.output_channels)


def _tap_sums(p: Convolution, padded: Floats, taps: _Taps, out: Floats) -> Floats:
    """(n, outputs_h, outputs_w * O) sums over the taps of one phase."""
    start = padded[:, :, taps.phase, taps.start :]
    image, row, column, item = start.strides
    windows = np.lib.stride_tricks.as_strided(
        start,
        (len(padded), p.output_height, *taps.weights.shape),
        (image, p.stride_height * row, p.dilation_height * row, taps.step * column, item),
        writeable=False,
    )
    return np.einsum("nhrci,rci->nhi", windows, taps.weights, out=out)


def accumulators(p: Convolution, x: Int8) -> npt.NDArray[np.int64]:
    """The sums (n, pixels, O), bias included, that a Conv2D or DepthwiseConv2D rescales."""
    if isinstance(p, Conv2D):
        sums, rescale = _conv_2d_sums(p, x, Scratch()), _prepare_conv_2d(p).layer.rescale
    else:
        assert isinstance(p, DepthwiseConv2D)
        sums, rescale = _depthwise_sums(p, x, Scratch()), _prepare_depthwise(p).rescale
    found = sums[:, :, : p.output_width].astype(np.int64) + rescale.bias
    return found.reshape(len(x), -1, p.output_channels)


@lru_cache(maxsize=PREPARED)
def _prepare_transpose_conv(p: TransposeConv) -> _Layer:
    """The products of every tap and channel with an input pixel, less its zero point: an output at
    the border has fewer taps than others."""
    rescale = _rescale(p, p.weights.reshape(p.output_channels, -1), 0)
    return _layer(np.moveaxis(p.weights, 0, 2).reshape(-1, p.input_channels), rescale)


@evaluate.register
def transpose_conv(p: TransposeConv, x: Int8) -> Int8:
    layer = _prepare_transpose_conv(p)
    shape = p.output_height, p.output_width, p.output_channels

    def sums(part: Value, scratch: Scratch) -> Floats:
        centred = _as_floats(part, layer.columns.dtype, scratch)
        centred -= centred.dtype.type(p.input_zero_point)
        taps = layer.sums(centred.reshape(-1, p.input_channels), scratch)
        return _scatter(p, taps.reshape(len(part), p.input_height, p.input_width, -1))

    work = p.output_height * p.output_width * layer.columns.shape[1]
    return _in_chunks(x, layer.rescale, shape, work, sums).reshape(len(x), -1)


def _scatter(p: TransposeConv, taps: Floats) -> Floats:
    """(n, outputs_h, outputs_w, C): each tap (n, H, W, kernel_h * kernel_w * C) adds to a grid."""
    rows, columns = p.input_height * p.stride_height, p.input_width * p.stride_width
    bottom, right = p.pad_top + p.output_height, p.pad_left + p.output_width
    height = max(rows + p.kernel_height, bottom)
    width = max(columns + p.kernel_width, right)
    acc = np.zeros((len(taps), height, width, p.output_channels), taps.dtype)
    each = np.split(taps, p.kernel_height * p.kernel_width, axis=3)
    for tap, values in enumerate(each):
        row, column = divmod(tap, p.kernel_width)
        grid = acc[:, row : row + rows, column : column + columns]
        grid[:, :: p.stride_height, :: p.stride_width] += values
    return acc[:, p.pad_top : bottom, p.pad_left : right]
    return np.ascontiguousarray(acc[:, p.pad_top : bottom, p.pad_left : right])


@lru_cache(maxsize=PREPARED)
def _prepare_fully_connected(p: FullyConnected) -> _Layer:
    return _layer(p.weights, _rescale(p, p.weights, p.input_zero_point))


@evaluate.register
def fully_connected(p: FullyConnected, x: Int8) -> Int8:
    layer = _prepare_fully_connected(p)
    shape = p.rows, p.output_depth

    def sums(part: Value, scratch: Scratch) -> Floats:
        vectors = _as_floats(part, layer.columns.dtype, scratch).reshape(-1, p.input_depth)
        return layer.sums(vectors, scratch).reshape(len(part), *shape)

    work = p.rows * max(layer.columns.shape)
    return _in_chunks(x, layer.rescale, shape, work, sums).reshape(len(x), -1)
