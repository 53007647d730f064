/* ADD, SUB and MUL of int16, portable. As for int8, the output may lie on an input of its size. */
#include "addition_terms.h"
#include "broadcast.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

static int32_t rescale_output(const tt_addition *p, int32_t total)
{
    return tt_requantize_int16(total, p->output_multiplier, p->output_shift, p->output_zero_point,
                               p->activation_min, p->activation_max);
}

static int32_t sum(const void *of, int32_t a, int32_t b)
{
    const tt_addition *p = of;
    return rescale_output(p, tt_first_term(p, a) + tt_second_term(p, b));
}

void tt_add_int16(const tt_addition *p, const int16_t *input1, const int16_t *input2,
                  int16_t *output)
{
    tt_for_each_int16(&p->broadcast, sum, p, input1, input2, output);
}

static int32_t difference(const void *of, int32_t a, int32_t b)
{
    const tt_addition *p = of;
    return rescale_output(p, tt_first_term(p, a) - tt_second_term(p, b));
}

void tt_sub_int16(const tt_addition *p, const int16_t *input1, const int16_t *input2,
                  int16_t *output)
{
    tt_for_each_int16(&p->broadcast, difference, p, input1, input2, output);
}

static int32_t product(const void *of, int32_t a, int32_t b)
{
    const tt_multiplication *p = of;
    return tt_requantize_int16(a * b, p->multiplier, p->shift, p->output_zero_point,
                               p->activation_min, p->activation_max);
}

void tt_mul_int16(const tt_multiplication *p, const int16_t *input1, const int16_t *input2,
                  int16_t *output)
{
    tt_for_each_int16(&p->broadcast, product, p, input1, input2, output);
}
