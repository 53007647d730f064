"""The fixed-point primitives, in Python and in C, are what their definitions say.

The definitions here are written anew, in exact integers and fractions, from the rules of TensorFlow
Lite Micro and gemmlowp; they share no code with ours. The C functions run under the
undefined-behaviour sanitizer, in a shared library with loops over arrays around them.
"""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tinytrain import arithmetic as fixed

FIRMWARE = Path(__file__).resolve().parents[1] / "firmware"

LOW, HIGH = -(1 << 31), (1 << 31) - 1
Int = NDArray[np.int64]

EDGES = sorted(
    {
        min(max(sign * (1 << bit) + offset, LOW), HIGH)
        for bit in range(32)
        for offset in (-2, -1, 0, 1, 2)
        for sign in (-1, 1)
    }
    | {sign * ((1 << bit) + (1 << bit >> 1)) for bit in range(31) for sign in (-1, 1)}
)
"""Powers of two, halves between them, and their neighbours."""

int32 = st.integers(LOW, HIGH) | st.sampled_from(EDGES)


def truncate(x: Fraction) -> int:
    """Toward zero: C's division."""
    return int(x)


def wrapped(x: int) -> int:
    x &= 0xFFFFFFFF
    return x - (1 << 32) if x >> 31 else x


def saturated(x: int) -> int:
    return min(max(x, LOW), HIGH)


def srdhm(a: int, b: int) -> int:
    """gemmlowp's SaturatingRoundingDoublingHighMul."""
    if a == b == LOW:
        return HIGH
    product = a * b
    nudge = (1 << 30) if product >= 0 else 1 - (1 << 30)
    return truncate(Fraction(product + nudge, 1 << 31))


def rdpot(x: int, exponent: int) -> int:
    """x / 2^exponent to nearest, ties away from zero."""
    magnitude = math.floor(Fraction(abs(x), 1 << exponent) + Fraction(1, 2))
    return magnitude if x >= 0 else -magnitude


def mbqm(x: int, multiplier: int, shift: int) -> int:
    return rdpot(srdhm(wrapped(x << max(shift, 0)), multiplier), max(-shift, 0))


def quantized_multiplier(real: float) -> tuple[int, int]:
    """From the exact value of the double: real = q * 2^s, q in [1/2, 1)."""
    if real == 0:
        return 0, 0
    exact = Fraction(real)
    s = 0
    while exact >= 1:
        exact, s = exact / 2, s + 1
    while exact < Fraction(1, 2):
        exact, s = exact * 2, s - 1
    m = math.floor(exact * (1 << 31) + Fraction(1, 2))
    if m == 1 << 31:
        m, s = m // 2, s + 1
    return (0, 0) if s < -31 else (m, s)


def leading_zeros(x: int) -> int:
    return 32 - (x & 0xFFFFFFFF).bit_length()


def q31(real: float) -> int:
    return saturated(math.floor(Fraction(real) * (1 << 31) + Fraction(1, 2)))


