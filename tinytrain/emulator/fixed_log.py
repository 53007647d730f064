"""Logarithm and power of 2 in integers: the twin of firmware/src/frontend/fixed_log.c. Rules:
firmware/FRONTEND.md, section 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.arithmetic import Int
from tinytrain.frontend.fixed_log import EXP2_TABLE, LOG2_TABLE

_LOG2 = np.array(LOG2_TABLE, np.int64)
_EXP2 = np.array(EXP2_TABLE, np.int64)


def log2_q16(v: npt.NDArray[np.uint64]) -> Int:
    """log2(v) in Q16 for v from 1 to 2^64 - 1."""
    high, low = v >> np.uint64(32), v & np.uint64(0xFFFFFFFF)
    # A word is exact in float64; 64 bits could round up to the next power of two.
    word = np.where(high, high, low).astype(np.float64)
    exponent = np.frexp(word)[1].astype(np.int64) - 1 + 32 * (high > 0)
    m = ((v << (63 - exponent).astype(np.uint64)) >> np.uint64(32)).astype(np.int64)
    i, r = (m >> 24) & 127, (m >> 8) & 65535
    return 65536 * exponent + _LOG2[i] + (((_LOG2[i + 1] - _LOG2[i]) * r + 2**15) >> 16)


def exp2_q16(y: npt.NDArray[np.integer[Any]]) -> Int:
    """2^y for y of int32 in Q16: 0 below y = 0, 2^31 from y = 31 on, else rounded down."""
    inside = np.clip(np.asarray(y, np.int64), 0, (31 << 16) - 1)
    n, i, r = inside >> 16, (inside >> 10) & 63, inside & 1023
    v = _EXP2[i] + (((_EXP2[i + 1] - _EXP2[i]) * r + 512) >> 10)
    return np.where(y < 0, 0, np.where(y >= 31 << 16, 2**31, (v << n) >> 15))
