/* Each element of an output from one of either operand, where an operand may repeat. */
#ifndef TINYTRAIN_BROADCAST_H
#define TINYTRAIN_BROADCAST_H

#include <stddef.h>

#include "tinytrain/kernels.h"

typedef struct tt_walk {
    const tt_broadcast *plan;
    int32_t count;     /* elements of a run */
    int32_t step1;     /* from one element of a run to the next: 0 or 1 */
    int32_t step2;     /* the same for the second operand */
    ptrdiff_t offset1; /* where the run starts */
    ptrdiff_t offset2;
    int32_t index[TT_MAX_RANK]; /* of the run, by dimension */
} tt_walk;

static inline tt_walk tt_walk_begin(const tt_broadcast *plan)
{
    tt_walk walk = {0};
    int32_t innermost = plan->dimensions - 1;
    walk.plan = plan;
    walk.count = plan->extents[innermost];
    walk.step1 = plan->strides1[innermost];
    walk.step2 = plan->strides2[innermost];
    return walk;
}

/* On to the next run along the innermost dimension; 0 behind the last. */
static inline int32_t tt_walk_next(tt_walk *walk)
{
    const tt_broadcast *plan = walk->plan;
    for (int32_t d = plan->dimensions - 2; d >= 0; d--) {
        walk->offset1 += plan->strides1[d];
        walk->offset2 += plan->strides2[d];
        walk->index[d]++;
        if (walk->index[d] < plan->extents[d]) {
            return 1;
        }
        walk->offset1 -= (ptrdiff_t)plan->extents[d] * plan->strides1[d];
        walk->offset2 -= (ptrdiff_t)plan->extents[d] * plan->strides2[d];
        walk->index[d] = 0;
    }
    return 0;
}

/* What an element becomes of two; of int16 it is 16 bits wide. Where it is known at the call, it is
 * compiled into the loop. */
typedef int32_t tt_of_two(const void *p, int32_t a, int32_t b);

static inline void tt_for_each(const tt_broadcast *plan, tt_of_two *of_two, const void *p,
                               const int8_t *input1, const int8_t *input2, int8_t *output)
{
    tt_walk walk = tt_walk_begin(plan);
    do {
        const int8_t *a = input1 + walk.offset1;
        const int8_t *b = input2 + walk.offset2;
        for (int32_t i = 0; i < walk.count; i++) {
            *output++ = (int8_t)of_two(p, *a, *b);
            a += walk.step1;
            b += walk.step2;
        }
    } while (tt_walk_next(&walk));
}

static inline void tt_for_each_int16(const tt_broadcast *plan, tt_of_two *of_two, const void *p,
                                     const int16_t *input1, const int16_t *input2, int16_t *output)
{
    tt_walk walk = tt_walk_begin(plan);
    do {
        const int16_t *a = input1 + walk.offset1;
        const int16_t *b = input2 + walk.offset2;
        for (int32_t i = 0; i < walk.count; i++) {
            *output++ = (int16_t)of_two(p, *a, *b);
            a += walk.step1;
            b += walk.step2;
        }
    } while (tt_walk_next(&walk));
}

#endif