def exp_on_negative_values(x: int, integer_bits: int) -> int:
    """gemmlowp's exp_on_negative_values over FixedPoint<int32, integer_bits>.

    The constants are the roundings of exp(-2^k), exp(-1/8) and 1/3, not copied digits.
    """
    if x == 0:
        return HIGH
    one = 1 << (31 - integer_bits)
    fraction = x % (one // 4) - one // 4
    a = saturated(fraction << integer_bits) + (1 << 28)
    a2 = srdhm(a, a)
    a3 = srdhm(a2, a)
    a4_over_4 = rdpot(srdhm(a2, a2), 2)
    tail = rdpot(srdhm(a4_over_4 + a3, q31(1 / 3)) + a2, 1)
    eighth = q31(math.exp(-1 / 8))
    result = saturated(eighth + srdhm(eighth, a + tail))
    remainder = fraction - x
    for k in range(-2, 5):
        if k < integer_bits and remainder >> (31 - integer_bits + k) & 1:
            result = srdhm(result, q31(math.exp(-(2.0**k))))
    return result


def one_over_one_plus_x(x: int) -> int:
    """gemmlowp's one_over_one_plus_x_for_x_in_0_1, Newton-Raphson in Q2.29."""
    half_denominator = (x + HIGH + 1) // 2

    def q29(real: Fraction) -> int:
        return math.floor(real * (1 << 29) + Fraction(1, 2))

    estimate = q29(Fraction(48, 17)) + srdhm(half_denominator, q29(Fraction(-32, 17)))
    for _ in range(3):
        error = (1 << 29) - srdhm(half_denominator, estimate)
        estimate += saturated(srdhm(estimate, error) << 2)
    return saturated(estimate << 1)


RNG_SEED = 20
COUNT = 100_000


def random_int32(count: int, rng: np.random.Generator) -> Int:
    """Uniform, small, and edge values, a third each."""
    uniform = rng.integers(LOW, HIGH + 1, count)
    small = uniform >> rng.integers(1, 32, count)
    edges = rng.choice(np.array(EDGES), count)
    return np.choose(rng.integers(0, 3, count), [uniform, small, edges])


@given(int32, int32)
@example(LOW, LOW)
@example(LOW, HIGH)
@example(-1, 1 << 30)
@example(1, -(1 << 30))
def test_srdhm_is_gemmlowps(a: int, b: int) -> None:
    assert fixed.saturating_rounding_doubling_high_mul(a, b) == srdhm(a, b)


def test_srdhm_is_gemmlowps_at_all_pairs_of_edges() -> None:
    a, b = np.meshgrid(EDGES, EDGES)
    found = fixed.saturating_rounding_doubling_high_mul(a, b)
    expected = [srdhm(int(x), int(y)) for x, y in zip(a.flat, b.flat, strict=True)]
    np.testing.assert_array_equal(found.reshape(-1), expected)


@given(int32, st.integers(0, 31))
def test_rdpot_rounds_ties_away_from_zero(x: int, exponent: int) -> None:
    assert fixed.rounding_divide_by_pot(x, exponent) == rdpot(x, exponent)


@pytest.mark.parametrize("exponent", range(12))
def test_rdpot_holds_for_all_small_numbers(exponent: int) -> None:
    x = np.arange(-5000, 5001)
    expected = [rdpot(int(value), exponent) for value in x]
    np.testing.assert_array_equal(fixed.rounding_divide_by_pot(x, exponent), expected)


@given(int32, st.integers(0, HIGH), st.integers(-31, 31))
@example(LOW, HIGH, 31)
@example(HIGH, 1 << 30, 1)
def test_mbqm_is_both_roundings_one_after_the_other(x: int, m: int, shift: int) -> None:
    assert fixed.multiply_by_quantized_multiplier(x, m, shift) == mbqm(x, m, shift)


@given(st.integers(-(1 << 62), (1 << 62) - 1))
@example(LOW)
@example(HIGH)
@example(HIGH + 1)
@example(LOW - 1)
def test_wrap32_keeps_the_low_word(x: int) -> None:
    assert fixed.wrap32(x) == wrapped(x)


@given(int32, st.integers(0, 31))
def test_the_saturating_shift_is_exact_or_at_its_limit(x: int, exponent: int) -> None:
    assert fixed.shift_left_saturating(x, exponent) == saturated(x << exponent)


@given(int32)
@example(0)
@example(-1)
def test_leading_zeros_are_counted(x: int) -> None:
    assert fixed.count_leading_zeros(x) == leading_zeros(x)


def test_leading_zeros_are_counted_at_every_edge_and_below_65536() -> None:
    x = np.concatenate([EDGES, np.arange(65536), np.arange(65536) << 16])
    expected = [leading_zeros(int(value)) for value in x]
    np.testing.assert_array_equal(fixed.count_leading_zeros(x), expected)


@given(st.floats(0.0, 1e30) | st.floats(0.0, 2.0) | st.floats(2.0**-36, 2.0**-30))
@example(0.0)
@example(5e-324)
@example(1.0)
@example(1.0 - 2.0**-53)
@example(2.0**-32)
@example(2.0**-32 * (1 - 2.0**-53))
@example(2.0**-33)
@example(0.5 - 2.0**-54)
@example((2**31 - 0.5) / 2**31)
def test_a_real_multiplier_becomes_31_bits_and_a_shift(real: float) -> None:
    multiplier, shift = fixed.quantize_multiplier(real)
    assert (multiplier, shift) == quantized_multiplier(real)
    assert multiplier == 0 or 1 << 30 <= multiplier < 1 << 31


@given(st.integers(LOW, 0) | st.integers(-70000, 0), st.integers(1, 5))
@example(0, 5)
@example(-1, 5)
@example(LOW, 5)
@example(-(1 << 24), 5)
def test_exp_is_gemmlowps(x: int, integer_bits: int) -> None:
    found = fixed.exp_on_negative_values(x, integer_bits)
    assert found == exp_on_negative_values(x, integer_bits)
    assert abs(int(found) / 2**31 - math.exp(x / 2 ** (31 - integer_bits))) < 4e-7


def test_exp_is_gemmlowps_at_every_step_of_softmax() -> None:
    """Q5.26, every 2^17th value: all differences that matter to an int8 softmax, and more."""
    x = -np.arange(0, 1 << 31, 1 << 17)
    expected = [exp_on_negative_values(int(value), 5) for value in x]
    np.testing.assert_array_equal(fixed.exp_on_negative_values(x, 5), expected)


@given(st.integers(0, HIGH))
@example(0)
@example(1)
@example(HIGH)
def test_the_reciprocal_is_gemmlowps(x: int) -> None:
    found = fixed.one_over_one_plus_x(x)
    assert found == one_over_one_plus_x(x)
    assert abs(int(found) / 2**31 - 1 / (1 + x / 2**31)) < 2e-8


LIBRARY = """\
#include "tinytrain/arithmetic.h"

#define EACH2(name, function)                                                  \\
    void name(const int32_t *a, const int32_t *b, int32_t *result, int32_t n)  \\
    {                                                                          \\
        for (int32_t i = 0; i < n; i++) {                                      \\
            result[i] = function(a[i], b[i]);                                  \\
        }                                                                      \\
    }
EACH2(srdhm, tt_saturating_rounding_doubling_high_mul)
EACH2(rdpot, tt_rounding_divide_by_pot)
EACH2(wrapping, tt_shift_left_wrapping)
EACH2(saturating, tt_shift_left_saturating)
EACH2(half_up, tt_round_half_up)
EACH2(exponential, tt_exp_on_negative_values)
EACH2(minimum, tt_min)
EACH2(maximum, tt_max)

static int32_t leading_zeros(int32_t x, int32_t unused)
{
    (void)unused;
    return tt_count_leading_zeros((uint32_t)x);
}
EACH2(zeros, leading_zeros)

static int32_t reciprocal_of(int32_t x, int32_t unused)
{
    (void)unused;
    return tt_one_over_one_plus_x(x);
}
EACH2(reciprocal, reciprocal_of)

static int32_t log2_of(int32_t x, int32_t unused)
{
    (void)unused;
    return tt_log2_q10((uint32_t)x);
}
EACH2(logarithm, log2_of)

static int32_t hash_of(int32_t seed, int32_t n)
{
    return (int32_t)tt_hash((uint32_t)seed, (uint32_t)n);
}
EACH2(hash, hash_of)

static int32_t choice(int32_t h, int32_t n)
{
    return (int32_t)tt_choose((uint32_t)h, (uint32_t)n);
}
EACH2(choose, choice)

static int64_t root_of(int64_t x, int32_t unused)
{
    (void)unused;
    return tt_isqrt64((uint64_t)x);
}

#define EACH64(name, function)                                                 \\
    void name(const int64_t *a, const int32_t *b, int64_t *result, int32_t n)  \\
    {                                                                          \\
        for (int32_t i = 0; i < n; i++) {                                      \\
            result[i] = function(a[i], b[i]);                                  \\
        }                                                                      \\
    }
EACH64(divide, tt_divide_rounded)
EACH64(half_up_int64, tt_round_half_up_int64)
EACH64(root, root_of)

void mbqm(const int32_t *x, const int32_t *m, const int32_t *shift, int32_t *result, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        result[i] = tt_multiply_by_quantized_multiplier(x[i], m[i], shift[i]);
    }
}

void clamp(const int32_t *x, const int32_t *low, const int32_t *high, int32_t *result, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        result[i] = tt_clamp(x[i], low[i], high[i]);
    }
}
"""

CFunction = Callable[..., Int]


@pytest.fixture(scope="module")
def c_function(
    tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None
) -> Callable[[str], CFunction]:
    """A C function over int32 arrays, by its name in LIBRARY. Undefined behaviour ends the run."""
    folder = tmp_path_factory.mktemp("arithmetic")
    (folder / "library.c").write_text(LIBRARY)
    library = folder / "library.so"
    sanitize = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    flags = "-std=c99 -O2 -fPIC -shared -Wall -Wextra -Wconversion -Werror".split()
    sources = [folder / "library.c", FIRMWARE / "src" / "arithmetic.c"]
    compiler = os.environ.get("CC", "cc")
    command = [compiler, *flags, *sanitize, f"-I{FIRMWARE / 'include'}", "-o", library, *sources]
    subprocess.run(command, check=True)
    loaded = ctypes.CDLL(str(library))

    def find(name: str) -> CFunction:
        function = getattr(loaded, name)

        def call(*arrays: Int) -> Int:
            narrow = [np.ascontiguousarray(a, np.int32) for a in np.broadcast_arrays(*arrays)]
            result = np.empty_like(narrow[0])
            pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (*narrow, result)]
            function(*pointers, ctypes.c_int32(result.size))
            return result.astype(np.int64)

        return call

    find.library = loaded  # type: ignore[attr-defined]
    return find


