/* Drift: running means of confidence and of the distance from training. */
#include "drift.h"

#include <stddef.h>

#include "whiten.h"

#define FRACTION_UNIT 256

void tt_drift_reset(const tt_drift_constants *constants, tt_learner_counters *counters)
{
    counters->confidence = constants->confidence;
    counters->distance = constants->distance;
    counters->alarm = 0;
}

/* Standard deviations from the training mean of a class, the mean over features, Q10. */
static int32_t distance_of(const tt_learner_parts *parts, const int16_t *x, uint16_t label)
{
    const tt_lda_constants *k = parts->lda;
    uint16_t features = parts->head->features;
    const int16_t *mean = k->means + (size_t)label * features;
    int32_t sum = 0;
    for (uint16_t i = 0; i < features; i++) {
        int32_t u = tt_whiten(k, i, x[i] * 128 - mean[i]);
        sum += u < 0 ? -u : u;
    }
    return sum / features;
}

void tt_drift_observe(const tt_learner_parts *parts, tt_learner_counters *counters,
                      const int16_t *x, uint16_t label, uint16_t probability)
{
    const tt_drift_constants *k = parts->drift;
    counters->confidence +=
        ((int32_t)probability * FRACTION_UNIT - counters->confidence) >> k->drift_shift;
    if (label < parts->head->classes) {
        counters->distance +=
            (distance_of(parts, x, label) * FRACTION_UNIT - counters->distance) >> k->drift_shift;
    }
    if (counters->distance > k->distance_on || counters->confidence < k->confidence_on) {
        counters->alarm = 1;
    } else if (counters->distance < k->distance_off && counters->confidence > k->confidence_off) {
        counters->alarm = 0;
    }
}
