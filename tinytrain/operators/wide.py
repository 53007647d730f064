"""Sums of int16 activations with int8 weights: which arithmetic they take, and their bounds.

TensorFlow Lite Micro has two. With an int32 bias, sums have 32 bits and are rescaled like those of
int8; with an int64 bias, or none, they have 64 bits and are rescaled by multipliers of 16 bits.
Activations are symmetric: zero points are 0. Sources: micro/kernels/conv.cc, depthwise_conv.cc and
fully_connected.cc.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.graph import Quantization
from tinytrain.operators.kernel import Reading

LARGEST = {"int8": 255, "int16": 1 << 15}
"""Magnitude of an activation less its zero point."""

WIDE_BITS = 47
"""Magnitude that 64-bit sums may have before they are rescaled."""

WIDE_MAX_SHIFT = 7


@dataclass(frozen=True, eq=False)
class Bias:
    """The bias of sums of 32 bits, or of 64; the other one is empty."""

    narrow: npt.NDArray[np.int32]
    wide: npt.NDArray[np.int64]


def checked_bias(
    reading: Reading,
    dtype: str,
    weights: npt.NDArray[np.int8],
    rescale: tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]],
) -> Bias:
    """The bias of sums of `dtype` activations with `weights` [channels, ...], then rescaled.

    Refuses sums that could leave their bits for some input.
    """
    channels = len(weights)
    multiplier, shift = rescale
    bias = _int16_bias(reading, channels) if dtype == "int16" else reading.bias(2, channels)
    if bias.dtype == np.int64:
        wide = bias.astype(np.int64)
        _check_wide(reading, weights, wide, multiplier, shift)
        return Bias(np.zeros(0, np.int32), wide)
    narrow = bias.astype(np.int32)
    reading.check_accumulator(weights, narrow, shift, LARGEST[dtype])
    return Bias(narrow, np.zeros(0, np.int64))


def _int16_bias(reading: Reading, channels: int) -> npt.NDArray[np.int32] | npt.NDArray[np.int64]:
    inputs = reading.operator.inputs
    if len(inputs) < 3 or inputs[2] == -1:
        return np.zeros(channels, np.int64)
    if reading.graph.tensors[inputs[2]].dtype == "int32":
        return reading.bias(2, channels)
    index, data = reading.constant(2, "int64")
    if data.shape != (channels,):
        raise reading.fail(f"bias {reading.name(index)} has shape {data.shape}, not ({channels},)")
    return data.astype(np.int64)


def _check_wide(
    reading: Reading,
    weights: npt.NDArray[np.int8],
    bias: npt.NDArray[np.int64],
    multiplier: npt.NDArray[np.int32],
    shift: npt.NDArray[np.int8],
) -> None:
    magnitude = np.abs(weights.astype(np.int16)).reshape(len(weights), -1)
    # In floating point, where a forged bias cannot overflow.
    reach = magnitude.sum(axis=1, dtype=np.int64) * LARGEST["int16"] + np.abs(
        bias.astype(np.float64)
    )
    scaled = reach * multiplier * 2.0 ** (shift.astype(np.float64) - 31)
    if int(shift.max()) > WIDE_MAX_SHIFT:
        raise reading.fail(f"the ratio of its scales is 2^{WIDE_MAX_SHIFT} or more")
    if float(reach.max()) >= 2.0**WIDE_BITS or float(scaled.max()) >= 2.0**31 - 2.0**16:
        raise reading.fail(
            f"its sums can reach {reach.max():.3g}, rescaled {scaled.max():.3g}; below "
            f"2^{WIDE_BITS} and 2^31 are supported"
        )


def require_symmetric(reading: Reading, quantizations: tuple[Quantization, ...]) -> None:
    """int16 activations have zero points of 0."""
    for quantization in quantizations:
        if quantization.zero_point[0] != 0:
            raise reading.fail(
                f"int16 activations with a zero point of {quantization.zero_point[0]}; "
                "0 is supported"
            )