@pytest.fixture(scope="module")
def c_int64(c_function: Callable[[str], CFunction]) -> Callable[[str], CFunction]:
    """A C function of int64 and int32, by its name in LIBRARY."""
    loaded = c_function.library  # type: ignore[attr-defined]

    def find(name: str) -> CFunction:
        def call(a: Int, b: Int) -> Int:
            wide, narrow = (np.array(x) for x in np.broadcast_arrays(a, b))
            narrow, result = narrow.astype(np.int32), np.empty_like(wide)
            pointers = [x.ctypes.data_as(ctypes.c_void_p) for x in (wide, narrow, result)]
            getattr(loaded, name)(*pointers, ctypes.c_int32(result.size))
            return result

        return call

    return find


def equal(found: Int, expected: Int) -> None:
    np.testing.assert_array_equal(found, expected)


def grid(count: int = COUNT, high: int = 31, low: int = 0) -> tuple[Int, Int]:
    """Values with a small second argument: random ones, and every edge with every argument."""
    rng = np.random.default_rng(RNG_SEED)
    edges, second = np.meshgrid(EDGES, np.arange(low, high + 1))
    return (
        np.concatenate([random_int32(count, rng), edges.reshape(-1)]),
        np.concatenate([rng.integers(low, high + 1, count), second.reshape(-1)]),
    )


