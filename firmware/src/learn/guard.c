/* What the guard makes of the evidence. */
#include "guard.h"

#include "tinytrain/arithmetic.h"

#define GAIN_SHIFT 4
#define BEST_UNIT 256

void tt_guard_judge(const tt_learner_constants *rules, tt_progress *work, int32_t factory_loss,
                    int32_t candidate_loss)
{
    int32_t cap = rules->loss_cap;
    int32_t gain = (tt_min(factory_loss, cap) - tt_min(candidate_loss, cap)) >> GAIN_SHIFT;
    work->gain += gain;
    work->squares += (uint32_t)(gain * gain);
    work->samples++;
}

int32_t tt_guard_accepts(const tt_learner_constants *rules, const tt_progress *work, int32_t best)
{
    int64_t beyond = (int64_t)work->gain - rules->margin;
    int64_t chance = (int64_t)((uint32_t)rules->confidence * rules->confidence) * work->squares;
    if (beyond <= 0 || 256 * beyond * beyond <= chance) {
        return 0;
    }
    int64_t behind = (int64_t)best * work->samples - (int64_t)work->gain * BEST_UNIT;
    return behind <= 0 || behind * behind <= (int64_t)work->squares * (BEST_UNIT * BEST_UNIT);
}

int32_t tt_guard_score(const tt_progress *work)
{
    return (int32_t)tt_divide_rounded(work->gain * BEST_UNIT, (int32_t)work->samples);
}
