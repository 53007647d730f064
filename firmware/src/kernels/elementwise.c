/* ADD, portable. */
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

/* Bits that both inputs are raised by before they are added. */
#define LEFT_SHIFT 20

static int32_t raise_input(int32_t x, int32_t zero_point, int32_t multiplier, int32_t shift)
{
    return tt_multiply_by_quantized_multiplier(tt_shift_left_wrapping(x - zero_point, LEFT_SHIFT),
                                               multiplier, shift);
}

void tt_add(const tt_addition *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        int32_t sum =
            raise_input(input1[i], p->input1_zero_point, p->input1_multiplier, p->input1_shift) +
            raise_input(input2[i], p->input2_zero_point, p->input2_multiplier, p->input2_shift);
        output[i] = tt_requantize(sum, p->output_multiplier, p->output_shift, p->output_zero_point,
                                  p->activation_min, p->activation_max);
    }
}
