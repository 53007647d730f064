/* From the probabilities of inferences to detections (firmware/FRONTEND.md, section 5). */
#ifndef TINYTRAIN_SMOOTHER_H
#define TINYTRAIN_SMOOTHER_H

#include "tinytrain/stream.h"

/* Forgets all inferences. */
void tt_smoother_reset(tt_smoother *smoother);

/* The place [capacity] for the next inference's probabilities, all 0. */
uint16_t *tt_smoother_next(tt_smoother *smoother);

/* Those at the newest place, of `classes` classes, take part. 1 where they came to a detection,
 * else 0. */
int32_t tt_smoother_decide(tt_smoother *smoother, uint16_t classes);

#endif
