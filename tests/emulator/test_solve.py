"""The fixed-point solve is close to an exact one, and stays within its limits whatever comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emulator.lda_cases import Array, Case, cases, constants_of, state_before
from tinytrain.emulator import solve
from tinytrain.lda_constants import FACTOR_BITS

ONE = 1 << FACTOR_BITS


def correlations(features: int, seed: int, alike: float) -> Array:
    """(D, D) of features that share the part `alike` of their variance, ridge included."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(features, features + 2)) * (1 - alike) + alike
    covariance = mixing @ mixing.T
    deviation = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviation, deviation) + 0.2 * np.eye(features))


def solved(matrix: Array, u: Array) -> Array:
    """By fixed point, of real numbers."""
    lower = np.tril(np.rint(matrix * ONE).astype(np.int64))[None]
    whitened = np.rint(u * (1 << 10)).astype(np.int64)[None]
    return solve.substitute(solve.factor(lower), whitened)[0] / (1 << 16)


@settings(deadline=None)
@given(st.integers(1, 48), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 0.95]))
def test_the_solution_is_that_of_linear_algebra(features: int, seed: int, alike: float) -> None:
    matrix = correlations(features, seed, alike)
    u = np.rint(np.random.default_rng(seed).normal(size=(3, features)) * 4096) / 1024
    expected = np.linalg.solve(matrix, u.T).T
    np.testing.assert_allclose(solved(matrix, u), expected, atol=2e-3)


@pytest.mark.parametrize("features", [64, 256])
def test_the_solution_holds_for_as_many_features_as_there_may_be(features: int) -> None:
    matrix = correlations(features, 1, 0.3)
    u = np.rint(np.random.default_rng(2).normal(size=(4, features)) * 2048) / 1024
    expected = np.linalg.solve(matrix, u.T).T
    np.testing.assert_allclose(solved(matrix, u), expected, atol=4e-3)


@settings(max_examples=50, deadline=None)
@given(cases.filter(lambda case: case.blend > 0))
def test_elements_stay_within_the_limits_that_keep_sums_in_64_bits(case: Case) -> None:
    rng = np.random.default_rng(case.seed)
    k = constants_of(case, rng)
    state = state_before(case, k, rng)
    scatter, count = state.scatter.astype(np.int64), state.scatter_count.astype(np.int64)
    matrix = solve.build(k, scatter, count)
    assert np.abs(matrix).max() <= 1 << 30
    factored = solve.factor(matrix)
    off_diagonal = np.tril(factored[0], -1)
    reciprocals = np.diag(factored[0])
    assert np.abs(off_diagonal).max() <= 1 << 27
    assert reciprocals.min() >= 1 << 23
    assert reciprocals.max() <= 1 << 29
    u = rng.choice(np.array([-32768, 32767]), (1, 3, k.features))
    assert np.abs(solve.substitute(factored, u)).max() <= 1 << 27
