"""The solve of the blended covariance in numpy, for any number of devices at once: the reference
of firmware/src/learn/solve.c, and firmware/LEARNING.md (section 5) in its words.

Letters: n devices, D features, k right-hand sides. Integers are exact, so that neither the order
of a sum nor the slices of the work show in the result.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.lda_constants import (
    CORRELATION_BITS,
    FACTOR_BITS,
    FACTOR_LIMIT,
    MATRIX_LIMIT,
    PIVOT_FLOOR,
    RECIPROCAL_BITS,
    SOLUTION_BITS,
    SOLUTION_LIMIT,
    WHITENED_BITS,
    WHITENING_BITS,
    LdaConstants,
)

Int = npt.NDArray[np.int64]

WIDEST = 1 << 47
"""Of elements before they are scaled: times a scale they stay within 2^62."""
SCALE_BITS = 15


def build(constants: LdaConstants, scatter: Int, scatter_count: Int) -> Int:
    """(n, D, D) Q24, lower triangle: the regularized correlation of training and device, of
    scatter (n, D (D + 1) / 2) and its count (n,)."""
    row, column = np.tril_indices(constants.features)
    r = constants.whitening.astype(np.int64)
    shift = 2 * (constants.whitening_shift + WHITENING_BITS) - CORRELATION_BITS
    white = fixed.round_half_up(scatter * r[row] * r[column], shift)
    total = constants.blend * constants.correlation.astype(np.int64) + white
    total <<= FACTOR_BITS - CORRELATION_BITS
    value = fixed.divide_rounded(total, constants.blend + scatter_count[:, None])
    value = np.clip(value, -WIDEST, WIDEST)
    scale = _scales(value[:, row == column])
    for side in (row, column):
        value = fixed.round_half_up(value * scale[:, side], SCALE_BITS)
    value = np.clip(value, -MATRIX_LIMIT, MATRIX_LIMIT) + constants.ridge * (row == column)
    matrix = np.zeros((len(scatter), constants.features, constants.features), np.int64)
    matrix[:, row, column] = np.minimum(value, MATRIX_LIMIT)
    return matrix


def _scales(variances: Int) -> Int:
    """(n, D) Q15: what takes variances (n, D), Q24, that are above the limit down to it."""
    large = np.maximum(variances, MATRIX_LIMIT)
    return np.where(variances > MATRIX_LIMIT, fixed.isqrt64((1 << 60) // large), 1 << SCALE_BITS)


def factor(matrix: Int) -> Int:
    """(n, D, D): the Cholesky factor l in Q24 below the diagonal, and on it 1 / l in Q26."""
    l = np.zeros_like(matrix)  # noqa: E741
    for j in range(matrix.shape[-1]):
        done = np.einsum("nik,nk->ni", l[:, j:, :j], l[:, j, :j])
        a = (matrix[:, j:, j] << FACTOR_BITS) - done
        root = fixed.isqrt64(np.maximum(a[:, 0], PIVOT_FLOOR))
        l[:, j, j] = (1 << FACTOR_BITS + RECIPROCAL_BITS) // root
        l[:, j + 1 :, j] = _quotient(a[:, 1:], l[:, j, j, None], MATRIX_LIMIT, FACTOR_LIMIT)
    return l


def substitute(l: Int, u: Int) -> Int:  # noqa: E741
    """(n, k, D) Q16: the solutions t of l l' t = u, for u (n, k, D) in Q10."""
    features = l.shape[-1]
    t = np.zeros_like(u)
    for i in range(features):
        a = (u[..., i] << FACTOR_BITS + SOLUTION_BITS - WHITENED_BITS) - np.einsum(
            "nk,nck->nc", l[:, i, :i], t[..., :i]
        )
        t[..., i] = _quotient(a, l[:, i, i, None], SOLUTION_LIMIT, SOLUTION_LIMIT)
    for i in reversed(range(features)):
        a = (t[..., i] << FACTOR_BITS) - np.einsum("nk,nck->nc", l[:, i + 1 :, i], t[..., i + 1 :])
        t[..., i] = _quotient(a, l[:, i, i, None], SOLUTION_LIMIT, SOLUTION_LIMIT)
    return t


def _quotient(a: Int, reciprocal: Int, before: int, after: int) -> Int:
    """a / 2^24 times the reciprocal, limited before and after the product."""
    limited = np.clip(fixed.round_half_up(a, FACTOR_BITS), -before, before)
    return np.clip(fixed.round_half_up(limited * reciprocal, RECIPROCAL_BITS), -after, after)
