"""The reference kernels of QUANTIZE and DEQUANTIZE."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator.kernels import Int, Value, evaluate
from tinytrain.operators.quantize import (
    DequantizeInt8,
    DequantizeInt16,
    Edge,
    QuantizeInt8,
    QuantizeInt16,
    RescaleInt8ToInt16,
    RescaleInt16,
    RescaleInt16ToInt8,
    Rescaling,
)


def saturated(x: Int, dtype: type[np.int8] | type[np.int16]) -> Value:
    return np.clip(x, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


def _rescaled(p: Rescaling, x: Value) -> Int:
    centred = x.astype(np.int64) - p.input_zero_point
    scaled = fixed.multiply_by_quantized_multiplier(centred, p.multiplier, p.shift)
    return scaled + p.output_zero_point


@evaluate.register
def rescale_int8_to_int16(p: RescaleInt8ToInt16, x: Value) -> Value:
    return saturated(_rescaled(p, x), np.int16)


@evaluate.register
def rescale_int16_to_int8(p: RescaleInt16ToInt8, x: Value) -> Value:
    return saturated(_rescaled(p, x), np.int8)


@evaluate.register
def rescale_int16(p: RescaleInt16, x: Value) -> Value:
    return saturated(_rescaled(p, x), np.int16)


FURTHEST = 65536.0
"""Beyond this many steps everything saturates, whatever the zero point."""


def _quantized(p: Edge, x: Value) -> Int:
    """Rounded half away from zero; not a number counts as the lowest."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps: npt.NDArray[np.float32] = x / np.float32(p.scale)
    bounded = np.where(steps > -FURTHEST, np.minimum(steps, FURTHEST), -FURTHEST)
    magnitude = np.floor(np.abs(bounded).astype(np.float64) + 0.5)
    return np.copysign(magnitude, bounded).astype(np.int64) + p.zero_point


@evaluate.register
def quantize_int8(p: QuantizeInt8, x: Value) -> Value:
    return saturated(_quantized(p, x), np.int8)


@evaluate.register
def quantize_int16(p: QuantizeInt16, x: Value) -> Value:
    return saturated(_quantized(p, x), np.int16)


def _real(p: Edge, x: Value) -> Value:
    return np.float32(p.scale) * (x.astype(np.int32) - p.zero_point).astype(np.float32)


@evaluate.register
def dequantize_int8(p: DequantizeInt8, x: Value) -> Value:
    return _real(p, x)


@evaluate.register
def dequantize_int16(p: DequantizeInt16, x: Value) -> Value:
    return _real(p, x)
