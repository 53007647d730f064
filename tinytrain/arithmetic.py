"""Fixed-point primitives: the twin of firmware/include/tinytrain/arithmetic.h.

All functions take and give integers held in int64 arrays (or Python integers), with values in the
int32 range unless said otherwise, and are vectorised. Shifts are arithmetic; nothing here divides
with Python's flooring `//` where C truncates.

Sources: gemmlowp's fixedpoint.h and TensorFlow Lite Micro's kernels/internal/common, both in the
double-rounding variant; DESIGN.md ("Arithmetic") gives the formulas.
"""

from __future__ import annotations

from math import floor, frexp, log2
from typing import Any

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.int64]
IntLike = npt.NDArray[np.signedinteger[Any]] | int

INT32_MIN = -(1 << 31)
INT32_MAX = (1 << 31) - 1


def wrap32(x: IntLike) -> Int:
    """The low 32 bits of x, as a signed number: what C's wrapping int32 addition gives."""
    return (np.asarray(x, np.int64) + (1 << 31) & 0xFFFFFFFF) - (1 << 31)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with real ~ multiplier * 2^(shift - 31) and multiplier in [2^30, 2^31).

    TensorFlow Lite's QuantizeMultiplier: rounds half away from zero; below 2^-32 it gives (0, 0).
    `real` must be finite and not negative.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = frexp(real)
    multiplier = floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier >>= 1
        shift += 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def saturating_rounding_doubling_high_mul(a: IntLike, b: IntLike) -> Int:
    """SRDHM: a * b / 2^31, rounded to nearest with ties up; INT32_MIN squared saturates.

    Equal over the whole int32 range to gemmlowp's formula with a sign-dependent nudge and a
    truncating division.
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + (1 << 30)) >> 31, INT32_MAX)


def rounding_divide_by_pot(x: IntLike, exponent: IntLike) -> Int:
    """RDPOT: x / 2^exponent, rounded to nearest with ties away from zero; exponent 0 to 31."""
    value = np.asarray(x, np.int64)
    shift = np.asarray(exponent, np.int64)
    mask = (np.int64(1) << shift) - 1
    threshold = (mask >> 1) + (value < 0)
    return (value >> shift) + ((value & mask) > threshold)


def multiply_by_quantized_multiplier(x: IntLike, multiplier: IntLike, shift: IntLike) -> Int:
    """MBQM: x * multiplier * 2^(shift - 31) with both roundings; shift -31 to 31.

    A left shift that leaves int32 wraps; operators are refused where that could happen.
    """
    exponent = np.asarray(shift, np.int64)
    left = wrap32(np.asarray(x, np.int64) << np.maximum(exponent, 0))
    return rounding_divide_by_pot(
        saturating_rounding_doubling_high_mul(left, multiplier), np.maximum(-exponent, 0)
    )


def multiply_by_quantized_multiplier_int64(x: IntLike, multiplier: IntLike, shift: IntLike) -> Int:
    """x * multiplier * 2^(shift - 31) for 48-bit x, with a 16-bit multiplier; shift -31 to 7.

    The multiplier is rounded to 16 bits and the product once, ties up; the result is the low 32
    bits. Source: the int64 overload of MultiplyByQuantizedMultiplier.
    """
    factor = np.asarray(multiplier, np.int64)
    reduced = np.where(factor < 0x7FFF0000, (factor + (1 << 15)) >> 16, 0x7FFF)
    total_shift = 15 - np.asarray(shift, np.int64)
    product = np.asarray(x, np.int64) * reduced + (np.int64(1) << (total_shift - 1))
    return wrap32(product >> total_shift)


def shift_left_saturating(x: IntLike, exponent: int) -> Int:
    """x * 2^exponent, saturated to int32; exponent 0 to 31."""
    return np.clip(np.asarray(x, np.int64) << exponent, INT32_MIN, INT32_MAX)


def count_leading_zeros(x: IntLike) -> Int:
    """Leading zero bits of x as an unsigned 32-bit number; 32 for 0."""
    value = np.asarray(x, np.int64) & 0xFFFFFFFF
    return 32 - np.frexp(value.astype(np.float64))[1].astype(np.int64)


def round_half_up(x: IntLike, exponent: IntLike) -> Int:
    """x / 2^exponent, rounded to nearest with ties up; exponent 1 to 62, x + half in int64."""
    shift = np.asarray(exponent, np.int64)
    return (np.asarray(x, np.int64) + (np.int64(1) << (shift - 1))) >> shift


def divide_rounded(a: IntLike, b: IntLike) -> Int:
    """a / b, rounded to nearest with ties away from zero; |a| <= 2^62, b 1 to 2^31 - 1."""
    numerator, divisor = np.asarray(a, np.int64), np.asarray(b, np.int64)
    magnitude = (np.abs(numerator) + divisor // 2) // divisor
    return np.where(numerator < 0, -magnitude, magnitude)


def isqrt64(x: npt.NDArray[np.integer[Any]] | int) -> Int:
    """The square root of x, rounded down; 0 to 2^64 - 1."""
    value = np.asarray(x).astype(np.uint64)
    guess = np.sqrt(value.astype(np.float64)).astype(np.uint64)
    root = np.minimum(guess, np.uint64(0xFFFFFFFF))
    root = root - (root * root > value)
    return np.asarray(root + (value - root * root > 2 * root)).astype(np.int64)


LOG2_INDEX_BITS = 6
LOG2_TABLE: tuple[int, ...] = tuple(
    round(1024 * log2(1 + (index + 0.5) / (1 << LOG2_INDEX_BITS)))
    for index in range(1 << LOG2_INDEX_BITS)
)
"""log2(1 + f) in Q10 in the middle of f = index/64 to (index + 1)/64."""


def log2_q10(x: IntLike) -> Int:
    """log2(x) in Q10 for x from 1 to 2^32 - 1, from the leading bit and the 6 bits below it."""
    value = np.asarray(x, np.int64)
    zeros = count_leading_zeros(value)
    below = (value << (zeros + 1)) & 0xFFFFFFFF
    return (31 - zeros) * 1024 + np.array(LOG2_TABLE)[below >> (32 - LOG2_INDEX_BITS)]


def hash(seed: IntLike, n: IntLike) -> Int:
    """32 bits that look random, of number n of the stream `seed`; both 0 to 2^32 - 1.

    The finalizer of MurmurHash3 (Appleby, public domain) over a Weyl sequence.
    """
    mask = np.uint64(0xFFFFFFFF)
    word = np.asarray(n).astype(np.uint64) * np.uint64(0x9E3779B9) & mask
    word = word ^ np.asarray(seed).astype(np.uint64)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        word = (word ^ word >> np.uint64(shift)) * np.uint64(factor) & mask
    return np.asarray(word ^ word >> np.uint64(16)).astype(np.int64)


def choose(h: IntLike, n: IntLike) -> Int:
    """0 to n - 1, each as likely as the others, from 32 random bits; n up to 2^31 - 1."""
    return np.asarray(h, np.int64) * np.asarray(n, np.int64) >> 32


# exp(-2^k) in Q0.31 for k = -2..4: gemmlowp's barrel shifter.
EXP_BARREL = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
EXP_MINUS_ONE_EIGHTH = 1895147668
ONE_THIRD = 715827883


def exp_on_negative_values(x: IntLike, integer_bits: int) -> Int:
    """exp(x) in Q0.31 for x <= 0 in Q(integer_bits).(31 - integer_bits), integer_bits 1 to 5."""
    value = np.asarray(x, np.int64)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    modulo = (value & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_0(shift_left_saturating(modulo, integer_bits))
    remainder = modulo - value
    for exponent, factor in EXP_BARREL:
        if integer_bits > exponent:
            bit = np.int64(1) << np.int64(fraction_bits + exponent)
            scaled = saturating_rounding_doubling_high_mul(result, factor)
            result = np.where(remainder & bit, scaled, result)
    return np.where(value == 0, INT32_MAX, result)


def _exp_between_minus_quarter_and_0(a: Int) -> Int:
    """exp(a) in Q0.31 for a in [-1/4, 0) in Q0.31: a Taylor polynomial about -1/8."""
    mul = saturating_rounding_doubling_high_mul
    x = a + (1 << 28)
    x2 = mul(x, x)
    x3 = mul(x2, x)
    x4_over_4 = rounding_divide_by_pot(mul(x2, x2), 2)
    tail = rounding_divide_by_pot(mul(x4_over_4 + x3, ONE_THIRD) + x2, 1)
    return np.minimum(EXP_MINUS_ONE_EIGHTH + mul(EXP_MINUS_ONE_EIGHTH, x + tail), INT32_MAX)


FORTY_EIGHT_OVER_17 = 1515870810
MINUS_THIRTY_TWO_OVER_17 = -1010580540


def one_over_one_plus_x(x: IntLike) -> Int:
    """1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31."""
    return shift_left_saturating(_reciprocal_of_half(x), 1)


def one_minus_x_over_one_plus_x(x: IntLike) -> Int:
    """(1 - x) / (1 + x) in Q0.31 for x in [0, 1) in Q0.31."""
    return shift_left_saturating(_reciprocal_of_half(x) - (1 << 29), 2)


def _reciprocal_of_half(x: IntLike) -> Int:
    """2 / (1 + x) in Q2.29 for x in Q0.31: three Newton steps from 48/17 - 32/17 d."""
    mul = saturating_rounding_doubling_high_mul
    value = np.asarray(x, np.int64)
    half_denominator = (value + INT32_MAX + 1) >> 1
    estimate = FORTY_EIGHT_OVER_17 + mul(half_denominator, MINUS_THIRTY_TWO_OVER_17)
    for _ in range(3):
        error = (1 << 29) - mul(half_denominator, estimate)
        estimate = estimate + shift_left_saturating(mul(estimate, error), 2)
    return estimate


def logistic(x: IntLike, integer_bits: int) -> Int:
    """1 / (1 + exp(-x)) in Q0.31 for x in Q(integer_bits).(31 - integer_bits), 1 to 5 bits."""
    value = np.asarray(x, np.int64)
    positive = one_over_one_plus_x(exp_on_negative_values(-np.abs(value), integer_bits))
    result = np.where(value > 0, positive, INT32_MAX - positive)
    return np.where(value == 0, 1 << 30, result)


def tanh(x: IntLike, integer_bits: int) -> Int:
    """tanh(x) in Q0.31 for x in Q(integer_bits).(31 - integer_bits), 1 to 4 bits.

    exp(-2|x|) is |x| read with one integer bit more.
    """
    value = np.asarray(x, np.int64)
    size = one_minus_x_over_one_plus_x(exp_on_negative_values(-np.abs(value), integer_bits + 1))
    return np.where(value == 0, 0, np.where(value < 0, -size, size))
