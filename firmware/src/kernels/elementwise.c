/* MUL, MAXIMUM, MINIMUM and PRELU, portable.
 *
 * An operand of the output's size is read at each index just before it is written there, so the
 * output may lie on it. */
#include "broadcast.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

static int32_t product(const void *of, int32_t a, int32_t b)
{
    const tt_multiplication *p = of;
    return tt_requantize((a - p->input1_zero_point) * (b - p->input2_zero_point), p->multiplier,
                         p->shift, p->output_zero_point, p->activation_min, p->activation_max);
}

void tt_mul(const tt_multiplication *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    tt_for_each(&p->broadcast, product, p, input1, input2, output);
}

static int32_t higher(const void *of, int32_t a, int32_t b)
{
    (void)of;
    return tt_max(a, b);
}

void tt_maximum(const tt_extremum *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    tt_for_each(&p->broadcast, higher, p, input1, input2, output);
}

static int32_t lower(const void *of, int32_t a, int32_t b)
{
    (void)of;
    return tt_min(a, b);
}

void tt_minimum(const tt_extremum *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    tt_for_each(&p->broadcast, lower, p, input1, input2, output);
}

static int32_t parametric(const void *of, int32_t input, int32_t alpha)
{
    const tt_parametric *p = of;
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
    tt_for_each(&p->broadcast, parametric, p, input, alpha, output);
}
