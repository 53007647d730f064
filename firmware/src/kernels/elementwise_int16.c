/* ADD, SUB and MUL of int16, portable. As for int8, the output may lie on an input of its size. */
#include "broadcast.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

static int32_t rescale1(const tt_addition *p, int32_t x)
{
    return tt_multiply_by_quantized_multiplier(
        tt_shift_left_wrapping(x - p->input1_zero_point, p->left_shift), p->input1_multiplier,
        p->input1_shift);
}

static int32_t rescale2(const tt_addition *p, int32_t x)
{
    return tt_multiply_by_quantized_multiplier(
        tt_shift_left_wrapping(x - p->input2_zero_point, p->left_shift), p->input2_multiplier,
        p->input2_shift);
}

static int16_t rescale_output(const tt_addition *p, int32_t total)
{
    return tt_requantize_int16(total, p->output_multiplier, p->output_shift, p->output_zero_point,
                               p->activation_min, p->activation_max);
}

void tt_add_int16(const tt_addition *p, const int16_t *input1, const int16_t *input2,
                  int16_t *output)
{
    tt_walk walk = tt_walk_begin(&p->broadcast);
    do {
        const int16_t *a = input1 + walk.offset1;
        const int16_t *b = input2 + walk.offset2;
        for (int32_t i = 0; i < walk.count; i++) {
            *output++ = rescale_output(p, rescale1(p, *a) + rescale2(p, *b));
            a += walk.step1;
            b += walk.step2;
        }
    } while (tt_walk_next(&walk));
}

void tt_sub_int16(const tt_addition *p, const int16_t *input1, const int16_t *input2,
                  int16_t *output)
{
    tt_walk walk = tt_walk_begin(&p->broadcast);
    do {
        const int16_t *a = input1 + walk.offset1;
        const int16_t *b = input2 + walk.offset2;
        for (int32_t i = 0; i < walk.count; i++) {
            *output++ = rescale_output(p, rescale1(p, *a) - rescale2(p, *b));
            a += walk.step1;
            b += walk.step2;
        }
    } while (tt_walk_next(&walk));
}

void tt_mul_int16(const tt_multiplication *p, const int16_t *input1, const int16_t *input2,
                  int16_t *output)
{
    tt_walk walk = tt_walk_begin(&p->broadcast);
    do {
        const int16_t *a = input1 + walk.offset1;
        const int16_t *b = input2 + walk.offset2;
        for (int32_t i = 0; i < walk.count; i++) {
            *output++ = tt_requantize_int16(*a * *b, p->multiplier, p->shift, p->output_zero_point,
                                            p->activation_min, p->activation_max);
            a += walk.step1;
            b += walk.step2;
        }
    } while (tt_walk_next(&walk));
}
