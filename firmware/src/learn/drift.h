/* Drift: what the device sees of late, against the baseline of what it saw first. The rules stand
 * in firmware/LEARNING.md, section 7; tinytrain/emulator/drift.py computes the same. */
#ifndef TINYTRAIN_DRIFT_H
#define TINYTRAIN_DRIFT_H

#include <stdint.h>

#include "tinytrain/learner.h"

/* A signal lies within +-TT_DRIFT_SIGNAL_LIMIT, what is made of it has 8 more fraction bits. */
#define TT_DRIFT_SIGNAL_LIMIT (1 << 13)
#define TT_DRIFT_MEAN_LIMIT (1 << 21)
/* The most that a sample adds to the sum of squares, in 16ths. */
#define TT_DRIFT_LARGEST_SQUARE (1u << 22)

/* Forgets the baseline: it begins anew. */
void tt_drift_reset(tt_learner_counters *counters);

/* One sample x, int16 [D], the factory head's class for it, below C0, and that class's
 * probability, Q15. */
void tt_drift_observe(const tt_learner_parts *parts, tt_learner_counters *counters,
                      const int16_t *x, uint16_t label, uint16_t probability);

#endif
