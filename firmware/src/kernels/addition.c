/* ADD and SUB. ADD has a quick path for operands of one shape.
 *
 * An operand of the output's size is read at each index just before it is written there, so the
 * output may lie on it. */
#include "addition_loops.h"
#include "addition_terms.h"
#include "broadcast.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

/* An operand of ADD as its rescaling needs it. */
typedef struct operand {
    const int8_t *input;
    int32_t zero_point;
    int32_t multiplier;
    int32_t shift;
} operand;

/* MBQM is half of every number. So it is for the operand with the larger scale. */
static int32_t is_halved(const operand *x)
{
    return x->multiplier == (int32_t)1 << 30 && x->shift == 0;
}

/* The same to tt_requantize_once, which wants a shift to the right: the sums are even and within
 * 2^29, so that what is missing to a half is rounded away. */
static void halve_by_shift(operand *x)
{
    if (is_halved(x)) {
        x->multiplier = INT32_MAX;
        x->shift = -1;
    }
}

static int32_t is_to_the_right(int32_t shift)
{
    return shift <= -1 && shift >= -22;
}

/* Operands of one shape, of which the first is halved. */
static void add_to_halved(const tt_addition *p, operand halved, operand other, int8_t *output,
                          int32_t count)
{
    halve_by_shift(&other);
    int32_t half = (int32_t)1 << (p->left_shift - 1);
    int32_t zero = halved.zero_point * half;
    int32_t other_zero = other.zero_point * half * 2;
    int32_t shift = -other.shift;
    int32_t output_shift = -p->output_shift;
    int32_t output_rounding = (2 * p->output_zero_point + 1) * ((int32_t)1 << (output_shift - 1));
#if TT_KERNELS_MVE
    tt_mve_addition v = {half * 2,
                         other_zero,
                         other.multiplier,
                         shift,
                         half,
                         zero,
                         p->output_multiplier,
                         output_rounding,
                         output_shift,
                         p->activation_min,
                         p->activation_max};
    tt_mve_add(&v, halved.input, other.input, output, count);
#else
    int32_t rounding = (int32_t)1 << (shift - 1);
#if TT_KERNELS_DSP
    int32_t unclamped = p->activation_min == INT8_MIN && p->activation_max == INT8_MAX;
    if (unclamped && p->left_shift == 20 && shift <= 4) {
        tt_dsp_addition q = {
            other_zero * 2, other.multiplier,     rounding - zero * ((int32_t)1 << shift),
            shift,          p->output_multiplier, output_rounding,
            output_shift};
        tt_dsp_add(&q, halved.input, other.input, output, count);
        return;
    }
#endif
    for (int32_t i = 0; i < count; i++) {
        int32_t scaled = tt_requantize_once(other.input[i] * half * 2 - other_zero,
                                            other.multiplier, rounding, shift);
        int32_t sum = halved.input[i] * half - zero + scaled;
        int32_t found =
            tt_requantize_once(sum, p->output_multiplier, output_rounding, output_shift);
        output[i] = (int8_t)tt_clamp(found, p->activation_min, p->activation_max);
    }
#endif
}

/* Whether add_to_halved can do it: the numbers stay within 2^30, and shifts go to the right. */
static int32_t can_add_to_halved(const tt_addition *p, const operand *halved, const operand *other)
{
    return p->left_shift >= 1 && p->left_shift <= 20 && is_halved(halved) &&
           (is_halved(other) || is_to_the_right(other->shift)) && is_to_the_right(p->output_shift);
}

static int32_t rescale_output(const tt_addition *p, int32_t total)
{
    return tt_requantize(total, p->output_multiplier, p->output_shift, p->output_zero_point,
                         p->activation_min, p->activation_max);
}

static int32_t sum(const void *of, int32_t a, int32_t b)
{
    const tt_addition *p = of;
    return rescale_output(p, tt_first_term(p, a) + tt_second_term(p, b));
}

static void add_slowly(const tt_addition *p, const tt_broadcast *plan, const int8_t *input1,
                       const int8_t *input2, int8_t *output)
{
    tt_for_each(plan, sum, p, input1, input2, output);
}

void tt_add_elements(const tt_addition *p, const int8_t *input1, const int8_t *input2,
                     int8_t *output, int32_t count)
{
    operand first = {input1, p->input1_zero_point, p->input1_multiplier, p->input1_shift};
    operand second = {input2, p->input2_zero_point, p->input2_multiplier, p->input2_shift};
    if (can_add_to_halved(p, &first, &second)) {
        add_to_halved(p, first, second, output, count);
    } else if (can_add_to_halved(p, &second, &first)) {
        add_to_halved(p, second, first, output, count);
    } else {
        const int32_t step = 1;
        tt_broadcast plan = {
            .dimensions = 1, .extents = &count, .strides1 = &step, .strides2 = &step};
        add_slowly(p, &plan, input1, input2, output);
    }
}

void tt_add(const tt_addition *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    const tt_broadcast *plan = &p->broadcast;
    if (plan->dimensions == 1 && plan->strides1[0] == 1 && plan->strides2[0] == 1) {
        tt_add_elements(p, input1, input2, output, plan->extents[0]);
    } else {
        add_slowly(p, plan, input1, input2, output);
    }
}

static int32_t difference(const void *of, int32_t a, int32_t b)
{
    const tt_addition *p = of;
    return rescale_output(p, tt_first_term(p, a) - tt_second_term(p, b));
}

void tt_sub(const tt_addition *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    tt_for_each(&p->broadcast, difference, p, input1, input2, output);
}
