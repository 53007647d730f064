/* What the bodies of fast FULLY_CONNECTED share. */
#ifndef TINYTRAIN_FAST_DENSE_H
#define TINYTRAIN_FAST_DENSE_H

#include "fast.h"

/* All outputs of one vector. */
typedef void tt_dense_vector(const tt_fast_dense *p, const int8_t *input, int8_t *output);

static inline void tt_each_vector(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                                  tt_dense_vector *multiply)
{
    for (int32_t row = 0; row < p->rows; row++) {
        multiply(p, input, output);
        input += p->input_depth;
        output += p->output_depth;
    }
}

/* Output o by itself, where a group of them would be too many. */
static inline int8_t tt_dense_output(const tt_fast_dense *p, const int8_t *input, int32_t o)
{
    const int8_t *weights = p->weights + (ptrdiff_t)o * p->input_depth;
    const tt_channel *channel = &p->channels[o];
    int32_t sum = channel->start;
    for (int32_t i = 0; i < p->input_depth; i++) {
        sum += weights[i] * input[i];
    }
    return tt_channel_output(channel, sum, p->activation_min, p->activation_max);
}

#endif
