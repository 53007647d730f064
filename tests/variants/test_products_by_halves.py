"""tt_rounding_doubling_high_mul_by_halves is (a * b + 2^30) >> 31, over its whole range."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

INCLUDE = Path(__file__).resolve().parents[2] / "firmware" / "include"
SOURCE = """\
#include "tinytrain/arithmetic.h"

void by_halves(const int32_t *a, const int32_t *b, int32_t *result, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        result[i] = tt_rounding_doubling_high_mul_by_halves(a[i], b[i]);
    }
}

void srdhm(const int32_t *a, const int32_t *b, int32_t *result, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        result[i] = tt_saturating_rounding_doubling_high_mul(a[i], b[i]);
    }
}
"""

Int = NDArray[np.int64]
Product = Callable[[Int, Int], Int]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None) -> ctypes.CDLL:
    """As for a Cortex-M0. Undefined behaviour, an overflow included, ends the run."""
    folder = tmp_path_factory.mktemp("halves")
    (folder / "halves.c").write_text(SOURCE)
    flags = "-std=c99 -O2 -fPIC -shared -Wall -Wextra -Wconversion -Werror".split()
    flags += ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", f"-I{INCLUDE}"]
    flags += ["-DTT_NARROW_PRODUCTS=1"]
    built = str(folder / "halves.so")
    command = [os.environ.get("CC", "cc"), *flags, "-o", built, str(folder / "halves.c")]
    subprocess.run(command, check=True)
    return ctypes.CDLL(built)


def over_arrays(library: ctypes.CDLL, name: str) -> Product:
    def call(a: Int, b: Int) -> Int:
        narrow = [np.ascontiguousarray(x, np.int32) for x in np.broadcast_arrays(a, b)]
        result = np.empty_like(narrow[0])
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (*narrow, result)]
        library[name](*pointers, ctypes.c_int32(result.size))
        return result.astype(np.int64)

    return call


@pytest.fixture(scope="module")
def by_halves(library: ctypes.CDLL) -> Product:
    return over_arrays(library, "by_halves")


def assert_same(by_halves: Product, a: Int, b: Int) -> None:
    np.testing.assert_array_equal(by_halves(a, b), (a * b + (1 << 30)) >> 31)


def around(*centres: int) -> Int:
    return np.unique(np.add.outer(np.array(centres), np.arange(-3, 4)))


def test_at_the_ends_of_all_halves(by_halves: Product) -> None:
    """The middle sum is largest where all four halves are at an end of theirs."""
    lower = around(0, 1 << 15, (1 << 16) - 1, 1 << 8)
    upper = around(0, 1 << 13, (1 << 14) - 1) << 16
    a = np.add.outer(upper, lower).ravel()
    a = np.unique(np.concatenate([a, -a]))
    a = a[np.abs(a) < 1 << 30]
    b = np.add.outer(around(0, 1 << 14, (1 << 15) - 1) << 16, lower).ravel()
    b = np.unique(b[(b >= 0) & (b < 1 << 31)])
    assert {(1 << 30) - 1, 1 - (1 << 30)} <= set(a.tolist())
    assert {0, 1 << 30, (1 << 31) - 1} <= set(b.tolist())
    assert_same(by_halves, a[:, None], b[None, :])


def test_at_ties_and_beside_them(by_halves: Product) -> None:
    """Odd multiples of 2^(30 - k) times 2^k are halves of the last place."""
    for k in range(1, 31):
        odd = np.arange(-9, 10, 2) << max(30 - k, 0)
        a = np.unique(np.clip(np.add.outer(odd, np.arange(-3, 4)), 1 - (1 << 30), (1 << 30) - 1))
        assert_same(by_halves, a[:, None], np.array([(1 << k) - 1, 1 << k, (1 << k) + 1])[None, :])


@given(seed=st.integers(0, 1 << 32), bits=st.integers(1, 30), factor_bits=st.integers(1, 31))
def test_anywhere(by_halves: Product, seed: int, bits: int, factor_bits: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(1 - (1 << bits), 1 << bits, 2000)
    assert_same(by_halves, a, rng.integers(0, 1 << factor_bits, 2000))


def test_srdhm_takes_halves_only_where_they_are_exact(library: ctypes.CDLL) -> None:
    low, high = -(1 << 31), (1 << 31) - 1
    powers = 1 << np.arange(32)
    edges = np.add.outer(np.concatenate([powers, -powers]), np.arange(-3, 4))
    edges = np.unique(np.clip(edges, low, high))
    a, b = edges[:, None], edges[None, :]
    expected = np.minimum((a * b + (1 << 30)) >> 31, high)
    np.testing.assert_array_equal(over_arrays(library, "srdhm")(a, b), expected)
