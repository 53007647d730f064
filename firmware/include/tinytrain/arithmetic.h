/* Fixed-point primitives: the twin of tinytrain/arithmetic.py.
 *
 * Everything that rounds, shifts or saturates goes through these functions; nothing else in the
 * runtime shifts a signed number or divides one. Sources: gemmlowp's fixedpoint.h and TensorFlow
 * Lite Micro's kernels/internal/common, both in the double-rounding variant.
 */
#ifndef TINYTRAIN_ARITHMETIC_H
#define TINYTRAIN_ARITHMETIC_H

#include <stdint.h>

#include "tinytrain/instruction_set.h"

/* Shifts of negative numbers must be arithmetic; every compiler for our targets does so. */
typedef char tt_arithmetic_shift_required[((-1 >> 1) == -1) ? 1 : -1];

static inline int32_t tt_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}
static inline int32_t tt_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}
static inline int32_t tt_clamp(int32_t x, int32_t low, int32_t high)
{
    return tt_min(tt_max(x, low), high);
}

/* -1 below 0, else 0; an addition takes the shift in where it cannot take in a comparison. */
static inline int32_t tt_minus_one_below_zero(int32_t x)
{
    /* cppcheck-suppress shiftTooManyBitsSigned ; arithmetic, by the typedef above */
    return x >> 31;
}

/* x * 2^e for e in [0, 31]; bits that leave the word are lost, as the reference does. */
static inline int32_t tt_shift_left_wrapping(int32_t x, int32_t e)
{
    return (int32_t)((uint32_t)x << e);
}

/* x * 2^e for e in [0, 31], saturated to int32. */
static inline int32_t tt_shift_left_saturating(int32_t x, int32_t e)
{
    int32_t limit = INT32_MAX >> e;
    if (x > limit) {
        return INT32_MAX;
    }
    return x < -limit - 1 ? INT32_MIN : tt_shift_left_wrapping(x, e);
}

/* SRDHM of a in (-2^30, 2^30) and b in [0, 2^31), from products of 32 bits. In halves, a = a1 *
 * 2^16
 * + a0 with a0 in [-2^15, 2^15), b = b1 * 2^16 + b0 with b0 in [0, 2^16):
 *
 *   (a * b + 2^30) >> 31 = 2 * a1 * b1 + ((a1 * b0 + a0 * b1 + (a0 * b0 >> 16) + 2^14) >> 15)
 *
 * The inner sum lies within (-2^31, 2^31). The bits that a0 * b0 >> 16 loses are below 2^16 of a
 * number that is shifted by 31. */
static inline int32_t tt_rounding_doubling_high_mul_by_halves(int32_t a, int32_t b)
{
    int32_t a0 = (int16_t)a;
    int32_t a1 = (a - a0) >> 16;
    int32_t b0 = b & 0xffff;
    int32_t b1 = b >> 16;
    int32_t middle = a1 * b0 + a0 * b1 + (a0 * b0 >> 16);
    return 2 * a1 * b1 + ((middle + (1 << 14)) >> 15);
}

/* Where a product of 64 bits is a call. */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define TT_NARROW_PRODUCTS 1
#endif

