"""Exact integer sums to int8, fast: floating point where it cannot be wrong, integers elsewhere.

The rule is MBQM with its two roundings (DESIGN.md, "Arithmetic"). Both together are one rounding
of v = acc * multiplier * 2^(shift - 31): where the second one divides by 2^e, the first moves all
that lies less than h = 2^-(e + 1) below a tie onto the tie, and ties go away from zero. So the
result is floor(v + 1/2 + h), for negative v floor(v + 1/2 - h), but for v + 1/2 +- h that are
integers. Floating point finds that for all sums whose v is not as close to one of them as its own
errors reach; the few others are computed by the rule itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator.scratch import Scratch

Floats = npt.NDArray[Any]
"""float32 or float64."""
Int8 = npt.NDArray[np.int8]

EXACT_FLOAT32 = 1 << 24
"""Integers up to here are exact in float32, and so are their sums and products."""

WIDEST_DOUBT = 0.125
"""Of an output step: where more of the results would be close to a tie, integers win."""

PREPARED = 512
"""Operators whose constants are kept ready, so that a batch in parts prepares them once."""

BLOCK = 1 << 16
"""Sums that are rescaled at a time: they pass through the cache once, though there may be more."""

RUN = 1 << 11
"""Numbers side by side from which on numpy's loops run at full speed."""


@dataclass(frozen=True, eq=False)
class Rescale:
    """How sums (..., C) become outputs: a bias, a multiplier and a shift for each channel."""

    bias: npt.NDArray[Any]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int8]
    zero_point: int
    low: int
    high: int
    reach: int
    """A bound on the sums without their bias."""

    def exactly(self, acc: npt.NDArray[Any], channel: Any = slice(None)) -> Int8:
        """The rule itself on sums (..., C), or on sums (k,) of the channels `channel` (k,)."""
        scaled = fixed.multiply_by_quantized_multiplier(
            acc.astype(np.int64) + self.bias[channel],
            self.multiplier[channel],
            self.shift[channel],
        )
        return np.clip(scaled + self.zero_point, self.low, self.high).astype(np.int8)


class Outputs:
    """The outputs of a batch, made from sums part by part."""

    def __init__(self, rescale: Rescale, shape: tuple[int, ...], scratch: Scratch) -> None:
        """`shape` is (n, ..., C)."""
        self._rescale = rescale
        self._values: Int8 = np.empty(shape, np.int8)
        self._scratch = scratch
        self._close: list[npt.NDArray[np.int64]] = []
        self._close_sums: list[Floats] = []

    def write(self, first: int, acc: Floats) -> None:
        """Outputs of inferences `first` and on, from their sums (k, ..., C): integers, as the type
        can hold up to `reach`."""
        step = max(1, BLOCK // prod(acc.shape[1:]))
        for start in range(0, len(acc), step):
            self._write(first + start, acc[start : start + step])

    def _write(self, first: int, acc: Floats) -> None:
        target = self._values[first : first + len(acc)]
        rows = _rows(self._rescale, _run(acc.shape), acc.dtype)
        if rows.doubt > WIDEST_DOUBT:
            target[:] = self._rescale.exactly(acc)
            return
        real = rows.raised(acc.reshape(-1, len(rows.scale)), self._scratch)
        found = target.view(np.uint8).reshape(real.shape)
        np.copyto(found, real, casting="unsafe")
        real -= rows.twice_doubt
        lowest = self._scratch.take("lowest", real.shape, np.uint8)
        np.copyto(lowest, real, casting="unsafe")
        close = np.flatnonzero(lowest != found)
        found ^= 0x80
        self._close_sums.append(acc.reshape(-1)[close])
        self._close.append(close + first * target[0].size)

    def result(self) -> Int8:
        """(n, ..., C), with the close ones computed by the rule itself."""
        if self._close:
            close = np.concatenate(self._close)
            channels = close % self._values.shape[-1]
            sums = np.concatenate(self._close_sums)
            self._values.reshape(-1)[close] = self._rescale.exactly(sums, channels)
        return self._values


@dataclass(frozen=True, eq=False)
class _Rows:
    """A Rescale in floating point, for rows of numbers."""

    scale: Floats
    bias: Floats
    half: Floats | None
    """h; None where what is negative is cut off by a RELU: then it is part of the bias."""
    centre: Any
    low: Any
    high: Any
    doubt: float
    """How far, in output steps, the outputs may err where they are not cut off."""
    twice_doubt: Any

    def raised(self, acc: Floats, scratch: Scratch) -> Floats:
        """The outputs of sums (n, run) before their fraction is cut off: less than twice `doubt`
        too large, and raised by 128, so that they are positive and cutting off rounds."""
        real = scratch.take("real", acc.shape, acc.dtype)
        np.multiply(acc, self.scale, out=real)
        real += self.bias
        if self.half is not None:
            signed = scratch.take("signed", acc.shape, acc.dtype)
            real += np.copysign(self.half, real, out=signed)
            real += self.centre
        return np.clip(real, self.low, self.high, out=real)


@lru_cache(maxsize=PREPARED)
def _rows(rescale: Rescale, run: int, dtype: np.dtype[Any]) -> _Rows:
    """For rows of `run` numbers."""
    right = rescale.shift.astype(np.float64)
    scale = rescale.multiplier * 2.0 ** (right - 31)
    half = np.where(right < 0, 2.0 ** (right - 1), 0.0)
    bias = rescale.bias * scale
    largest = np.minimum(rescale.reach * scale, np.abs(bias) + 512)
    doubt = float(np.max(3 * largest + np.abs(bias)) + 1024) * float(np.finfo(dtype).eps)
    centre = rescale.zero_point + 128.5 + doubt
    positive = rescale.low >= rescale.zero_point
    if positive:
        bias = bias + half + centre

    def row(values: npt.NDArray[np.float64]) -> Floats:
        return np.tile(values.astype(dtype), run // len(scale))

    return _Rows(
        scale=row(scale),
        bias=row(bias),
        half=None if positive else row(half),
        centre=dtype.type(centre),
        low=dtype.type(rescale.low + 128.5),
        high=dtype.type(rescale.high + 128.5),
        doubt=doubt,
        twice_doubt=dtype.type(2 * doubt),
    )


def _run(shape: tuple[int, ...]) -> int:
    """How many of the last numbers of `shape` to compute with as one row."""
    for axis in range(len(shape) - 1, 0, -1):
        run = prod(shape[axis:])
        if run >= RUN:
            return run
    return prod(shape[1:])
