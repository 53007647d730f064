/* The learner: policy around a head. tinytrain/emulator/learner.py computes the same bits; the
 * steps are numbered as in firmware/LEARNING.md, section 6.
 */
#include "tinytrain/learner.h"

#include "drift.h"
#include "learner_shared.h"
#include "memory.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/crc32.h"
#include "tinytrain/status.h"

/* How fast the running loss follows. */
#define LEVEL_SHIFT 4

/* Logits of the loaded input by the factory's rows, from flash; returns the class. */
uint16_t tt_learner_forward_factory(tt_head *head)
{
    const tt_head_constants *k = head->constants;
    uint16_t best = 0;
    for (uint16_t row = 0; row < k->classes; row++) {
        const int8_t *weights = k->weights + (size_t)row * k->features;
        int32_t sum = k->bias[row];
        for (uint16_t i = 0; i < k->features; i++) {
            sum += weights[i] * head->input[i];
        }
        head->logits[row] = tt_multiply_by_quantized_multiplier(sum, k->units.logit_multiplier[row],
                                                                k->units.logit_shift[row]);
        if (head->logits[row] > head->logits[best]) {
            best = row;
        }
    }
    return best;
}

/* The class of the loaded input by the rows that answer. */
static uint16_t forward_answering(tt_learner *learner)
{
    const tt_rows *rows =
        learner->counters.source == TT_SOURCE_ACTIVE ? &learner->active : &learner->head.rows;
    if (learner->counters.source == TT_SOURCE_FACTORY || learner->work.stage == TT_STAGE_IMPORT) {
        learner->answering = learner->parts->head->classes;
        return tt_learner_forward_factory(&learner->head);
    }
    learner->answering = rows->classes;
    return tt_head_forward(&learner->head, rows);
}

/* The candidate's answer to the loaded input: logits, probabilities, class. */
uint16_t tt_learner_forward_candidate(tt_learner *learner)
{
    tt_head *head = &learner->head;
    uint16_t best = tt_head_forward(head, &head->rows);
    tt_head_softmax(head, best, head->rows.classes);
    return best;
}

uint16_t tt_learner_classify(tt_learner *learner, const int8_t *features)
{
    tt_head_load_input(&learner->head, features);
    return forward_answering(learner);
}

/* Whether samples are taken now: -1, or why not. */
static int32_t closed(const tt_learner *learner)
{
    const tt_learner_constants *rules = learner->parts->rules;
    if (rules->daily_steps > 0 && learner->counters.today >= rules->daily_steps) {
        return TT_BUDGET;
    }
    return learner->counters.stopped ? TT_PATIENCE : -1;
}

static void fold(tt_learner *learner)
{
    if (learner->tracing) {
        learner->trace = tt_head_trace(&learner->head, learner->trace);
    }
}

void tt_learner_fold_numbers(tt_learner *learner, const int32_t *values, size_t count, size_t width)
{
    if (!learner->tracing) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[4];
        for (size_t j = 0; j < width; j++) {
            bytes[j] = (uint8_t)((uint32_t)values[i] >> (8u * j));
        }
        learner->trace = tt_crc32(learner->trace, bytes, width);
    }
}

/* Whether the analytic head learns the next sample of a class. */
static int32_t is_analytic(const tt_learner *learner, uint16_t label)
{
    const tt_learner_constants *rules = learner->parts->rules;
    return rules->kind == TT_KIND_LDA ||
           (rules->kind == TT_KIND_LDA_SGD && learner->lda.counts[label] < rules->start);
}

/* Head learn: the loaded input, which the candidate has just answered. */
static void learn_head(tt_learner *learner, uint16_t label)
{
    tt_head *head = &learner->head;
    const tt_learner_parts *parts = learner->parts;
    if (is_analytic(learner, label)) {
        parts->analytic->add(&learner->lda, head->input, label);
        head->rows_written = 0;
        if (parts->lda->blend == 0) {
            parts->analytic->row(&learner->lda, label,
                                 head->rows.weights + (size_t)label * parts->head->features,
                                 &head->rows.bias[label]);
            head->written[head->rows_written++] = label;
        }
    } else {
        tt_head_step(head, label);
    }
    if (!parts->rules->guard) {
        learner->counters.source = TT_SOURCE_CANDIDATE;
    }
    fold(learner);
}

