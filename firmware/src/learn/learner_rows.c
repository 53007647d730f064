/* The rows that a learner begins with, keeps and goes back to. The rules stand in
 * firmware/LEARNING.md, section 6 ("Roll back"); tinytrain/emulator/candidate.py and
 * row_copies.py compute the same.
 */
#include <string.h>

#include "drift.h"
#include "learner_shared.h"
#include "memory.h"
#include "tinytrain/learner.h"
#include "tinytrain/status.h"

/* Kept out of int32's overflow, far above any sum that a row of weights reaches. */
#define INERT_BIAS (-(1 << 30))

/* A class whose row answers nothing until its first sample. */
void tt_learner_add_inert_class(tt_rows *rows, uint16_t features)
{
    memset(rows->weights + (size_t)rows->classes * features, 0, features * sizeof *rows->weights);
    rows->bias[rows->classes] = INERT_BIAS;
    rows->classes++;
}

void tt_learner_copy_rows(const tt_learner *learner, tt_rows *to, const tt_rows *from)
{
    const tt_head_constants *k = learner->parts->head;
    memcpy(to->weights, from->weights, (size_t)k->capacity * k->features * sizeof *to->weights);
    memcpy(to->bias, from->bias, k->capacity * sizeof *to->bias);
    to->units = from->units;
    to->classes = from->classes;
}

static void clear_rows(const tt_learner *learner, tt_rows *rows)
{
    const tt_head_constants *k = learner->parts->head;
    memset(rows->weights, 0, (size_t)k->capacity * k->features * sizeof *rows->weights);
    memset(rows->bias, 0, k->capacity * sizeof *rows->bias);
    tt_head_load_factory(k, rows);
}

/* The rows of an analytic head that has seen nothing. */
static void load_prior(const tt_lda_constants *k, tt_rows *rows)
{
    memcpy(rows->weights, k->weights, (size_t)k->classes * k->features * sizeof *rows->weights);
    memcpy(rows->bias, k->bias, k->classes * sizeof *rows->bias);
    rows->units = &k->units;
    rows->classes = k->classes;
}

/* The candidate and everything that it learned from, as they begin; `classes` of them, and for
 * sgd the rows of `answering` (NULL: the factory's). */
static void begin(tt_learner *learner, uint16_t classes, const tt_rows *answering)
{
    const tt_learner_parts *parts = learner->parts;
    tt_learner_counters *counters = &learner->counters;
    tt_head_reset(&learner->head);
    clear_rows(learner, &learner->head.rows);
    if (parts->analytic != NULL) {
        parts->analytic->reset(&learner->lda);
        load_prior(parts->lda, &learner->head.rows);
        while (learner->head.rows.classes < classes) {
            tt_learner_add_inert_class(&learner->head.rows, parts->head->features);
        }
    } else if (answering != NULL) {
        tt_learner_copy_rows(learner, &learner->head.rows, answering);
    }
    tt_memory_clear(&learner->memory);
    counters->level = parts->rules->implausible;
    counters->best = 0;
    counters->stale = 0;
    counters->due = 0;
    counters->stopped = 0;
    tt_drift_reset(counters);
    learner->work.stage = STAGE_IDLE;
}

void tt_learner_reset(tt_learner *learner)
{
    const tt_learner_parts *parts = learner->parts;
    memset(&learner->counters, 0, sizeof learner->counters);
    learner->trace = 0;
    begin(learner, parts->head->classes, NULL);
    if (parts->rules->guard) {
        clear_rows(learner, &learner->active);
        for (uint16_t i = 0; i < parts->rules->versions; i++) {
            clear_rows(learner, &learner->version[i]);
        }
    }
}

/* The active rows become the newest version. */
void tt_learner_keep_version(tt_learner *learner)
{
    uint16_t versions = learner->parts->rules->versions;
    if (versions == 0) {
        return;
    }
    for (uint16_t i = (uint16_t)(versions - 1); i > 0; i--) {
        tt_learner_copy_rows(learner, &learner->version[i], &learner->version[i - 1]);
    }
    tt_learner_copy_rows(learner, &learner->version[0], &learner->active);
    if (learner->counters.kept < versions) {
        learner->counters.kept++;
    }
}

int32_t tt_learner_roll_back(tt_learner *learner, uint16_t version)
{
    tt_learner_counters *counters = &learner->counters;
    if (learner->work.stage == TT_STAGE_IMPORT) {
        return TT_ERROR_BUSY;
    }
    if (version > counters->kept) {
        return TT_ERROR_RANGE;
    }
    if (version == 0) {
        counters->kept = 0;
        counters->source = TT_SOURCE_FACTORY;
        if (learner->parts->rules->guard) {
            clear_rows(learner, &learner->active);
        }
        begin(learner, learner->parts->head->classes, NULL);
        return TT_OK;
    }
    tt_learner_copy_rows(learner, &learner->active, &learner->version[version - 1]);
    for (uint16_t i = 0; i + version < learner->parts->rules->versions; i++) {
        tt_learner_copy_rows(learner, &learner->version[i], &learner->version[i + version]);
    }
    counters->kept -= version;
    counters->source = TT_SOURCE_ACTIVE;
    begin(learner, learner->active.classes, &learner->active);
    return TT_OK;
}