def test_srdhm_in_c_gives_the_same_bits(c_function: Callable[[str], CFunction]) -> None:
    rng = np.random.default_rng(RNG_SEED)
    edges = np.meshgrid(EDGES, EDGES)
    a, b = (np.concatenate([random_int32(COUNT, rng), edge.reshape(-1)]) for edge in edges)
    equal(c_function("srdhm")(a, b), fixed.saturating_rounding_doubling_high_mul(a, b))


def test_rdpot_in_c_gives_the_same_bits(c_function: Callable[[str], CFunction]) -> None:
    x, exponent = grid()
    equal(c_function("rdpot")(x, exponent), fixed.rounding_divide_by_pot(x, exponent))


def test_mbqm_in_c_gives_the_same_bits(c_function: Callable[[str], CFunction]) -> None:
    x, shift = grid(low=-31)
    rng = np.random.default_rng(RNG_SEED + 1)
    multiplier = rng.choice(np.array([0, 1 << 30, (1 << 30) + 1, HIGH - 1, HIGH]), x.size)
    multiplier[::2] = rng.integers(1 << 30, 1 << 31, multiplier[::2].size)
    equal(
        c_function("mbqm")(x, multiplier, shift),
        fixed.multiply_by_quantized_multiplier(x, multiplier, shift),
    )


