/* A learner's work between samples: what it put aside is judged again, a blended covariance solved,
 * the candidate judged and taken. The stages stand in firmware/LEARNING.md, section 6 ("Work");
 * tinytrain/emulator/work.py computes the same.
 */
#include <string.h>

#include "drift.h"
#include "guard.h"
#include "learner_shared.h"
#include "memory.h"
#include "tinytrain/learner.h"

/* Begins the work where `least` samples have been learned since the last. */
void tt_learner_begin_work(tt_learner *learner, uint32_t least)
{
    if (learner->parts->rules->work_every > 0 && learner->work.stage == STAGE_IDLE &&
        learner->counters.due >= least) {
        learner->counters.due = 0;
        learner->work = (tt_progress){.stage = STAGE_JUDGE_AGAIN};
    }
}

void tt_learner_start_work(tt_learner *learner)
{
    tt_learner_begin_work(learner, 1);
}

/* Moves on to the next place whose state is `wanted`, or to any that is not empty where it is
 * TT_SLOT_EMPTY; 0 where there is none left. */
static int32_t find_place(tt_learner *learner, uint8_t wanted)
{
    tt_progress *work = &learner->work;
    const tt_memory *memory = &learner->memory;
    for (; work->label < memory->capacity; work->label++, work->place = 0) {
        for (; work->place < memory->rules->slots; work->place++) {
            uint8_t state = memory->state[tt_memory_index(memory, work->label, work->place)];
            if (wanted == TT_SLOT_EMPTY ? state != TT_SLOT_EMPTY : state == wanted) {
                return 1;
            }
        }
    }
    return 0;
}

static void next_stage(tt_learner *learner, uint16_t stage)
{
    learner->work.stage = stage;
    learner->work.label = 0;
    learner->work.place = 0;
}

static void judge_again(tt_learner *learner)
{
    tt_progress *work = &learner->work;
    const tt_learner_parts *parts = learner->parts;
    tt_head *head = &learner->head;
    if (!find_place(learner, TT_SLOT_ASIDE)) {
        int32_t blended = parts->analytic != NULL && parts->lda->blend > 0;
        if (blended) {
            parts->analytic->solve_start(&learner->lda);
        }
        next_stage(learner,
                   blended ? STAGE_SOLVE : (parts->rules->guard ? STAGE_JUDGE : STAGE_IDLE));
        return;
    }
    uint16_t best = tt_learner_recall(learner, work->label, work->place);
    if (tt_head_loss(head, best, work->label, head->rows.classes) <= parts->rules->implausible) {
        tt_learner_learn_stored(learner, work->label, work->place);
    }
    work->place++;
}

static void solve(tt_learner *learner)
{
    tt_rows *rows = &learner->head.rows;
    const tt_learner_parts *parts = learner->parts;
    if (!parts->analytic->solve_slice(&learner->lda, rows->classes, rows->weights, rows->bias)) {
        next_stage(learner, parts->rules->guard ? STAGE_JUDGE : STAGE_IDLE);
    }
}

/* The loaded input's loss under the candidate; where it was learned, without it. */
static int32_t unbiased_loss(tt_learner *learner, uint16_t label, int32_t learned)
{
    tt_head *head = &learner->head;
    const tt_learner_parts *parts = learner->parts;
    size_t features = parts->head->features;
    int16_t *row = head->rows.weights + label * features;
    int32_t bias = head->rows.bias[label];
    if (learned) {
        memcpy(learner->row, row, features * sizeof *row);
        parts->analytic->row_without(&learner->lda, label, head->input, row,
                                     &head->rows.bias[label]);
    }
    uint16_t best = tt_learner_forward_candidate(learner);
    if (learned) {
        memcpy(row, learner->row, features * sizeof *row);
        head->rows.bias[label] = bias;
    }
    return tt_head_loss(head, best, label, head->rows.classes);
}

static void judge(tt_learner *learner)
{
    tt_progress *work = &learner->work;
    tt_head *head = &learner->head;
    const tt_learner_parts *parts = learner->parts;
    int32_t analytic = parts->rules->kind == TT_KIND_LDA;
    if (!find_place(learner, analytic ? TT_SLOT_EMPTY : TT_SLOT_HELD)) {
        next_stage(learner, STAGE_DECIDE);
        return;
    }
    uint32_t index = tt_memory_index(&learner->memory, work->label, work->place);
    int32_t learned = analytic && learner->memory.state[index] == TT_SLOT_LEARNED;
    tt_head_load_input(head, tt_memory_sample(&learner->memory, work->label, work->place));
    uint16_t best = tt_learner_forward_factory(head);
    tt_head_softmax(head, best, parts->head->classes);
    int32_t factory_loss = tt_head_loss(head, best, work->label, parts->head->classes);
    tt_guard_judge(parts->rules, work, factory_loss, unbiased_loss(learner, work->label, learned));
    work->place++;
}

static void decide(tt_learner *learner)
{
    tt_progress *work = &learner->work;
    tt_learner_counters *counters = &learner->counters;
    const tt_learner_constants *rules = learner->parts->rules;
    int32_t taken = tt_guard_accepts(rules, work, counters->best);
    int32_t folded[4] = {work->gain, (int32_t)work->squares, (int32_t)work->samples, taken};
    if (taken) {
        if (counters->source == TT_SOURCE_ACTIVE) {
            tt_learner_keep_version(learner);
        }
        tt_learner_copy_rows(learner, &learner->active, &learner->head.rows);
        counters->source = TT_SOURCE_ACTIVE;
        counters->best = tt_guard_score(work);
        counters->stale = 0;
        if (counters->alarm) {
            tt_drift_reset(counters);
        }
    } else {
        counters->stale++;
        counters->best -= counters->best >> 2;
        if (rules->patience > 0 && counters->stale >= rules->patience) {
            counters->stopped = 1;
        }
    }
    tt_learner_fold_numbers(learner, folded, 4, 4);
    next_stage(learner, STAGE_IDLE);
}

int32_t tt_learner_work(tt_learner *learner)
{
    switch (learner->work.stage) {
    case STAGE_JUDGE_AGAIN:
        judge_again(learner);
        break;
    case STAGE_SOLVE:
        solve(learner);
        break;
    case STAGE_JUDGE:
        judge(learner);
        break;
    case STAGE_DECIDE:
        decide(learner);
        break;
    default: /* idle, or a state is being taken over */
        return 0;
    }
    return learner->work.stage != STAGE_IDLE;
}
