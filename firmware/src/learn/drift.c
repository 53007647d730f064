/* Drift: a device's own baseline, and running means that leave it. */
#include "drift.h"

#include <stddef.h>

#include "whiten.h"

#define FRACTION_BITS 8
#define FRACTION_UNIT (1 << FRACTION_BITS)
#define CERTAIN (1 << 15)
#define DOUBT_SHIFT 2
#define SQUARE_SHIFT 4

void tt_drift_reset(tt_learner_counters *counters)
{
    counters->settled = 0;
    counters->distance = (tt_drift_signal){0, 0, 0};
    counters->doubt = (tt_drift_signal){0, 0, 0};
    counters->alarm = 0;
}

/* Standard deviations from the training mean of a class, the mean over features, Q10, less what is
 * usual for that class. */
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
    int32_t distance = sum / features - parts->drift->usual[label];
    return tt_clamp(distance, -TT_DRIFT_SIGNAL_LIMIT, TT_DRIFT_SIGNAL_LIMIT);
}

static void add(tt_drift_signal *signal, int32_t value)
{
    signal->level += value;
    signal->spread += (uint32_t)(value * value) >> SQUARE_SHIFT;
}

/* Sums over n = 2^shift samples to mean and deviation. n^2 variances take at most 44 bits. */
static void settle(tt_drift_signal *signal, int32_t shift, int32_t least_spread)
{
    int64_t variance = ((int64_t)signal->spread << (SQUARE_SHIFT + shift)) -
                       (int64_t)signal->level * signal->level;
    uint64_t scaled = variance > 0 ? (uint64_t)variance << (2 * FRACTION_BITS) : 0u;
    int32_t deviation = (int32_t)(tt_isqrt64(scaled) >> shift);
    signal->spread = (uint32_t)tt_max(deviation, least_spread);
    signal->level = (signal->level * FRACTION_UNIT) >> shift;
    signal->running = signal->level;
}

static void follow(tt_drift_signal *signal, int32_t value, int32_t shift)
{
    signal->running += (value * FRACTION_UNIT - signal->running) >> shift;
}

/* How far a running mean may rise above its baseline. */
static int32_t allowed(const tt_drift_signal *signal, int32_t on)
{
    return (int32_t)(((int64_t)signal->spread * on) >> FRACTION_BITS);
}

/* The alarm that follows from the running means; between half of what is allowed and all of it,
 * the last one. */
static uint32_t judge(const tt_drift_constants *k, const tt_learner_counters *counters)
{
    int32_t distance = counters->distance.running - counters->distance.level;
    int32_t doubt = counters->doubt.running - counters->doubt.level;
    int32_t distance_allowed = allowed(&counters->distance, k->distance_on);
    int32_t doubt_allowed = allowed(&counters->doubt, k->doubt_on);
    int32_t strange =
        counters->source == TT_SOURCE_FACTORY && counters->distance.level > k->distance_limit;
    if (strange || distance > distance_allowed || doubt > doubt_allowed) {
        return 1;
    }
    if (distance < distance_allowed >> 1 && doubt < doubt_allowed >> 1) {
        return 0;
    }
    return counters->alarm;
}

void tt_drift_observe(const tt_learner_parts *parts, tt_learner_counters *counters,
                      const int16_t *x, uint16_t label, uint16_t probability)
{
    const tt_drift_constants *k = parts->drift;
    int32_t distance = distance_of(parts, x, label);
    int32_t doubt = (CERTAIN - probability) >> DOUBT_SHIFT;
    if (counters->settled < 1u << k->settle_shift) {
        add(&counters->distance, distance);
        add(&counters->doubt, doubt);
        counters->settled++;
        if (counters->settled < 1u << k->settle_shift) {
            return;
        }
        settle(&counters->distance, k->settle_shift, k->distance_spread);
        settle(&counters->doubt, k->settle_shift, k->doubt_spread);
    } else {
        follow(&counters->distance, distance, k->drift_shift);
        follow(&counters->doubt, doubt, k->drift_shift);
    }
    counters->alarm = judge(k, counters);
}
