/* SVDF, portable: unit by unit, so that no sums have to be kept. */
#include <stddef.h>
#include <string.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/state_kernels.h"

/* What filter `filter` makes of the input, in [low, high]: the newest number of its queue. */
static int32_t project(const tt_svdf *p, const int8_t *input, int32_t filter, int32_t low,
                       int32_t high)
{
    const int8_t *weights = p->weights + filter * p->input_depth;
    int32_t sum = 0;
    for (int32_t i = 0; i < p->input_depth; i++) {
        sum += weights[i] * (input[i] - p->input_zero_point);
    }
    int32_t scaled = tt_multiply_by_quantized_multiplier(sum, p->state_multiplier, p->state_shift);
    return tt_clamp(scaled, low - p->state_zero_point, high - p->state_zero_point) +
           p->state_zero_point;
}

static int8_t output_of(const tt_svdf *p, uint32_t sum)
{
    return tt_requantize((int32_t)sum, p->output_multiplier, p->output_shift, p->output_zero_point,
                         INT8_MIN, INT8_MAX);
}

void tt_svdf_int8(const tt_svdf *p, const int8_t *input, int8_t *output, int8_t *state)
{
    const int8_t *time_weights = p->time_weights;
    size_t older = (size_t)p->memory - 1u;
    for (int32_t unit = 0; unit < p->units; unit++) {
        uint32_t sum = (uint32_t)p->bias[unit];
        for (int32_t r = 0; r < p->rank; r++) {
            memmove(state, state + 1, older * sizeof *state);
            state[older] = (int8_t)project(p, input, unit * p->rank + r, INT8_MIN, INT8_MAX);
            for (int32_t j = 0; j < p->memory; j++) {
                sum += (uint32_t)(time_weights[j] * (state[j] - p->state_zero_point));
            }
            time_weights += p->memory;
            state += p->memory;
        }
        output[unit] = output_of(p, sum);
    }
}

void tt_svdf_int16(const tt_svdf *p, const int8_t *input, int8_t *output, int16_t *state)
{
    const int16_t *time_weights = p->time_weights;
    size_t older = (size_t)p->memory - 1u;
    for (int32_t unit = 0; unit < p->units; unit++) {
        uint32_t sum = (uint32_t)p->bias[unit];
        for (int32_t r = 0; r < p->rank; r++) {
            memmove(state, state + 1, older * sizeof *state);
            state[older] = (int16_t)project(p, input, unit * p->rank + r, INT16_MIN, INT16_MAX);
            for (int32_t j = 0; j < p->memory; j++) {
                sum += (uint32_t)(time_weights[j] * state[j]);
            }
            time_weights += p->memory;
            state += p->memory;
        }
        output[unit] = output_of(p, sum);
    }
}
