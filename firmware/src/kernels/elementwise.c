/* MUL, MAXIMUM, MINIMUM and PRELU, portable.
 *
 * An operand of the output's size is read at each index just before it is written there, so the
 * output may lie on it. */
#include "broadcast.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

static int8_t product(const tt_multiplication *p, int32_t a, int32_t b)
{
    return tt_requantize((a - p->input1_zero_point) * (b - p->input2_zero_point), p->multiplier,
                         p->shift, p->output_zero_point, p->activation_min, p->activation_max);
}

void tt_mul(const tt_multiplication *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    tt_walk walk = tt_walk_begin(&p->broadcast);
    do {
        const int8_t *a = input1 + walk.offset1;
        const int8_t *b = input2 + walk.offset2;
        for (int32_t i = 0; i < walk.count; i++) {
            *output++ = product(p, *a, *b);
            a += walk.step1;
            b += walk.step2;
        }
    } while (tt_walk_next(&walk));
}

void tt_maximum(const tt_extremum *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    tt_walk walk = tt_walk_begin(&p->broadcast);
    do {
        const int8_t *a = input1 + walk.offset1;
        const int8_t *b = input2 + walk.offset2;
        for (int32_t i = 0; i < walk.count; i++) {
            *output++ = *a > *b ? *a : *b;
            a += walk.step1;
            b += walk.step2;
        }
    } while (tt_walk_next(&walk));
}

void tt_minimum(const tt_extremum *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    tt_walk walk = tt_walk_begin(&p->broadcast);
    do {
        const int8_t *a = input1 + walk.offset1;
        const int8_t *b = input2 + walk.offset2;
        for (int32_t i = 0; i < walk.count; i++) {
            *output++ = *a < *b ? *a : *b;
            a += walk.step1;
            b += walk.step2;
        }
    } while (tt_walk_next(&walk));
}

static int8_t parametric(const tt_parametric *p, int32_t input, int32_t alpha)
{
    int32_t x = input - p->input_zero_point;
    int32_t multiplier = p->positive_multiplier;
    int32_t shift = p->positive_shift;
    if (x < 0) {
        x *= alpha - p->alpha_zero_point;
        multiplier = p->negative_multiplier;
        shift = p->negative_shift;
    }
    return tt_requantize(x, multiplier, shift, p->output_zero_point, INT8_MIN, INT8_MAX);
}

void tt_prelu(const tt_parametric *p, const int8_t *input, const int8_t *alpha, int8_t *output)
{
    tt_walk walk = tt_walk_begin(&p->broadcast);
    do {
        const int8_t *a = input + walk.offset1;
        const int8_t *b = alpha + walk.offset2;
        for (int32_t i = 0; i < walk.count; i++) {
            *output++ = parametric(p, *a, *b);
            a += walk.step1;
            b += walk.step2;
        }
    } while (tt_walk_next(&walk));
}
