"""The analytic head in numpy, for any number of devices at once: the reference of
firmware/src/learn/lda.c, and firmware/LEARNING.md (section 4) in its words.

Letters: n devices, R rows of memory for classes, D features. x is a sample's features less their
zero point, -255 to 255.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator import solve
from tinytrain.head import BIAS_LIMIT
from tinytrain.lda_constants import (
    COUNT_LIMIT,
    MEAN_BITS,
    SCATTER_LIMIT,
    SOLUTION_BITS,
    SOLUTION_LIMIT,
    WHITENED_BITS,
    LdaConstants,
)

Int = npt.NDArray[np.int64]
Rows = tuple[npt.NDArray[np.int16], npt.NDArray[np.int32]]
"""Weights and bias."""


@dataclass(frozen=True, eq=False)
class LdaState:
    """What n devices have seen. The arrays are written in place by `add`."""

    sums: npt.NDArray[np.int32]
    """(n, R, D) of x."""
    counts: npt.NDArray[np.uint16]
    """(n, R) samples in the sums, 0 to 2047."""
    scatter: npt.NDArray[np.int32]
    """(n, D (D + 1) / 2) about the class means, lower triangle by rows; (n, 0) where frozen."""
    scatter_count: npt.NDArray[np.uint16]
    """(n,) samples in the scatter, 0 to 4096."""


def empty_state(constants: LdaConstants, devices: int = 1) -> LdaState:
    """`devices` devices that have seen nothing."""
    rows = (devices, constants.capacity)
    triangle = constants.features * (constants.features + 1) // 2 if constants.blended else 0
    return LdaState(
        np.zeros((*rows, constants.features), np.int32),
        np.zeros(rows, np.uint16),
        np.zeros((devices, triangle), np.int32),
        np.zeros(devices, np.uint16),
    )


def add(
    constants: LdaConstants,
    state: LdaState,
    x: Int,
    y: Int,
    devices: npt.NDArray[np.bool_] | None = None,
) -> None:
    """Adds sample x (n, D) of class y (n,) on each device, or on those where `devices` (n,)."""
    at = np.arange(len(x)) if devices is None else np.flatnonzero(devices)
    x, y = x[at].astype(np.int64), y[at]
    sums, counts = state.sums[at, y].astype(np.int64), state.counts[at, y].astype(np.int64)
    full = counts == COUNT_LIMIT
    sums = np.where(full[:, None], fixed.round_half_up(sums, 1), sums) + x
    counts = np.where(full, COUNT_LIMIT // 2, counts) + 1
    state.sums[at, y], state.counts[at, y] = sums, counts
    if constants.blended:
        mu, _ = _means(constants, sums, counts, y)
        _add_scatter(state, x - fixed.round_half_up(mu, MEAN_BITS), at)


def _add_scatter(state: LdaState, deviation: Int, at: Int) -> None:
    """The products of the deviations (len(at), D), to the lower triangle of devices `at`."""
    scatter, count = state.scatter[at].astype(np.int64), state.scatter_count[at].astype(np.int64)
    full = count == SCATTER_LIMIT
    scatter = np.where(full[:, None], fixed.round_half_up(scatter, 1), scatter)
    row, column = np.tril_indices(deviation.shape[-1])
    state.scatter[at] = scatter + deviation[:, row] * deviation[:, column]
    state.scatter_count[at] = np.where(full, SCATTER_LIMIT // 2, count) + 1


def factor(constants: LdaConstants, state: LdaState) -> Int | None:
    """(n, D, D) of the blended covariance, as `solve.factor` gives it; None where frozen."""
    if not constants.blended:
        return None
    scatter, count = state.scatter.astype(np.int64), state.scatter_count.astype(np.int64)
    return solve.factor(solve.build(constants, scatter, count))


def row(
    constants: LdaConstants, state: LdaState, classes: Int, factored: Int | None = None
) -> Rows:
    """Weights (n, k, D) and bias (n, k) of the classes (n, k) of each device.

    `factored`: where blended, what `factor` gave when the device last solved.
    """
    at = np.arange(len(classes))[:, None]
    sums, counts = state.sums[at, classes], state.counts[at, classes]
    return _rows(constants, sums.astype(np.int64), counts.astype(np.int64), classes, factored)


def solutions(
    constants: LdaConstants, state: LdaState, classes: Int, factored: Int | None = None
) -> Int:
    """t (n, k, D) Q16 of the classes (n, k): what their weights are made of."""
    at = np.arange(len(classes))[:, None]
    sums, counts = state.sums[at, classes], state.counts[at, classes]
    mu, _ = _means(constants, sums.astype(np.int64), counts.astype(np.int64), classes)
    return _solution(constants, whitened(constants, mu - constants.origin), factored)


def row_without(
    constants: LdaConstants, state: LdaState, y: Int, x: Int, factored: Int | None = None
) -> Rows:
    """Weights (n, D) and bias (n,) of class y (n,), as if its sample x (n, D) were not in the
    sums."""
    at = np.arange(len(y))
    sums = state.sums[at, y].astype(np.int64) - x
    counts = state.counts[at, y].astype(np.int64) - 1
    weights, bias = _rows(constants, sums[:, None], counts[:, None], y[:, None], factored)
    return weights[:, 0], bias[:, 0]


def solve_all(constants: LdaConstants, state: LdaState, classes: int) -> Rows:
    """Weights (n, C, D) and bias (n, C) of the first C classes by a new solve on every device."""
    every = np.broadcast_to(np.arange(classes), (len(state.counts), classes))
    return row(constants, state, every, factor(constants, state))


def _rows(
    constants: LdaConstants, sums: Int, counts: Int, classes: Int, factored: Int | None
) -> Rows:
    """The rows of sums (n, k, D) and counts (n, k)."""
    mu, divisor = _means(constants, sums, counts, classes)
    r, origin = constants.whitening.astype(np.int64), constants.origin.astype(np.int64)
    t = _solution(constants, whitened(constants, mu - constants.origin), factored)
    weights = sat16(fixed.round_half_up(t * r, constants.weight_shift))
    bias = -fixed.round_half_up((weights * (mu + origin)).sum(axis=-1), MEAN_BITS + 1)
    inert = divisor == 0
    weights = np.where(inert[..., None], 0, weights)
    bias = np.where(inert, -BIAS_LIMIT, np.clip(bias, -BIAS_LIMIT, BIAS_LIMIT))
    return weights.astype(np.int16), bias.astype(np.int32)


def _means(constants: LdaConstants, sums: Int, counts: Int, classes: Int) -> tuple[Int, Int]:
    """Q7 (..., D) of sums (..., D), and the divisors (...); a mean with divisor 0 is 0."""
    known = classes < constants.classes
    means = constants.means[np.where(known, classes, 0)].astype(np.int64)
    prior = np.where(known, constants.prior, 0)
    divisor = prior + 16 * counts
    total = prior[..., None] * means + (sums << MEAN_BITS + 4)
    return fixed.divide_rounded(total, np.maximum(divisor, 1)[..., None]), divisor


def whitened(constants: LdaConstants, away: Int) -> Int:
    """u (..., D) Q10: away (..., D), Q7, from the origin or a mean, in standard deviations."""
    product = sat16(away) * constants.whitening.astype(np.int64)
    return sat16(fixed.round_half_up(product, constants.whitening_shift))


def _solution(constants: LdaConstants, u: Int, factored: Int | None) -> Int:
    """Q16 (n, k, D) of u (n, k, D): whitened once more, by the inverse or the factor."""
    if constants.blended:
        assert factored is not None, "a blended row needs a factor"
        return solve.substitute(factored, u)
    # Sums of at most 256 products of two int16: exact in float64.
    product = (u.astype(np.float64) @ constants.inverse.astype(np.float64)).astype(np.int64)
    t = fixed.round_half_up(product, constants.inverse_shift - (SOLUTION_BITS - WHITENED_BITS))
    return np.clip(t, -SOLUTION_LIMIT, SOLUTION_LIMIT)


def sat16(x: Int) -> Int:
    """x limited to int16."""
    return np.clip(x, -(1 << 15), (1 << 15) - 1)