/* SRDHM: a * b / 2^31 rounded to nearest, ties up; INT32_MIN squared saturates. */
static inline int32_t tt_saturating_rounding_doubling_high_mul(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
#if TT_NARROW_PRODUCTS
    const uint32_t reach = (uint32_t)1 << 30;
    if ((uint32_t)a + reach - 1u < 2u * reach - 1u && b >= 0) { /* |a| < reach */
        return tt_rounding_doubling_high_mul_by_halves(a, b);
    }
#endif
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* RDPOT: x / 2^e rounded to nearest, ties away from zero, for e in [0, 31]. */
static inline int32_t tt_rounding_divide_by_pot(int32_t x, int32_t e)
{
    uint32_t mask = ((uint32_t)1 << e) - 1u;
    uint32_t remainder = (uint32_t)x & mask;
    uint32_t threshold = (mask >> 1) + (x < 0 ? 1u : 0u);
    return (x >> e) + (remainder > threshold ? 1 : 0);
}

/* MBQM: x * multiplier * 2^(shift - 31) with both roundings, for shift in [-31, 31]. */
static inline int32_t tt_multiply_by_quantized_multiplier(int32_t x, int32_t multiplier,
                                                          int32_t shift)
{
    int32_t left = shift > 0 ? shift : 0;
    int32_t right = shift > 0 ? 0 : -shift;
    int32_t raised = tt_shift_left_wrapping(x, left);
    return tt_rounding_divide_by_pot(tt_saturating_rounding_doubling_high_mul(raised, multiplier),
                                     right);
}

/* A sum as a quantized output: MBQM, the zero point, and the clamp to [low, high]. Clamps first, so
 * that adding the zero point cannot overflow. */
static inline int8_t tt_requantize(int32_t sum, int32_t multiplier, int32_t shift,
                                   int32_t zero_point, int32_t low, int32_t high)
{
    int32_t scaled = tt_multiply_by_quantized_multiplier(sum, multiplier, shift);
    return (int8_t)(tt_clamp(scaled, low - zero_point, high - zero_point) + zero_point);
}

/* MBQM to the right and the zero point in one rounding: for |sum| < 2^30, a multiplier in [2^30,
 * 2^31) or 0, shift in [1, 22] and rounding = (2 * zero point + 1) * 2^(shift - 1) the same as
 * MBQM(sum, multiplier, -shift) + zero point. Below 0, ties away from zero are ties of one less. */
static inline int32_t tt_requantize_once(int32_t sum, int32_t multiplier, int32_t rounding,
                                         int32_t shift)
{
#if defined(TT_HAS_DSP) && !defined(TT_USE_PORTABLE)
    /* The rounded high word of the doubled sum's product, with what comes on top. */
    int32_t doubled = tt_shift_left_wrapping(sum, 1);
    int32_t scaled;
    __asm("smmlar %0, %1, %2, %3"
          : "=r"(scaled)
          : "r"(doubled), "r"(multiplier), "r"(tt_minus_one_below_zero(sum) + rounding));
    return scaled >> shift;
#elif TT_NARROW_PRODUCTS
    int32_t scaled = tt_rounding_doubling_high_mul_by_halves(sum, multiplier);
    return (scaled + tt_minus_one_below_zero(sum) + rounding) >> shift;
#else
    int32_t scaled = (int32_t)(((int64_t)sum * multiplier + ((int64_t)1 << 30)) >> 31);
    return (scaled + tt_minus_one_below_zero(sum) + rounding) >> shift;
#endif
}

/* tt_requantize for int16. */
static inline int16_t tt_requantize_int16(int32_t sum, int32_t multiplier, int32_t shift,
                                          int32_t zero_point, int32_t low, int32_t high)
{
    int32_t scaled = tt_multiply_by_quantized_multiplier(sum, multiplier, shift);
    return (int16_t)(tt_clamp(scaled, low - zero_point, high - zero_point) + zero_point);
}

/* x * multiplier * 2^(shift - 31) for x in (-2^47, 2^47), with a multiplier rounded to 16 bits and
 * one rounding, ties up, for shift in [-31, 7]; the result must fit int32. */
static inline int32_t tt_multiply_by_quantized_multiplier_int64(int64_t x, int32_t multiplier,
                                                                int32_t shift)
{
    int32_t reduced = multiplier < 0x7FFF0000 ? (multiplier + (1 << 15)) >> 16 : 0x7FFF;
    int32_t total_shift = 15 - shift;
    return (int32_t)((x * reduced + ((int64_t)1 << (total_shift - 1))) >> total_shift);
}

/* (x + half) >> e: x / 2^e rounded to nearest, ties up, for e in [1, 30] and x + half in int32. */
static inline int32_t tt_round_half_up(int32_t x, int32_t e)
{
    return (x + ((int32_t)1 << (e - 1))) >> e;
}

/* The same in 64 bits, for e in [1, 62] and x + half in int64. */
static inline int64_t tt_round_half_up_int64(int64_t x, int32_t e)
{
    return (x + ((int64_t)1 << (e - 1))) >> e;
}

/* x limited to [-limit, limit]. */
static inline int32_t tt_limit_int64(int64_t x, int32_t limit)
{
    if (x > limit) {
        return limit;
    }
    return x < -(int64_t)limit ? -limit : (int32_t)x;
}

/* a / b rounded to nearest, ties away from zero, for |a| <= 2^62 and b > 0. */
static inline int64_t tt_divide_rounded(int64_t a, int32_t b)
{
    uint64_t magnitude = (uint64_t)(a < 0 ? -a : a) + (uint32_t)b / 2u;
    /* Most quotients are of words, which a machine divides many times faster. */
    uint64_t quotient =
        magnitude <= UINT32_MAX ? (uint32_t)magnitude / (uint32_t)b : magnitude / (uint32_t)b;
    return a < 0 ? -(int64_t)quotient : (int64_t)quotient;
}

/* Leading zero bits; 32 for 0. */
static inline int32_t tt_count_leading_zeros(uint32_t x)
{
#if defined(__GNUC__)
    return x == 0u ? 32 : __builtin_clz(x);
#else
    int32_t count = 32;
    while (x != 0u) {
        x >>= 1;
        count--;
    }
    return count;
#endif
}

/* The square root, rounded down. */
uint32_t tt_isqrt64(uint64_t x);

/* log2(x) in Q10 for x >= 1, from the leading bit and the 6 bits below it. */
int32_t tt_log2_q10(uint32_t x);

/* 32 bits that look random, of number n of the stream `seed`: the finalizer of MurmurHash3
 * (Appleby, public domain) over a Weyl sequence. */
static inline uint32_t tt_hash(uint32_t seed, uint32_t n)
{
    uint32_t h = seed ^ (n * 0x9E3779B9u);
    h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
    h = (h ^ (h >> 13)) * 0xC2B2AE35u;
    return h ^ (h >> 16);
}

/* 0 to n - 1, each as likely as the others, from 32 random bits. */
static inline uint32_t tt_choose(uint32_t h, uint32_t n)
{
    return (uint32_t)(((uint64_t)h * n) >> 32);
}

/* exp(x) in Q0.31 for x <= 0 in Q(integer_bits).(31 - integer_bits), integer_bits in [1, 5]. */
int32_t tt_exp_on_negative_values(int32_t x, int32_t integer_bits);

/* 1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31. */
int32_t tt_one_over_one_plus_x(int32_t x);

#endif