def test_the_shifts_in_c_give_the_same_bits(c_function: Callable[[str], CFunction]) -> None:
    x, exponent = grid()
    equal(c_function("wrapping")(x, exponent), fixed.wrap32(x << exponent))
    saturating = np.clip(x << exponent, LOW, HIGH)
    equal(c_function("saturating")(x, exponent), saturating)


def test_round_half_up_in_c_rounds_ties_up(c_function: Callable[[str], CFunction]) -> None:
    x, exponent = grid(low=1, high=30)
    fits = x + (1 << (exponent - 1)) <= HIGH
    x, exponent = x[fits], exponent[fits]
    expected = [
        math.floor(Fraction(int(value), 1 << int(e)) + Fraction(1, 2))
        for value, e in zip(x[::7], exponent[::7], strict=True)
    ]
    equal(c_function("half_up")(x[::7], exponent[::7]), np.array(expected))


def test_clamping_in_c_gives_the_same_bits(c_function: Callable[[str], CFunction]) -> None:
    rng = np.random.default_rng(RNG_SEED)
    x, low, high = (random_int32(COUNT, rng) for _ in range(3))
    low, high = np.minimum(low, high), np.maximum(low, high)
    equal(c_function("clamp")(x, low, high), np.clip(x, low, high))
    equal(c_function("minimum")(x, low), np.minimum(x, low))
    equal(c_function("maximum")(x, high), np.maximum(x, high))


def test_leading_zeros_in_c_give_the_same_bits(c_function: Callable[[str], CFunction]) -> None:
    x = random_int32(COUNT, np.random.default_rng(RNG_SEED))
    equal(c_function("zeros")(x, x), fixed.count_leading_zeros(x))


@pytest.mark.parametrize("integer_bits", range(1, 6))
def test_exp_in_c_gives_the_same_bits(
    integer_bits: int, c_function: Callable[[str], CFunction]
) -> None:
    rng = np.random.default_rng(RNG_SEED)
    x = np.minimum(-np.abs(random_int32(COUNT, rng)), 0)
    x = np.concatenate([x, np.array([edge for edge in EDGES if edge <= 0])])
    found = c_function("exponential")(x, np.array(integer_bits))
    equal(found, fixed.exp_on_negative_values(x, integer_bits))


def test_the_reciprocal_in_c_gives_the_same_bits(c_function: Callable[[str], CFunction]) -> None:
    rng = np.random.default_rng(RNG_SEED)
    x = np.concatenate([random_int32(COUNT, rng), EDGES])
    x = x[x >= 0]
    equal(c_function("reciprocal")(x, x), fixed.one_over_one_plus_x(x))


def hashed(seed: int, n: int) -> int:
    """MurmurHash3's fmix32 of seed ^ (n * golden ratio)."""
    h = seed ^ (n * 0x9E3779B9 & 0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ h >> shift) * factor & 0xFFFFFFFF
    return h ^ h >> 16


uint32 = st.integers(0, 2**32 - 1)
int64 = st.integers(-(1 << 62), 1 << 62)


@given(uint32.filter(bool))
@example(1)
@example(63)
@example(64)
@example(2**32 - 1)
def test_the_logarithm_is_its_rule_and_close_to_the_real_one(x: int) -> None:
    exponent = x.bit_length() - 1
    below = (x << 6 >> exponent) - 64
    table = round(1024 * math.log2(1 + (below + 0.5) / 64))
    assert fixed.log2_q10(x) == 1024 * exponent + table
    assert abs(int(fixed.log2_q10(x)) - 1024 * math.log2(x)) < 12


@given(uint32, uint32)
@example(0xFFFFFFFF, 0xFFFFFFFF)
def test_the_hash_is_murmurs_finalizer(seed: int, n: int) -> None:
    assert fixed.hash(seed, n) == hashed(seed, n)


@given(uint32, st.integers(1, HIGH))
@example(0xFFFFFFFF, HIGH)
def test_a_choice_is_below_its_number(h: int, n: int) -> None:
    assert fixed.choose(h, n) == h * n >> 32 < n


def test_choices_by_hash_are_evenly_spread() -> None:
    counts = np.bincount(fixed.choose(fixed.hash(7, np.arange(70_000)), 7))
    assert counts.min() > 9_600
    assert counts.max() < 10_400


