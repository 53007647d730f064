/* MEAN, portable. */
#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

void tt_mean(const tt_average *p, const int8_t *input, int8_t *output)
{
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t inner = 0; inner < p->inner; inner++) {
            int32_t sum = 0;
            for (int32_t i = 0; i < p->reduced; i++) {
                sum += input[(ptrdiff_t)i * p->inner + inner];
            }
            sum -= p->input_zero_point * p->reduced;
            *output++ = tt_requantize(sum, p->multiplier, p->shift, p->output_zero_point, INT8_MIN,
                                      INT8_MAX);
        }
        input += (ptrdiff_t)p->reduced * p->inner;
    }
}
