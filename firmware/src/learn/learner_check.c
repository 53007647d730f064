/* Whether a state that was taken over is one that a learner can have: every number that others are
 * bounded by, and every one that nothing uses. firmware/LEARNING.md, section 8, has the bounds;
 * tinytrain/emulator/learner_import.py decides the same.
 */
#include "drift.h"
#include "learner_shared.h"
#include "memory.h"

#define BIAS_LIMIT (1 << 30)
#define COUNT_LIMIT 2047u
#define SCATTER_COUNT_LIMIT 4096u
#define LARGEST_FEATURE 255
#define LARGEST_PRODUCT (512 * 512)
#define LEVEL_LIMIT (32 * 1024)
#define LARGEST_BEST (1 << 24)

static int32_t within(int32_t value, int32_t limit)
{
    return value >= -limit && value <= limit;
}

static int32_t classes_fit(const tt_learner *learner, uint32_t classes)
{
    const tt_head_constants *k = learner->parts->head;
    return classes >= k->classes && classes <= k->capacity;
}

/* A signal of drift: sums of `settled` samples, or what was made of all of them. */
static int32_t signal_fits(const tt_drift_signal *signal, uint32_t settled, int32_t complete)
{
    if (!complete) {
        return within(signal->level, TT_DRIFT_SIGNAL_LIMIT * (int32_t)settled) &&
               signal->spread <= TT_DRIFT_LARGEST_SQUARE * settled && signal->running == 0;
    }
    return within(signal->level, TT_DRIFT_MEAN_LIMIT) && signal->spread <= TT_DRIFT_MEAN_LIMIT &&
           within(signal->running, TT_DRIFT_MEAN_LIMIT);
}

static int32_t drift_fits(const tt_learner *learner)
{
    const tt_learner_counters *c = &learner->counters;
    const tt_drift_constants *k = learner->parts->drift;
    uint32_t all = k != NULL ? 1u << k->settle_shift : 0u;
    int32_t complete = all > 0u && c->settled == all;
    return c->settled <= all && c->alarm <= (uint32_t)complete &&
           signal_fits(&c->distance, c->settled, complete) &&
           signal_fits(&c->doubt, c->settled, complete);
}

/* Classes of the active rows and of the versions; of rows that this learner has not, 0. */
static int32_t copies_fit(const tt_learner *learner)
{
    const tt_learner_counters *c = &learner->counters;
    const tt_learner_constants *rules = learner->parts->rules;
    int32_t fit = rules->guard ? classes_fit(learner, c->active_classes) : c->active_classes == 0;
    for (uint16_t i = 0; i < TT_MAX_VERSIONS; i++) {
        uint32_t classes = c->version_classes[i];
        fit = fit &&
              (rules->guard && i < rules->versions ? classes_fit(learner, classes) : classes == 0);
    }
    return fit;
}

static int32_t counters_fit(const tt_learner *learner)
{
    const tt_learner_counters *c = &learner->counters;
    const tt_learner_constants *rules = learner->parts->rules;
    uint32_t most = rules->guard ? TT_SOURCE_ACTIVE : TT_SOURCE_CANDIDATE;
    uint32_t versions = rules->guard ? rules->versions : 0u;
    return classes_fit(learner, c->candidate_classes) && c->source <= most &&
           !(rules->guard == 0 && c->source == TT_SOURCE_ACTIVE) && c->stopped <= 1 &&
           c->level >= 0 && c->level <= LEVEL_LIMIT && within(c->best, LARGEST_BEST) &&
           c->kept <= versions && copies_fit(learner) && drift_fits(learner);
}

static int32_t rows_fit(const tt_learner *learner, const tt_rows *rows)
{
    for (uint16_t row = 0; row < learner->parts->head->capacity; row++) {
        if (!within(rows->bias[row], BIAS_LIMIT)) {
            return 0;
        }
    }
    return 1;
}

static int32_t scatter_fits(const tt_lda *lda, size_t features)
{
    if (lda->constants->blend == 0) {
        return *lda->scatter_count == 0;
    }
    if (*lda->scatter_count > SCATTER_COUNT_LIMIT) {
        return 0;
    }
    for (size_t i = 0; i < features * (features + 1u) / 2u; i++) {
        if (!within(lda->scatter[i], LARGEST_PRODUCT * *lda->scatter_count)) {
            return 0;
        }
    }
    return 1;
}

/* Counts fill words: behind an odd number of them there is one that nothing uses. */
static int32_t padding_fits(const tt_lda *lda, size_t capacity)
{
    return capacity % 2u != 0u || lda->scatter_count[1] == 0;
}

static int32_t lda_fits(const tt_learner *learner)
{
    const tt_head_constants *k = learner->parts->head;
    const tt_lda *lda = &learner->lda;
    if (learner->parts->analytic == NULL) {
        return 1;
    }
    for (size_t row = 0; row < k->capacity; row++) {
        uint32_t most = row < learner->counters.candidate_classes ? COUNT_LIMIT : 0u;
        if (lda->counts[row] > most) {
            return 0;
        }
        for (size_t i = 0; i < k->features; i++) {
            if (!within(lda->sums[row * k->features + i], LARGEST_FEATURE * lda->counts[row])) {
                return 0;
            }
        }
    }
    return scatter_fits(lda, k->features) && padding_fits(lda, k->capacity);
}

/* What the memory counts of a class, which was never met where there is none of it. */
static int32_t row_of_memory_fits(const tt_learner *learner, uint16_t label)
{
    const tt_memory *memory = &learner->memory;
    if (label >= learner->counters.candidate_classes) {
        return memory->stored[label] == 0 && memory->seen[label] == 0 &&
               memory->offered[label] == 0;
    }
    return memory->stored[label] <= memory->rules->slots - memory->rules->held;
}

/* Every stored place is in use, no other one is, and none is of a class that there is not. */
static int32_t memory_fits(const tt_learner *learner)
{
    const tt_memory *memory = &learner->memory;
    const tt_learner_constants *rules = memory->rules;
    for (uint16_t label = 0; label < memory->capacity; label++) {
        if (!row_of_memory_fits(learner, label)) {
            return 0;
        }
        for (uint16_t place = 0; place < rules->slots; place++) {
            uint32_t index = tt_memory_index(memory, label, place);
            uint8_t state = memory->state[index];
            int32_t used = place >= rules->held && place < rules->held + memory->stored[label];
            int32_t fits = place < rules->held
                               ? (state == TT_SLOT_EMPTY || state == TT_SLOT_HELD)
                               : (used ? state == TT_SLOT_LEARNED || state == TT_SLOT_ASIDE
                                       : state == TT_SLOT_EMPTY);
            if (!fits || memory->guess[index] >= memory->capacity ||
                (state != TT_SLOT_EMPTY && label >= learner->counters.candidate_classes)) {
                return 0;
            }
        }
    }
    return 1;
}

int32_t tt_learner_state_fits(const tt_learner *learner)
{
    int32_t fit = counters_fit(learner) && rows_fit(learner, &learner->head.rows) &&
                  lda_fits(learner) && memory_fits(learner);
    if (learner->parts->rules->guard) {
        fit = fit && rows_fit(learner, &learner->active);
        for (uint16_t i = 0; i < learner->parts->rules->versions; i++) {
            fit = fit && rows_fit(learner, &learner->version[i]);
        }
    }
    return fit;
}
