/* What the guard makes of the evidence. The rules stand in firmware/LEARNING.md, section 6
 * ("Work", 3 and 4); tinytrain/emulator/guard.py computes the same. */
#ifndef TINYTRAIN_GUARD_H
#define TINYTRAIN_GUARD_H

#include <stdint.h>

#include "tinytrain/learner.h"

/* One more sample that judges, by its loss under the factory head and the candidate, Q10 bits. */
void tt_guard_judge(const tt_learner_constants *rules, tt_progress *work, int32_t factory_loss,
                    int32_t candidate_loss);

/* Whether the candidate is taken: better than the factory by more than chance, and not clearly
 * worse than the `best` that was taken before. */
int32_t tt_guard_accepts(const tt_learner_constants *rules, const tt_progress *work, int32_t best);

/* What `best` becomes when a candidate is taken. */
int32_t tt_guard_score(const tt_progress *work);

#endif
