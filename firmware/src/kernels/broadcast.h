/* Walking two operands, either of which may repeat, in runs along their innermost dimension:
 *
 *     tt_walk walk = tt_walk_begin(&p->broadcast);
 *     do {
 *         for (int32_t i = 0; i < walk.count; i++) {
 *             *output++ = f(input1[walk.offset1 + i * walk.step1],
 *                           input2[walk.offset2 + i * walk.step2]);
 *         }
 *     } while (tt_walk_next(&walk));
 */
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

/* On to the next run; 0 behind the last. */
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

#endif
