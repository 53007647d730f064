"""tt_requantize_once is MBQM and the zero point, wherever its conditions hold."""

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

from tinytrain import arithmetic as fixed
from tinytrain.variants.fast import MAX_FAST_REACH, MAX_FAST_SHIFT

INCLUDE = Path(__file__).resolve().parents[2] / "firmware" / "include"
SOURCE = """\
#include "tinytrain/arithmetic.h"

void once(const int32_t *sum, const int32_t *multiplier, const int32_t *zero, const int32_t *shift,
          int32_t *result, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        int32_t rounding = (2 * zero[i] + 1) * (1 << (shift[i] - 1));
        result[i] = tt_requantize_once(sum[i], multiplier[i], rounding, shift[i]);
    }
}
"""

Int = NDArray[np.int64]
Once = Callable[[Int, Int, Int, Int], Int]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None) -> Once:
    """The C function over arrays. Undefined behaviour ends the run."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "once.c").write_text(SOURCE)
    flags = "-std=c99 -O2 -fPIC -shared -Wall -Wextra -Wconversion -Werror".split()
    flags += ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", f"-I{INCLUDE}"]
    library = folder / "once.so"
    command = [os.environ.get("CC", "cc"), *flags, "-o", library, folder / "once.c"]
    subprocess.run(command, check=True)
    function = ctypes.CDLL(str(library)).once

    def call(*arrays: Int) -> Int:
        narrow = [np.ascontiguousarray(a, np.int32) for a in np.broadcast_arrays(*arrays)]
        result = np.empty_like(narrow[0])
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (*narrow, result)]
        function(*pointers, ctypes.c_int32(result.size))
        return result.astype(np.int64)

    return call


def by_definition(sums: Int, multiplier: Int, zero: Int, shift: Int) -> Int:
    return np.asarray(fixed.multiply_by_quantized_multiplier(sums, multiplier, -shift)) + zero


def assert_same(once: Once, *arguments: Int) -> None:
    np.testing.assert_array_equal(once(*arguments), by_definition(*arguments))


def test_at_the_ends_of_every_range(once: Once) -> None:
    reach = MAX_FAST_REACH
    around = np.arange(-3, 4)
    sums = np.unique(np.concatenate([around, reach - 1 - np.arange(4), np.arange(4) - reach + 1]))
    multipliers = np.array([0, 1 << 30, (1 << 30) + 1, (1 << 31) - 2, (1 << 31) - 1])
    zeros, shifts = np.array([-128, -1, 0, 1, 127]), np.arange(1, MAX_FAST_SHIFT + 1)
    assert_same(once, *np.meshgrid(sums, multipliers, zeros, shifts))


def test_at_ties_and_beside_them(once: Once) -> None:
    """A multiplier of 2^30 halves: sums of odd multiples of 2^shift are ties of the second step."""
    shift = np.arange(1, MAX_FAST_SHIFT + 1)[:, None, None]
    odd = np.arange(-9, 10, 2)[None, :, None]
    beside = np.arange(-3, 4)[None, None, :]
    sums = np.clip((odd << shift) + beside, 1 - MAX_FAST_REACH, MAX_FAST_REACH - 1)
    for multiplier in (1 << 30, (1 << 30) + 1, 3 << 29):
        assert_same(once, *np.broadcast_arrays(sums, multiplier, 5, shift))


@given(seed=st.integers(0, 1 << 32), bits=st.integers(1, 30))
def test_anywhere(once: Once, seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    sums = rng.integers(1 - (1 << bits), 1 << bits, 1000)
    multipliers = rng.integers(1 << 30, 1 << 31, 1000)
    zeros = rng.integers(-128, 128, 1000)
    shifts = rng.integers(1, MAX_FAST_SHIFT + 1, 1000)
    assert_same(once, sums, multipliers, zeros, shifts)
