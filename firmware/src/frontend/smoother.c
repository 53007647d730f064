/* Means over the last inferences, a threshold, and a pause after each detection. */
#include "smoother.h"

#include <string.h>

#include "tinytrain/arithmetic.h"

#define LONG_AGO 0xffffu

void tt_smoother_reset(tt_smoother *smoother)
{
    smoother->classes = 0;
    smoother->averaged = 0;
    smoother->newest = 0;
    smoother->since = LONG_AGO;
    smoother->detected = TT_STREAM_NOTHING;
    memset(smoother->mean, 0, smoother->capacity * sizeof *smoother->mean);
}

uint16_t *tt_smoother_next(tt_smoother *smoother)
{
    uint16_t average = (uint16_t)smoother->constants->average;
    if (smoother->averaged > 0u) {
        smoother->newest = (uint16_t)((smoother->newest + 1u) % average);
    }
    if (smoother->averaged < average) {
        smoother->averaged++;
    }
    uint16_t *place = smoother->probabilities + (size_t)smoother->newest * smoother->capacity;
    memset(place, 0, smoother->capacity * sizeof *place);
    return place;
}

/* The places in use are the first `averaged` of the ring, for it fills from the beginning on. */
static uint16_t mean_of(const tt_smoother *smoother, uint16_t class)
{
    int32_t sum = 0;
    for (uint16_t i = 0; i < smoother->averaged; i++) {
        sum += smoother->probabilities[(size_t)i * smoother->capacity + class];
    }
    return (uint16_t)tt_divide_rounded(sum, smoother->averaged);
}

static int32_t is_ignored(const tt_smoother_constants *constants, uint16_t class)
{
    for (int32_t i = 0; i < constants->ignored; i++) {
        if (constants->ignore[i] == class) {
            return 1;
        }
    }
    return 0;
}

int32_t tt_smoother_decide(tt_smoother *smoother, uint16_t classes)
{
    const tt_smoother_constants *constants = smoother->constants;
    uint16_t best = 0;
    smoother->classes = classes;
    for (uint16_t class = 0; class < classes; class ++) {
        smoother->mean[class] = mean_of(smoother, class);
        best = smoother->mean[class] > smoother->mean[best] ? class : best;
    }
    if (smoother->since >= constants->refractory && smoother->mean[best] >= constants->threshold &&
        !is_ignored(constants, best)) {
        smoother->since = 0;
        smoother->detected = best;
        return 1;
    }
    smoother->since = (uint16_t)(smoother->since + (smoother->since < LONG_AGO));
    return 0;
}
