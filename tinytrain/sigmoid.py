"""int16 sigmoid and tanh by one table; the twin of firmware/include/tinytrain/sigmoid.h.

Source: TensorFlow Lite's reference/integer_ops/logistic.h and tanh.h, the int16 versions. The input
is first scaled to units of 1/(3 * 4096), so that 512 of them (256 for tanh, as
tanh(x) = 2 sigmoid(2x) - 1) are a step of the table; between its steps the table is interpolated.
"""

from __future__ import annotations

from math import exp

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.int64]

STEPS_PER_UNIT = 24

ONE_ABOVE = frozenset(
    int(i)
    for i in (
        "4 8 12 14 15 16 17 19 20 21 22 25 27 28 29 30 31 33 34 35 37 39 40 41 43 44 45 46 49 50 "
        "54 62 63 64 66 82 86 93 100 103 112 116 135 255"
    ).split()
)
"""Where the reference's table is one above the rounded value. The chord of a concave function lies
below it, which may be why; it is the table that counts."""

SIGMOID_TABLE = tuple(
    round(65536 / (1 + exp(-i / STEPS_PER_UNIT))) + (i in ONE_ABOVE) for i in range(256)
)
"""sigmoid(i / 24) in Q0.16, for the half of the function that the other mirrors: TensorFlow Lite's
sigmoid_table_uint16 (kernels/internal/common.cc)."""

UNIT_MULTIPLIER = 3
"""`multiplier` of an input in Q3.12, with shift 0."""


def sigmoid_q15(x: Int, multiplier: int = UNIT_MULTIPLIER, shift: int = 0) -> Int:
    """Q0.15 of x, int16, which `multiplier` * 2^-shift scales to units of 1/(3 * 4096).

    The scaled input stays within 32 bits; shift 0 to 30.
    """
    scaled = _scaled(x, multiplier, shift)
    position = np.abs(scaled)
    result = np.where(position >> 9 >= 255, 0x7FFF << 10, _interpolated(position, 9))
    half = 1 << 9
    return np.where(scaled >= 0, result + half, (1 << 25) - result + half - 1) >> 10


def tanh_q15(x: Int, multiplier: int = UNIT_MULTIPLIER, shift: int = 0) -> Int:
    """Q0.15 of x, int16, scaled as for `sigmoid_q15`."""
    scaled = _scaled(x, multiplier, shift)
    position = np.abs(scaled)
    result = np.where(position >> 8 >= 255, 0xFFFF << 8, _interpolated(position, 8))
    middle, half = 1 << 23, 1 << 7
    return np.where(scaled >= 0, result - middle + half, middle - result + half - 1) >> 8


def _scaled(x: Int, multiplier: int, shift: int) -> Int:
    rounding = 1 << (shift - 1) if shift > 0 else 0
    return (np.asarray(x, np.int64) * multiplier + rounding) >> shift


def _interpolated(position: Int, bits: int) -> Int:
    """The table at position / 2^bits, times 2^bits; anything beyond its end."""
    table = np.array(SIGMOID_TABLE, np.int64)
    step = np.minimum(position >> bits, 254)
    fraction = position & ((1 << bits) - 1)
    return (table[step] << bits) + fraction * (table[step + 1] - table[step])
