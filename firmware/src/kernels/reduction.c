/* MEAN, SUM, REDUCE_MAX and ARG_MAX, portable. */
#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

/* Takes one more of the inputs that belong to an output into what was found so far. */
typedef int32_t reducer(int32_t found, int32_t input);

static int32_t add(int32_t found, int32_t input)
{
    return found + input;
}

/* What `reduce` makes of all inputs that belong to output number `kept` of an outer row. */
static int32_t reduce_one(const tt_reduction *p, const int8_t *row, int32_t kept, int32_t start,
                          reducer *reduce)
{
    ptrdiff_t inner = p->inner;
    const int8_t *first = row + kept / p->inner * p->reduced2 * inner + kept % p->inner;
    int32_t found = start;
    for (int32_t i = 0; i < p->reduced1; i++) {
        for (int32_t k = 0; k < p->reduced2; k++) {
            found = reduce(found, first[k * inner]);
        }
        first += p->middle * p->reduced2 * inner;
    }
    return found;
}

void tt_reduce_max(const tt_reduction *p, const int8_t *input, int8_t *output)
{
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t kept = 0; kept < p->middle * p->inner; kept++) {
            *output++ = (int8_t)reduce_one(p, input, kept, INT8_MIN, tt_max);
        }
        input += (ptrdiff_t)p->reduced1 * p->middle * p->reduced2 * p->inner;
    }
}

void tt_reduce_sum(const tt_sum *p, const int8_t *input, int8_t *output)
{
    const tt_reduction *e = &p->extents;
    int32_t zero = p->input_zero_point * e->reduced1 * e->reduced2;
    for (int32_t outer = 0; outer < e->outer; outer++) {
        for (int32_t kept = 0; kept < e->middle * e->inner; kept++) {
            int32_t sum = reduce_one(e, input, kept, -zero, add);
            *output++ = tt_requantize(sum, p->multiplier, p->shift, p->output_zero_point, INT8_MIN,
                                      INT8_MAX);
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
