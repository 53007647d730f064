"""Exact integer sums to int8, fast: float32 where it cannot be wrong, integers where it could.

The rule is MBQM with its two roundings (DESIGN.md, "Arithmetic"). Its result differs from the real
product acc * multiplier * 2^(shift - 31), rounded, only where that product lies close to a tie:
within half a unit of the first rounding, which is 2^-(right shift + 1) of an output step. float32
finds the result for all others; the few close ones are computed by the rule itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed

Float = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]

EXACT_FLOAT32 = 1 << 24
"""Integers up to here are exact in float32, and so are their sums and products."""

WIDEST_DOUBT = 0.25
"""Of an output step: where more than half of all results would be close to a tie, integers win."""


@dataclass(frozen=True, eq=False)
class Rescale:
    """How sums (..., C) become outputs: a bias, a multiplier and a shift for each channel."""

    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int8]
    zero_point: int
    low: int
    high: int

    def exactly(self, acc: npt.NDArray[Any], channel: Any = slice(None)) -> Int8:
        """The rule itself on sums (..., C), or on sums (k,) of the channels `channel` (k,)."""
        scaled = fixed.multiply_by_quantized_multiplier(
            acc.astype(np.int64) + self.bias[channel],
            self.multiplier[channel],
            self.shift[channel],
        )
        return np.clip(scaled + self.zero_point, self.low, self.high).astype(np.int8)

    def doubt(self, reach: int) -> float:
        """How close to a tie, in output steps, float32 may be wrong for sums up to `reach`."""
        scale = self._scale()
        rounding = 0.5 * 2.0 ** float(np.max(np.minimum(self.shift, 0)))
        largest = float(np.max((reach + np.abs(self.bias.astype(np.float64))) * scale))
        return rounding + (2.0 * largest + abs(self.zero_point) + 256) * 2.0**-22

    def apply(self, acc: Float, reach: int) -> Int8:
        """Outputs of float32 sums (..., C) that hold exact integers up to `reach`.

        Uses `acc` as its scratch.
        """
        doubt = self.doubt(reach)
        if reach >= EXACT_FLOAT32 or doubt > WIDEST_DOUBT:
            return self.exactly(acc)
        scale = self._scale()
        real = acc * scale.astype(np.float32)
        real += (self.bias * scale + self.zero_point).astype(np.float32)
        np.clip(real, self.low, self.high, out=real)
        rounded = np.rint(real)
        real -= rounded
        np.abs(real, out=real)
        result = rounded.astype(np.int8)
        close = np.flatnonzero(real > 0.5 - doubt)
        if close.size:
            channels = close % acc.shape[-1]
            result.reshape(-1)[close] = self.exactly(acc.reshape(-1)[close], channels)
        return result

    def _scale(self) -> npt.NDArray[np.float64]:
        return self.multiplier * 2.0 ** (self.shift.astype(np.float64) - 31)
