/* Fixed-point primitives: the twin of tinytrain/arithmetic.py.
 *
 * Everything that rounds, shifts or saturates goes through these functions; nothing else in the
 * runtime shifts a signed number or divides one. Sources: gemmlowp's fixedpoint.h and TensorFlow
 * Lite Micro's kernels/internal/common, both in the double-rounding variant.
 */
#ifndef TINYTRAIN_ARITHMETIC_H
#define TINYTRAIN_ARITHMETIC_H

#include <stdint.h>

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

/* SRDHM: a * b / 2^31 rounded to nearest, ties up; INT32_MIN squared saturates. */
static inline int32_t tt_saturating_rounding_doubling_high_mul(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
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

/* The same for int16. */
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

/* Leading zero bits; 32 for 0. */
static inline int32_t tt_count_leading_zeros(uint32_t x)
{
    int32_t count = 32;
    while (x != 0u) {
        x >>= 1;
        count--;
    }
    return count;
}

/* exp(x) in Q0.31 for x <= 0 in Q(integer_bits).(31 - integer_bits), integer_bits in [1, 5]. */
int32_t tt_exp_on_negative_values(int32_t x, int32_t integer_bits);

/* 1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31. */
int32_t tt_one_over_one_plus_x(int32_t x);

#endif
