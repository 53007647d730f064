/* The longer fixed-point functions: exponential and reciprocal, as gemmlowp defines them, a
 * logarithm and a square root. */
#include "tinytrain/arithmetic.h"

#include "log2_table.h"

#define EXP_MINUS_ONE_EIGHTH 1895147668
#define ONE_THIRD 715827883
#define FORTY_EIGHT_OVER_17 1515870810
#define MINUS_THIRTY_TWO_OVER_17 (-1010580540)

static int32_t multiply(int32_t a, int32_t b)
{
    return tt_saturating_rounding_doubling_high_mul(a, b);
}

/* exp(a) in Q0.31 for a in [-1/4, 0) in Q0.31: a Taylor polynomial about -1/8. */
static int32_t exp_between_minus_quarter_and_0(int32_t a)
{
    int32_t x = a + ((int32_t)1 << 28);
    int32_t x2 = multiply(x, x);
    int32_t x3 = multiply(x2, x);
    int32_t x4_over_4 = tt_rounding_divide_by_pot(multiply(x2, x2), 2);
    int32_t tail = tt_rounding_divide_by_pot(multiply(x4_over_4 + x3, ONE_THIRD) + x2, 1);
    return EXP_MINUS_ONE_EIGHTH + multiply(EXP_MINUS_ONE_EIGHTH, x + tail);
}

int32_t tt_exp_on_negative_values(int32_t x, int32_t integer_bits)
{
    /* exp(-2^k) in Q0.31 for k = -2, -1, ..., 4. */
    static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308,
                                      39332535,   720401,     242};
    int32_t fraction_bits = 31 - integer_bits;
    int32_t quarter = (int32_t)1 << (fraction_bits - 2);
    int32_t modulo = (x & (quarter - 1)) - quarter;
    int32_t remainder = modulo - x;
    int32_t result =
        exp_between_minus_quarter_and_0(tt_shift_left_saturating(modulo, integer_bits));
    if (x == 0) {
        return INT32_MAX;
    }
    for (int32_t k = -2; k < integer_bits; k++) {
        if (((uint32_t)remainder >> (fraction_bits + k)) & 1u) {
            result = multiply(result, factors[k + 2]);
        }
    }
    return result;
}

int32_t tt_one_over_one_plus_x(int32_t x)
{
    int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1);
    int32_t estimate = FORTY_EIGHT_OVER_17 + multiply(half_denominator, MINUS_THIRTY_TWO_OVER_17);
    for (int32_t i = 0; i < 3; i++) {
        int32_t error = ((int32_t)1 << 29) - multiply(half_denominator, estimate);
        estimate += tt_shift_left_saturating(multiply(estimate, error), 2);
    }
    return tt_shift_left_saturating(estimate, 1);
}

int32_t tt_log2_q10(uint32_t x)
{
    int32_t zeros = tt_count_leading_zeros(x);
    /* The leading bit goes out at the top. */
    uint32_t index = ((x << zeros) << 1) >> (32 - TT_LOG2_INDEX_BITS);
    return (31 - zeros) * 1024 + tt_log2_table[index];
}

/* Digit by digit in base 4, as on paper. */
uint32_t tt_isqrt64(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t digit = (uint64_t)1 << 62; digit != 0u; digit >>= 2) {
        uint64_t trial = root + digit;
        root >>= 1;
        if (x >= trial) {
            x -= trial;
            root += digit;
        }
    }
    return (uint32_t)root;
}
