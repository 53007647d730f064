/* Fast FULLY_CONNECTED in portable C. */
#include "fast.h"

#if !TT_KERNELS_DSP && !TT_KERNELS_MVE

void tt_fast_fully_connected(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                             void *scratch)
{
    (void)scratch;
    for (int32_t row = 0; row < p->rows; row++) {
        const int8_t *weights = p->weights;
        for (int32_t o = 0; o < p->output_depth; o++) {
            int32_t sum = p->channels[o].start;
            for (int32_t i = 0; i < p->input_depth; i++) {
                sum += *weights++ * input[i];
            }
            *output++ =
                tt_channel_output(&p->channels[o], sum, p->activation_min, p->activation_max);
        }
        input += p->input_depth;
    }
}

#endif
