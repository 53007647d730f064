/* Drift: running means of confidence and of the distance from training. The rules stand in
 * firmware/LEARNING.md, section 7; tinytrain/emulator/drift.py computes the same. */
#ifndef TINYTRAIN_DRIFT_H
#define TINYTRAIN_DRIFT_H

#include <stdint.h>

#include "tinytrain/learner.h"

/* As a device leaves the factory. */
void tt_drift_reset(const tt_drift_constants *constants, tt_learner_counters *counters);

/* One sample x, int16 [D], its class and the class's probability, Q15. */
void tt_drift_observe(const tt_learner_parts *parts, tt_learner_counters *counters,
                      const int16_t *x, uint16_t label, uint16_t probability);

#endif