@given(int64, st.integers(1, HIGH))
@example(-5, 2)
@example(5, 2)
@example(-(1 << 62), 1)
@example((1 << 62), HIGH)
def test_a_division_rounds_ties_away_from_zero(a: int, b: int) -> None:
    magnitude = math.floor(Fraction(abs(a), b) + Fraction(1, 2))
    assert fixed.divide_rounded(a, b) == (magnitude if a >= 0 else -magnitude)


@given(int64, st.integers(1, 62))
@example(-1, 1)
@example(1, 1)
def test_round_half_up_rounds_ties_up(x: int, exponent: int) -> None:
    assert fixed.round_half_up(x, exponent) == math.floor(
        Fraction(x, 1 << exponent) + Fraction(1, 2)
    )


def test_logarithm_hash_and_choice_in_c_give_the_same_bits(
    c_function: Callable[[str], CFunction],
) -> None:
    rng = np.random.default_rng(RNG_SEED)
    a, b = rng.integers(1, 1 << 32, (2, COUNT))
    a[:70_000] = np.arange(1, 70_001)
    wrap = fixed.wrap32
    equal(c_function("logarithm")(wrap(a), wrap(a)), fixed.log2_q10(a))
    equal(c_function("hash")(wrap(a), wrap(b)), wrap(fixed.hash(a, b)))
    n = b >> 1
    equal(c_function("choose")(wrap(a), n), fixed.choose(a, n))


def test_division_and_rounding_of_64_bits_in_c_give_the_same_bits(
    c_int64: Callable[[str], CFunction],
) -> None:
    rng = np.random.default_rng(RNG_SEED)
    a = rng.integers(-(1 << 62), 1 << 62, COUNT) >> rng.integers(0, 60, COUNT)
    b = np.maximum(rng.integers(1, 1 << 31, COUNT) >> rng.integers(0, 31, COUNT), 1)
    equal(c_int64("divide")(a, b), fixed.divide_rounded(a, b))
    exponent = rng.integers(1, 63, COUNT)
    equal(c_int64("half_up_int64")(a, exponent), fixed.round_half_up(a, exponent))


ROOT_EDGES = [0, 1, 2, 3, 2**42, 2**63 - 1, 2**63, 2**64 - 1] + [
    root * root + offset
    for root in (2**21, 2**26, 94906267, 2**31, 2**32 - 1)
    for offset in (-1, 0, 1)
]
"""Squares and their neighbours, also where float64 rounds a number up to a square."""


@given(st.integers(0, 2**64 - 1) | st.integers(0, 2**32 - 1).map(lambda root: root * root))
def test_the_root_is_rounded_down(x: int) -> None:
    for value in (x, max(x - 1, 0)):
        assert fixed.isqrt64(value) == math.isqrt(value)


@pytest.mark.parametrize("x", ROOT_EDGES)
def test_the_root_is_rounded_down_at_the_edges(x: int) -> None:
    assert fixed.isqrt64(x) == math.isqrt(x)


def test_the_root_in_c_gives_the_same_bits(c_int64: Callable[[str], CFunction]) -> None:
    rng = np.random.default_rng(RNG_SEED)
    roots = rng.integers(0, 1 << 32, COUNT, np.uint64)
    x = rng.integers(0, 1 << 64, COUNT, np.uint64) >> rng.integers(0, 64, COUNT, np.uint64)
    for each in (np.array(ROOT_EDGES, np.uint64), x, roots * roots, roots * roots - np.uint64(1)):
        found = c_int64("root")(each.view(np.int64), np.array(0))
        equal(found, fixed.isqrt64(each))


def test_the_sanitizer_of_these_tests_sees_undefined_behaviour(
    c_function: Callable[[str], CFunction], tmp_path: Path
) -> None:
    """INT32_MAX + 1 in tt_round_half_up, in a process of its own."""
    library = next(Path(tmp_path).parent.glob("arithmetic*/library.so"))
    program = f"""
        import ctypes
        x, e, y = ctypes.c_int32({HIGH}), ctypes.c_int32(1), ctypes.c_int32()
        ctypes.CDLL({str(library)!r}).half_up(*map(ctypes.byref, (x, e, y)), 1)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    assert subprocess.run(command, check=False).returncode < 0
