"""Parameters of the kernels in fast_kernels.h, from those of the kernels that they stand in for.

What is known at conversion is folded: the input's zero point into the sums' start, both roundings
of MBQM and the output's zero point into one addition (`tt_channel` in fast_kernels.h).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.operators.convolution import Conv2D, Convolution, DepthwiseConv2D
from tinytrain.operators.dense import FullyConnected
from tinytrain.operators.kernel import Parameters

CHANNEL = np.dtype([(name, "<i4") for name in ("start", "multiplier", "rounding", "shift")])
"""tt_channel."""

MAX_FAST_SHIFT = 22
"""To the right: so that the rounding, of zero points in int8, stays within 2^30."""
MAX_FAST_REACH = 1 << 30
"""Sums stay below it: they are doubled."""

MAX_SCRATCH = 12 * 1024
"""Bytes of stack that a call may work in."""

Channels = npt.NDArray[np.void]
"""(O,) of CHANNEL."""


@dataclass(frozen=True, eq=False)
class FastConvolution(Parameters):
    structure: ClassVar[str] = "tt_fast_convolution"
    input_height: int
    input_width: int
    input_channels: int
    output_height: int
    output_width: int
    output_channels: int
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    pad_top: int
    pad_left: int
    input_zero_point: int
    activation_min: int
    activation_max: int
    weights: npt.NDArray[np.int8]
    channels: Channels


class FastConv2D(FastConvolution):
    function: ClassVar[str] = "tt_fast_conv_2d"


class FastDepthwiseConv2D(FastConvolution):
    function: ClassVar[str] = "tt_fast_depthwise_conv_2d"


@dataclass(frozen=True, eq=False)
class FastDense(Parameters):
    structure: ClassVar[str] = "tt_fast_dense"
    rows: int
    input_depth: int
    output_depth: int
    activation_min: int
    activation_max: int
    weights: npt.NDArray[np.int8]
    channels: Channels


class FastFullyConnected(FastDense):
    function: ClassVar[str] = "tt_fast_fully_connected"


Fast = FastConvolution | FastDense


def fast_parameters(parameters: Parameters) -> Fast | None:
    """Of the same layer; None where the conditions of fast_kernels.h do not hold, or where it takes
    too much scratch."""
    found = _parameters(parameters)
    return None if found is None or most_scratch(found) > MAX_SCRATCH else found


def most_scratch(fast: Fast) -> int:
    """Bytes of scratch that no instruction set exceeds, by the macros of the *_scratch.h."""
    if isinstance(fast, FastDense):
        return 2 * fast.input_depth
    taps, channels = fast.kernel_height * fast.kernel_width, fast.output_channels
    if isinstance(fast, FastDepthwiseConv2D):
        windows = max(2 * (taps * channels + 3), (max(taps, 9) + 1) * (channels + 15) + 256)
        return windows + 4 * (taps + channels + 2)
    return 9 * (taps * fast.input_channels + 15) + 1024 + 3 * channels


def _parameters(parameters: Parameters) -> Fast | None:
    if isinstance(parameters, Conv2D):
        return _convolution(parameters, FastConv2D, 0)
    if isinstance(parameters, DepthwiseConv2D):
        if parameters.input_channels != parameters.output_channels:
            return None
        return _convolution(parameters, FastDepthwiseConv2D, 3)
    return _dense(parameters) if isinstance(parameters, FullyConnected) else None


def _convolution(
    p: Convolution, kind: type[FastConvolution], channel_axis: int
) -> FastConvolution | None:
    channels = _channels(p, np.moveaxis(p.weights, channel_axis, 0))
    if channels is None or (p.dilation_height, p.dilation_width) != (1, 1):
        return None
    return kind(
        input_height=p.input_height,
        input_width=p.input_width,
        input_channels=p.input_channels,
        output_height=p.output_height,
        output_width=p.output_width,
        output_channels=p.output_channels,
        kernel_height=p.kernel_height,
        kernel_width=p.kernel_width,
        stride_height=p.stride_height,
        stride_width=p.stride_width,
        pad_top=p.pad_top,
        pad_left=p.pad_left,
        input_zero_point=p.input_zero_point,
        activation_min=p.activation_min,
        activation_max=p.activation_max,
        weights=p.weights,
        channels=channels,
    )


def _dense(p: FullyConnected) -> FastFullyConnected | None:
    channels = _channels(p, p.weights)
    if channels is None:
        return None
    return FastFullyConnected(
        rows=p.rows,
        input_depth=p.input_depth,
        output_depth=p.output_depth,
        activation_min=p.activation_min,
        activation_max=p.activation_max,
        weights=p.weights,
        channels=channels,
    )


def _channels(p: Convolution | FullyConnected, weights: npt.NDArray[np.int8]) -> Channels | None:
    """Of weights (O, ...); None where a sum or a factor is too large."""
    rows = weights.reshape(len(weights), -1).astype(np.int64)
    start = p.bias - p.input_zero_point * rows.sum(axis=1)
    reach = _reaches(start, rows)
    shift = -p.shift.astype(np.int64)
    multiplier = p.multiplier.astype(np.int64)
    # As if the sum were at its largest: such a channel never leaves the zero point.
    still = (multiplier == 0) | _always_zero(reach, multiplier, shift)
    shift, multiplier = np.where(still, 1, shift), np.where(still, 0, multiplier)
    if reach.max() >= MAX_FAST_REACH or shift.min() < 1 or shift.max() > MAX_FAST_SHIFT:
        return None
    found = np.zeros(len(rows), CHANNEL)
    found["start"], found["multiplier"], found["shift"] = start, multiplier, shift
    found["rounding"] = (2 * p.output_zero_point + 1) << (shift - 1)
    return found


def _reaches(start: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The largest magnitude that each channel's sum can have on its way, for any input."""
    return np.asarray(np.abs(start) + 128 * np.abs(rows).sum(axis=1))


def reach_of(start: npt.NDArray[np.int32], weights: npt.NDArray[np.int64]) -> int:
    """The largest magnitude of any sum of weights (O, ...), from `start` (O,) on."""
    return int(_reaches(start.astype(np.int64), weights.reshape(len(weights), -1)).max())


def _always_zero(
    reach: npt.NDArray[np.int64], multiplier: npt.NDArray[np.int64], shift: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether MBQM of every number up to `reach` is 0."""
    scaled = ((np.minimum(reach, MAX_FAST_REACH) * multiplier) >> 31) + 1
    return (shift > MAX_FAST_SHIFT) & (scaled < (1 << np.maximum(shift - 1, 0)))