/* Loads a stored sample; returns the candidate's class for it. */
uint16_t tt_learner_recall(tt_learner *learner, uint16_t label, uint16_t place)
{
    tt_head_load_input(&learner->head, tt_memory_sample(&learner->memory, label, place));
    return tt_learner_forward_candidate(learner);
}

void tt_learner_learn_stored(tt_learner *learner, uint16_t label, uint16_t place)
{
    learn_head(learner, label);
    learner->memory.state[tt_memory_index(&learner->memory, label, place)] = TT_SLOT_LEARNED;
}

static void replay(tt_learner *learner)
{
    const tt_learner_constants *rules = learner->parts->rules;
    if (rules->kind == TT_KIND_LDA || rules->slots == 0) {
        return;
    }
    for (uint16_t turn = 0; turn < rules->replays; turn++) {
        uint16_t label;
        uint16_t place;
        if (tt_memory_replayed(&learner->memory, learner->head.rows.classes, learner->counters.step,
                               turn, &label, &place)) {
            (void)tt_learner_recall(learner, label, place);
            tt_head_step(&learner->head, label);
            fold(learner);
        }
    }
}

/* Step 4: whether the candidate cannot believe the label; moves the running loss on. */
static int32_t is_implausible(tt_learner *learner, uint16_t best, uint16_t label)
{
    const tt_learner_constants *rules = learner->parts->rules;
    if (rules->implausible == 0) {
        return 0;
    }
    int32_t level = learner->counters.level;
    int32_t loss = tt_head_loss(&learner->head, best, label, learner->head.rows.classes);
    learner->counters.level = level + ((tt_min(loss, rules->loss_cap) - level) >> LEVEL_SHIFT);
    return label < learner->parts->head->classes && best != label &&
           loss > tt_max(rules->implausible, 3 * level);
}

static void store(tt_learner *learner, const int8_t *features, uint16_t label, uint8_t state,
                  uint16_t guess)
{
    tt_memory *memory = &learner->memory;
    if (memory->rules->slots > 0) {
        uint16_t place = tt_memory_reserve(memory, label, learner->counters.step);
        tt_memory_write(memory, label, place, features, state, guess);
    }
}

/* Steps 6 to 8: a sample that is not held aside. */
static int32_t learn_or_put_aside(tt_learner *learner, const int8_t *features, uint16_t label,
                                  uint16_t best, int32_t implausible)
{
    tt_head *head = &learner->head;
    uint16_t partner =
        implausible ? tt_memory_confirmation(&learner->memory, label, best) : TT_NOWHERE;
    if (implausible && partner == TT_NOWHERE) {
        head->rows_written = 0;
        fold(learner);
        store(learner, features, label, TT_SLOT_ASIDE, best);
        return TT_ASIDE;
    }
    if (implausible) {
        (void)tt_learner_recall(learner, label, partner);
        tt_learner_learn_stored(learner, label, partner);
        tt_head_load_input(head, features);
        (void)tt_learner_forward_candidate(learner);
    }
    learn_head(learner, label);
    int32_t outcome =
        head->rows_written > 0 || learner->parts->analytic != NULL ? TT_LEARNED : TT_CONFIDENT;
    uint16_t rows_written = head->rows_written;
    store(learner, features, label, TT_SLOT_LEARNED, best);
    learner->counters.due++;
    replay(learner);
    head->rows_written = rows_written;
    return outcome;
}

