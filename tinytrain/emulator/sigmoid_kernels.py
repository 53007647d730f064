"""The reference kernels of LOGISTIC and TANH on int16."""

from __future__ import annotations

import numpy as np

from tinytrain.emulator.kernels import Int, Value, evaluate
from tinytrain.operators.sigmoid import SIGMOID_TABLE, LogisticInt16, Sigmoid, TanhInt16

TABLE = np.array(SIGMOID_TABLE, np.int64)


def _argument(p: Sigmoid, x: Value) -> Int:
    """Inputs in steps of 1 / (3 * 4096), ties up."""
    half = (1 << p.shift) >> 1
    return (x.astype(np.int64) * p.multiplier + half) >> p.shift


def _interpolated(magnitude: Int, bits: int) -> Int:
    """sigmoid in Q0.(16 + bits) of a magnitude of which `bits` lie between two table entries."""
    index = np.minimum(magnitude >> bits, len(TABLE) - 2)
    below, above = TABLE[index], TABLE[index + 1]
    return (below << bits) + (magnitude & ((1 << bits) - 1)) * (above - below)


LAST = len(TABLE) - 1


@evaluate.register
def logistic_int16(p: LogisticInt16, x: Value) -> Value:
    argument = _argument(p, x)
    magnitude = np.abs(argument)
    value = np.where(magnitude >> 9 >= LAST, 0x7FFF << 10, _interpolated(magnitude, 9))
    signed = np.where(argument >= 0, value, (1 << 25) - 1 - value)
    return ((signed + (1 << 9)) >> 10).astype(np.int16)


@evaluate.register
def tanh_int16(p: TanhInt16, x: Value) -> Value:
    argument = _argument(p, x)
    magnitude = np.abs(argument)
    value = np.where(magnitude >> 8 >= LAST, 0xFFFF << 8, _interpolated(magnitude, 8))
    centred = value - (1 << 23)
    signed = np.where(argument >= 0, centred, -centred - 1)
    return ((signed + (1 << 7)) >> 8).astype(np.int16)
