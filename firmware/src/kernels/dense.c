/* FULLY_CONNECTED, portable. */
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

void tt_fully_connected(const tt_dense *p, const int8_t *input, int8_t *output)
{
    for (int32_t row = 0; row < p->rows; row++) {
        const int8_t *weights = p->weights;
        for (int32_t o = 0; o < p->output_depth; o++) {
            int32_t acc = p->bias[o];
            for (int32_t i = 0; i < p->input_depth; i++) {
                acc += weights[i] * (input[i] - p->input_zero_point);
            }
            *output++ = tt_requantize(acc, p->multiplier[o], p->shift[o], p->output_zero_point,
                                      p->activation_min, p->activation_max);
            weights += p->input_depth;
        }
        input += p->input_depth;
    }
}
