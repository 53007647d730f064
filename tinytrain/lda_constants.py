"""What the analytic head is made of: the twin of the C struct, and the limits of its numbers.

Letters: R rows of memory for classes, C0 classes of the factory head, D features. The rules stand
in firmware/LEARNING.md (sections 4 and 5); emulator/lda.py and emulator/solve.py carry them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.head import HeadUnits
from tinytrain.operators.kernel import Parameters

MAX_FEATURES = 256
"""Sums of products of the solve stay within 64 bits up to here."""
MAX_PRIOR = 1 << 14
"""n0 in 1/16 samples: the numerator of a mean stays within 32 bits up to here."""
MIN_WHITENING_SHIFT = 9
"""rs: below, the scatter times the whitening could leave 64 bits."""
MIN_RIDGE = 1 << 19
"""lambda in Q24: keeps every pivot of the factor above its floor."""

MEAN_BITS = 7
WHITENED_BITS = 10
WHITENING_BITS = WHITENED_BITS - MEAN_BITS
"""r = 2^(3 + rs) / sd."""
CORRELATION_BITS = 14
FACTOR_BITS = 24
RECIPROCAL_BITS = 26
"""Of 1 / l, on the factor's diagonal."""
SOLUTION_BITS = 16

MATRIX_LIMIT = 1 << 30
FACTOR_LIMIT = 1 << 27
"""sqrt(MATRIX_LIMIT) in Q24: no factor of a matrix within its limit has a larger element."""
SOLUTION_LIMIT = 1 << 27
PIVOT_FLOOR = 1 << 42
"""Q48."""

COUNT_LIMIT = 2047
"""A class with so many samples is halved before the next one."""
SCATTER_LIMIT = 4096
"""So is the scatter."""


@dataclass(frozen=True, eq=False)
class LdaConstants(Parameters):
    """The twin of the C struct tt_lda_constants, which says what the numbers are."""

    structure: ClassVar[str] = "tt_lda_constants"
    short: ClassVar[frozenset[str]] = frozenset(
        {"classes", "capacity", "features", "prior", "blend"}
    )
    classes: int
    capacity: int
    features: int
    prior: int
    blend: int
    whitening_shift: int
    inverse_shift: int
    weight_shift: int
    ridge: int
    units: HeadUnits
    means: npt.NDArray[np.int16]
    """(C0, D)"""
    origin: npt.NDArray[np.int16]
    """(D,)"""
    whitening: npt.NDArray[np.int16]
    """(D,)"""
    inverse: npt.NDArray[np.int16]
    """(D, D); empty where blended."""
    correlation: npt.NDArray[np.int16]
    """(D (D + 1) / 2,), lower triangle by rows; empty where frozen."""
    weights: npt.NDArray[np.int16]
    """(C0, D)"""
    bias: npt.NDArray[np.int32]
    """(C0,)"""

    @property
    def blended(self) -> bool:
        return self.blend > 0
