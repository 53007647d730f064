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

    def apply(self, acc: Float, reach: int) -> Int8:
        """Outputs of float32 sums (..., C) that hold exact integers up to `reach`."""
        doubt = self._doubt(reach)
        if reach >= EXACT_FLOAT32 or doubt > WIDEST_DOUBT:
            return self.exactly(acc)
        scale = self._scale()
        # Raised by 128.5, so that cutting off the fraction rounds, and all numbers are positive.
        raised = self.bias * scale + (self.zero_point + 128.5)
        real = acc * scale.astype(np.float32)
        real += raised.astype(np.float32)
        np.clip(real, self.low + 128.5, self.high + 128.5, out=real)
        real += np.float32(doubt)
        result = real.astype(np.uint8)
        real -= np.float32(2 * doubt)
        close = np.flatnonzero(real.astype(np.uint8) != result)
        result ^= 0x80
        signed = result.view(np.int8)
        if close.size:
            channels = close % acc.shape[-1]
            signed.reshape(-1)[close] = self.exactly(acc.reshape(-1)[close], channels)
        return signed

    def _doubt(self, reach: int) -> float:
        """How close to a tie, in output steps, float32 may be wrong for sums up to `reach`."""
        scale = self._scale()
        rounding = 0.5 * 2.0 ** float(np.max(np.minimum(self.shift, 0)))
        largest = float(np.max((reach + np.abs(self.bias.astype(np.float64))) * scale))
        return rounding + (2.0 * largest + abs(self.zero_point) + 512) * 2.0**-22

    def _scale(self) -> npt.NDArray[np.float64]:
        return self.multiplier * 2.0 ** (self.shift.astype(np.float64) - 31)
