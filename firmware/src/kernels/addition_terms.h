/* The operands of ADD and SUB on the scale on which they are added. */
#ifndef TINYTRAIN_ADDITION_TERMS_H
#define TINYTRAIN_ADDITION_TERMS_H

#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

static inline int32_t tt_first_term(const tt_addition *p, int32_t x)
{
    return tt_multiply_by_quantized_multiplier(
        tt_shift_left_wrapping(x - p->input1_zero_point, p->left_shift), p->input1_multiplier,
        p->input1_shift);
}

static inline int32_t tt_second_term(const tt_addition *p, int32_t x)
{
    return tt_multiply_by_quantized_multiplier(
        tt_shift_left_wrapping(x - p->input2_zero_point, p->left_shift), p->input2_multiplier,
        p->input2_shift);
}

#endif