int32_t tt_learner_learn(tt_learner *learner, const int8_t *features, uint16_t label)
{
    tt_head *head = &learner->head;
    if (learner->work.stage != STAGE_IDLE) {
        return TT_ERROR_BUSY;
    }
    if (label >= head->rows.classes) {
        return TT_ERROR_LABEL;
    }
    int32_t outcome = closed(learner);
    if (outcome >= 0) {
        head->rows_written = 0;
        learner->predicted = TT_NOT_ASKED;
        return outcome;
    }
    learner->counters.step++;
    learner->counters.today++;
    tt_head_load_input(head, features);
    uint16_t best = tt_learner_forward_candidate(learner);
    learner->predicted = best;
    int32_t implausible = is_implausible(learner, best, label);
    uint16_t held = tt_memory_offer(&learner->memory, label);
    if (held != TT_NOWHERE) {
        head->rows_written = 0;
        fold(learner);
        tt_memory_write(&learner->memory, label, held, features, TT_SLOT_HELD, best);
        outcome = TT_HELD;
    } else {
        outcome = learn_or_put_aside(learner, features, label, best, implausible);
    }
    tt_learner_fold_numbers(learner, &outcome, 1, 2);
    tt_learner_begin_work(learner, learner->parts->rules->work_every);
    return outcome;
}

int32_t tt_learner_add_class(tt_learner *learner)
{
    const tt_learner_parts *parts = learner->parts;
    tt_rows *rows = &learner->head.rows;
    if (learner->work.stage != STAGE_IDLE) {
        return TT_ERROR_BUSY;
    }
    if (rows->classes >= parts->head->capacity) {
        return TT_ERROR_FULL;
    }
    if (parts->rules->kind == TT_KIND_SGD) {
        (void)tt_head_add_class(&learner->head);
    } else {
        tt_learner_add_inert_class(rows, parts->head->features);
    }
    if (!parts->rules->guard) {
        learner->counters.source = TT_SOURCE_CANDIDATE;
    }
    learner->counters.stopped = 0;
    return rows->classes - 1;
}

void tt_learner_new_day(tt_learner *learner)
{
    if (learner->work.stage == TT_STAGE_IMPORT) {
        return;
    }
    learner->counters.today = 0;
    learner->counters.stale = 0;
    learner->counters.stopped = 0;
}

/* The class of the loaded input by the rows that answer; its probability is head.probabilities. */
static uint16_t answer(tt_learner *learner)
{
    uint16_t best = forward_answering(learner);
    tt_head_softmax(&learner->head, best, learner->answering);
    return best;
}

/* The same, and follows drift by what the factory head makes of the input. An answer that is an
 * added class is not followed: training knows nothing of it. */
static uint16_t answer_and_follow(tt_learner *learner)
{
    tt_head *head = &learner->head;
    const tt_learner_parts *parts = learner->parts;
    uint16_t known = tt_learner_forward_factory(head);
    tt_head_softmax(head, known, parts->head->classes);
    uint16_t probability = head->probabilities[known];
    uint16_t best = known;
    if (learner->counters.source == TT_SOURCE_FACTORY) {
        learner->answering = parts->head->classes;
    } else {
        best = answer(learner);
    }
    if (best < parts->head->classes) {
        tt_drift_observe(parts, &learner->counters, head->input, known, probability);
    }
    return best;
}

uint16_t tt_learner_observe(tt_learner *learner, const int8_t *features)
{
    tt_head *head = &learner->head;
    const tt_learner_parts *parts = learner->parts;
    if (learner->work.stage == TT_STAGE_IMPORT) {
        return tt_learner_classify(learner, features);
    }
    tt_head_load_input(head, features);
    uint16_t best = parts->drift != NULL ? answer_and_follow(learner) : answer(learner);
    uint16_t probability = head->probabilities[best];
    if (parts->rules->pseudo > 0 && probability >= parts->rules->pseudo &&
        !learner->counters.alarm && learner->work.stage == STAGE_IDLE && closed(learner) < 0 &&
        best < head->rows.classes) {
        learner->counters.step++;
        learner->counters.today++;
        (void)tt_learner_forward_candidate(learner);
        learn_head(learner, best);
    }
    return best;
}

uint16_t tt_learner_alarm(const tt_learner *learner)
{
    return learner->work.stage != TT_STAGE_IMPORT && learner->counters.alarm != 0;
}
