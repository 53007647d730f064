/* LOGISTIC and TANH of int16, portable. */
#include "tinytrain/sigmoid.h"

#include "tinytrain/kernels.h"

void tt_logistic_int16(const tt_sigmoid *p, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = tt_sigmoid_q15(input[i], p->multiplier, p->shift);
    }
}

void tt_tanh_int16(const tt_sigmoid *p, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = tt_tanh_q15(input[i], p->multiplier, p->shift);
    }
}
