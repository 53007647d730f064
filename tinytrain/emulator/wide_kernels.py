"""The reference kernels of int16 activations with int8 weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator.kernels import Value, evaluate
from tinytrain.operators.convolution import Conv2DInt16, Convolution, DepthwiseConv2DInt16
from tinytrain.operators.dense import FullyConnected, FullyConnectedInt16

Float = npt.NDArray[np.float64]
"""Sums stay below 2^47, so that float64 holds them exactly."""


def _outputs(
    p: Convolution | FullyConnected, wide_bias: npt.NDArray[np.int64], acc: Float
) -> Value:
    """Sums (n, ..., C) as (n, elements) int16."""
    total = acc.astype(np.int64)
    if wide_bias.size:
        scaled = fixed.multiply_by_quantized_multiplier_int64(
            total + wide_bias, p.multiplier, p.shift
        )
    else:
        scaled = fixed.multiply_by_quantized_multiplier(total + p.bias, p.multiplier, p.shift)
    return (
        np.clip(scaled, p.activation_min, p.activation_max).astype(np.int16).reshape(len(acc), -1)
    )


def _taps(p: Convolution, x: Value) -> Iterator[tuple[int, int, Float]]:
    """Each tap of the window: its row, its column, and the inputs (n, OH, OW, I) under it."""
    image = x.reshape(-1, p.input_height, p.input_width, p.input_channels).astype(np.float64)
    bottom = (p.output_height - 1) * p.stride_height + (p.kernel_height - 1) * p.dilation_height
    right = (p.output_width - 1) * p.stride_width + (p.kernel_width - 1) * p.dilation_width
    below = max(0, bottom + 1 - p.pad_top - p.input_height)
    beside = max(0, right + 1 - p.pad_left - p.input_width)
    padded = np.pad(image, ((0, 0), (p.pad_top, below), (p.pad_left, beside), (0, 0)))
    for row in range(p.kernel_height):
        for column in range(p.kernel_width):
            top, left = row * p.dilation_height, column * p.dilation_width
            yield (
                row,
                column,
                padded[
                    :,
                    top : top + (p.output_height - 1) * p.stride_height + 1 : p.stride_height,
                    left : left + (p.output_width - 1) * p.stride_width + 1 : p.stride_width,
                ],
            )


@evaluate.register
def conv_2d_int16(q: Conv2DInt16, x: Value) -> Value:
    p = q.convolution
    acc = np.zeros((len(x), p.output_height, p.output_width, p.output_channels))
    for row, column, inputs in _taps(p, x):
        acc += inputs @ p.weights[:, row, column].T.astype(np.float64)
    return _outputs(p, q.wide_bias, acc)


@evaluate.register
def depthwise_conv_2d_int16(q: DepthwiseConv2DInt16, x: Value) -> Value:
    p = q.convolution
    multiplier = p.output_channels // p.input_channels
    acc = np.zeros((len(x), p.output_height, p.output_width, p.output_channels))
    for row, column, inputs in _taps(p, x):
        acc += np.repeat(inputs, multiplier, axis=3) * p.weights[0, row, column]
    return _outputs(p, q.wide_bias, acc)


@evaluate.register
def fully_connected_int16(q: FullyConnectedInt16, x: Value) -> Value:
    p = q.dense
    vectors = x.reshape(len(x), p.rows, p.input_depth).astype(np.float64)
    return _outputs(p, q.wide_bias, vectors @ p.weights.T.astype(np.float64))
