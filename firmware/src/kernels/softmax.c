/* SOFTMAX, portable. */
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

/* Integer bits of the scaled differences, and of the sum of exponentials. */
#define DIFFERENCE_BITS 5
#define SUM_BITS 12

/* Of so many classes, the exponentials are kept from the sum to the probabilities. */
#define KEPT 16

/* e^difference in Q0.31; 0 where it is too small for any probability. */
static int32_t exponential(const tt_normalization *p, int32_t difference)
{
    if (difference < p->difference_min) {
        return 0;
    }
    int32_t scaled = tt_saturating_rounding_doubling_high_mul(
        tt_shift_left_wrapping(difference, p->shift), p->multiplier);
    return tt_exp_on_negative_values(scaled, DIFFERENCE_BITS);
}

static void softmax_row(const tt_normalization *p, const int8_t *input, int8_t *output)
{
    int32_t kept[KEPT];
    int32_t highest = INT8_MIN;
    int32_t sum = 0;
    for (int32_t i = 0; i < p->depth; i++) {
        highest = tt_max(highest, input[i]);
    }
    for (int32_t i = 0; i < p->depth; i++) {
        int32_t found = exponential(p, input[i] - highest);
        sum += tt_rounding_divide_by_pot(found, SUM_BITS);
        if (i < KEPT) {
            kept[i] = found;
        }
    }
    int32_t headroom = tt_count_leading_zeros((uint32_t)sum);
    /* The sum with its leading one shifted out: the fraction of 1.fraction, in Q0.31. */
    uint32_t fraction = ((uint32_t)sum << headroom) - 0x80000000u;
    int32_t reciprocal = tt_one_over_one_plus_x((int32_t)fraction);
    /* Beyond 31, where the row is very flat, every probability is below half a step. */
    int32_t exponent = SUM_BITS - headroom + 31 - 8;
    for (int32_t i = 0; i < p->depth; i++) {
        int32_t found = i < KEPT ? kept[i] : exponential(p, input[i] - highest);
        int32_t probability = 0;
        if (exponent <= 31) {
            int32_t share = tt_saturating_rounding_doubling_high_mul(reciprocal, found);
            probability = tt_rounding_divide_by_pot(share, exponent);
        }
        output[i] = (int8_t)tt_clamp(probability - 128, INT8_MIN, INT8_MAX);
    }
}

void tt_softmax(const tt_normalization *p, const int8_t *input, int8_t *output)
{
    for (int32_t row = 0; row < p->rows; row++) {
        softmax_row(p, input, output);
        input += p->depth;
        output += p->depth;
    }
}
