/* MEAN, SUM, REDUCE_MAX and ARG_MAX, portable. */
#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

void tt_reduce_sum(const tt_sum *p, const int8_t *input, int8_t *output)
{
    ptrdiff_t row = (ptrdiff_t)p->reduced2 * p->inner;
    int32_t zero = p->input_zero_point * p->reduced1 * p->reduced2;
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t kept = 0; kept < p->middle * p->inner; kept++) {
            const int8_t *first = input + kept / p->inner * row + kept % p->inner;
            int32_t sum = -zero;
            for (int32_t i = 0; i < p->reduced1; i++) {
                for (int32_t k = 0; k < p->reduced2; k++) {
                    sum += first[i * p->middle * row + (ptrdiff_t)k * p->inner];
                }
            }
            *output++ = tt_requantize(sum, p->multiplier, p->shift, p->output_zero_point, INT8_MIN,
                                      INT8_MAX);
        }
        input += p->reduced1 * p->middle * row;
    }
}

void tt_reduce_max(const tt_maximum *p, const int8_t *input, int8_t *output)
{
    ptrdiff_t row = (ptrdiff_t)p->reduced2 * p->inner;
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t kept = 0; kept < p->middle * p->inner; kept++) {
            const int8_t *first = input + kept / p->inner * row + kept % p->inner;
            int32_t highest = INT8_MIN;
            for (int32_t i = 0; i < p->reduced1; i++) {
                for (int32_t k = 0; k < p->reduced2; k++) {
                    highest = tt_max(highest, first[i * p->middle * row + (ptrdiff_t)k * p->inner]);
                }
            }
            *output++ = (int8_t)highest;
        }
        input += p->reduced1 * p->middle * row;
    }
}

void tt_arg_max(const tt_search *p, const int8_t *input, int32_t *output)
{
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t inner = 0; inner < p->inner; inner++) {
            int32_t best = 0;
            for (int32_t i = 1; i < p->depth; i++) {
                if (input[(ptrdiff_t)i * p->inner + inner] >
                    input[(ptrdiff_t)best * p->inner + inner]) {
                    best = i;
                }
            }
            *output++ = best;
        }
        input += (ptrdiff_t)p->depth * p->inner;
    }
}
