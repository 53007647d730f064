/* MEAN, SUM, REDUCE_MAX and ARG_MAX. */
#include <stddef.h>

#include "pixels.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

/* The inputs that belong to one output. */
static tt_pixels pixels_of(const tt_reduction *p)
{
    return tt_pixels_of(p->reduced1, p->reduced2, (ptrdiff_t)p->middle * p->reduced2 * p->inner,
                        p->inner);
}

void tt_reduce_max(const tt_reduction *p, const int8_t *input, int8_t *output)
{
    tt_pixels pixels = pixels_of(p);
    for (int32_t outer = 0; outer < p->outer; outer++) {
        const int8_t *first = input;
        for (int32_t middle = 0; middle < p->middle; middle++) {
            tt_highest_pixels(&pixels, first, p->inner, INT8_MIN, INT8_MAX, output);
            first += (ptrdiff_t)p->reduced2 * p->inner;
            output += p->inner;
        }
        input += (ptrdiff_t)p->reduced1 * p->middle * p->reduced2 * p->inner;
    }
}

/* The outputs of a run of pixels, one a channel. */
static void sum_channels(const tt_sum *p, const tt_pixels *pixels, const int8_t *first,
                         int8_t *output)
{
    const tt_reduction *e = &p->extents;
    int32_t zero = p->input_zero_point * e->reduced1 * e->reduced2;
    for (int32_t channel = 0; channel < e->inner; channel += TT_SUMMED) {
        int32_t sums[TT_SUMMED];
        int32_t there = tt_min(e->inner - channel, TT_SUMMED);
        tt_sum_pixels(pixels, first + channel, there, sums);
        for (int32_t i = 0; i < there; i++) {
            *output++ = tt_requantize(sums[i] - zero, p->multiplier, p->shift, p->output_zero_point,
                                      INT8_MIN, INT8_MAX);
        }
    }
}

void tt_reduce_sum(const tt_sum *p, const int8_t *input, int8_t *output)
{
    const tt_reduction *e = &p->extents;
    tt_pixels pixels = pixels_of(e);
    for (int32_t outer = 0; outer < e->outer; outer++) {
        const int8_t *first = input;
        for (int32_t middle = 0; middle < e->middle; middle++) {
            sum_channels(p, &pixels, first, output);
            first += (ptrdiff_t)e->reduced2 * e->inner;
            output += e->inner;
        }
        input += (ptrdiff_t)e->reduced1 * e->middle * e->reduced2 * e->inner;
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
