"""The tables of the front ends' logarithm and power of 2, which both languages interpolate."""

from __future__ import annotations

from math import log2

LOG2_TABLE: tuple[int, ...] = tuple(round(65536 * log2(1 + i / 128)) for i in range(129))
"""log2(1 + i/128) in Q16, i up to 128."""
EXP2_TABLE: tuple[int, ...] = tuple(round(2**15 * 2 ** (i / 64)) for i in range(65))
"""2^(i/64) in Q15, i up to 64."""
