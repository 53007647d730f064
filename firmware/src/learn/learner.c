/* The learner: policy around a head. tinytrain/emulator/learner.py computes the same bits; the
 * steps are numbered as in firmware/LEARNING.md, section 6.
 */
#include "tinytrain/learner.h"

#include <string.h>

#include "drift.h"
#include "guard.h"
#include "memory.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/crc32.h"
#include "tinytrain/status.h"

/* How fast the running loss follows. */
#define LEVEL_SHIFT 4

/* The stages of work. */
enum {
    STAGE_IDLE,
    STAGE_JUDGE_AGAIN,
    STAGE_SOLVE,
    STAGE_JUDGE,
    STAGE_DECIDE
};

/* Kept out of int32's overflow, far above any sum that a row of weights reaches. */
#define INERT_BIAS (-(1 << 30))

static size_t aligned(size_t bytes)
{
    return TT_ALIGNED(bytes);
}

static size_t rows_bytes(const tt_learner *learner)
{
    const tt_head_constants *k = learner->parts->head;
    return aligned(TT_ROWS_BYTES((size_t)k->capacity, (size_t)k->features));
}

/* The next `bytes` of the buffer. */
static void *take(uint8_t **cursor, size_t bytes)
{
    void *taken = *cursor;
    *cursor += aligned(bytes);
    return taken;
}

static void carve_rows(tt_learner *learner, tt_rows *rows, uint8_t **cursor)
{
    const tt_head_constants *k = learner->parts->head;
    uint8_t *place = take(cursor, rows_bytes(learner));
    rows->bias = (int32_t *)(void *)place;
    rows->weights = (int16_t *)(void *)(place + k->capacity * sizeof *rows->bias);
}

static void carve_memory(tt_learner *learner, uint8_t **cursor)
{
    const tt_head_constants *k = learner->parts->head;
    tt_memory *memory = &learner->memory;
    size_t places = (size_t)k->capacity * learner->parts->rules->slots;
    memory->rules = learner->parts->rules;
    memory->features = k->features;
    memory->capacity = k->capacity;
    /* Widest items first, so that everything is aligned. */
    memory->guess = take(cursor, TT_MEMORY_BYTES((size_t)k->capacity, (size_t)k->features,
                                                 (size_t)learner->parts->rules->slots));
    memory->seen = memory->guess + places;
    memory->offered = memory->seen + k->capacity;
    memory->samples = (int8_t *)(memory->offered + k->capacity);
    memory->state = (uint8_t *)(memory->samples + places * k->features);
    memory->stored = memory->state + places;
}

static uint16_t copies(const tt_learner_constants *rules)
{
    return (uint16_t)(rules->guard ? 1 + rules->versions : 0);
}

static size_t bytes_of(const tt_learner_parts *parts)
{
    const tt_head_constants *k = parts->head;
    const tt_learner_constants *rules = parts->rules;
    size_t blended = parts->analytic != NULL && parts->lda->blend > 0;
    return TT_LEARNER_BYTES((size_t)k->capacity, (size_t)k->features, k->wide, (size_t)rules->slots,
                            copies(rules), parts->analytic != NULL, blended);
}

int32_t tt_learner_init(tt_learner *learner, const tt_learner_parts *parts, void *memory,
                        size_t bytes)
{
    const tt_head_constants *k = parts->head;
    uint8_t *cursor = memory;
    if (memory == NULL || (uintptr_t)memory % 4u != 0u || bytes < bytes_of(parts)) {
        return TT_ERROR_MEMORY;
    }
    memset(learner, 0, sizeof *learner);
    learner->parts = parts;
    size_t head_bytes = aligned(TT_HEAD_BYTES((size_t)k->capacity, (size_t)k->features, k->wide));
    (void)tt_head_init(&learner->head, k, take(&cursor, head_bytes), head_bytes);
    if (parts->analytic != NULL) {
        size_t lda_bytes = aligned(TT_LDA_BYTES((size_t)k->capacity, (size_t)k->features,
                                                (size_t)(parts->lda->blend > 0)));
        learner->row = take(&cursor, k->features * sizeof *learner->row);
        (void)parts->analytic->init(&learner->lda, parts->lda, take(&cursor, lda_bytes), lda_bytes);
    }
    if (parts->rules->guard) {
        carve_rows(learner, &learner->active, &cursor);
        for (uint16_t i = 0; i < parts->rules->versions; i++) {
            carve_rows(learner, &learner->version[i], &cursor);
        }
    }
    carve_memory(learner, &cursor);
    tt_learner_reset(learner);
    return TT_OK;
}

tt_learner *tt_learner_place(const tt_learner_parts *parts, void *memory, size_t bytes)
{
    size_t own = (sizeof(tt_learner) + 7u) / 8u * 8u;
    tt_learner *learner = memory;
    if (memory == NULL || (uintptr_t)memory % 8u != 0u || bytes < own) {
        return NULL;
    }
    int32_t status = tt_learner_init(learner, parts, (uint8_t *)memory + own, bytes - own);
    return status == TT_OK ? learner : NULL;
}

/* A class whose row answers nothing until its first sample. */
static void add_inert_class(tt_rows *rows, uint16_t features)
{
    memset(rows->weights + (size_t)rows->classes * features, 0, features * sizeof *rows->weights);
    rows->bias[rows->classes] = INERT_BIAS;
    rows->classes++;
}

static void copy_rows(const tt_learner *learner, tt_rows *to, const tt_rows *from)
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
            add_inert_class(&learner->head.rows, parts->head->features);
        }
    } else if (answering != NULL) {
        copy_rows(learner, &learner->head.rows, answering);
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

/* Logits of the loaded input by the factory's rows, from flash; returns the class. */
static uint16_t forward_factory(tt_head *head)
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
    if (learner->counters.source == TT_SOURCE_FACTORY) {
        learner->answering = learner->parts->head->classes;
        return forward_factory(&learner->head);
    }
    learner->answering = rows->classes;
    return tt_head_forward(&learner->head, rows);
}

/* The candidate's answer to the loaded input: logits, probabilities, class. */
static uint16_t forward_candidate(tt_learner *learner)
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

static void fold_numbers(tt_learner *learner, const int32_t *values, size_t count, size_t width)
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
static uint16_t recall(tt_learner *learner, uint16_t label, uint16_t place)
{
    tt_head_load_input(&learner->head, tt_memory_sample(&learner->memory, label, place));
    return forward_candidate(learner);
}

static void learn_stored(tt_learner *learner, uint16_t label, uint16_t place)
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
            (void)recall(learner, label, place);
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
        (void)recall(learner, label, partner);
        learn_stored(learner, label, partner);
        tt_head_load_input(head, features);
        (void)forward_candidate(learner);
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

/* Begins the work where `least` samples have been learned since the last. */
static void start_work(tt_learner *learner, uint32_t least)
{
    if (learner->parts->rules->work_every > 0 && learner->work.stage == STAGE_IDLE &&
        learner->counters.due >= least) {
        learner->counters.due = 0;
        learner->work = (tt_progress){.stage = STAGE_JUDGE_AGAIN};
    }
}

void tt_learner_start_work(tt_learner *learner)
{
    start_work(learner, 1);
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
    uint16_t best = forward_candidate(learner);
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
    fold_numbers(learner, &outcome, 1, 2);
    start_work(learner, learner->parts->rules->work_every);
    return outcome;
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
    uint16_t best = recall(learner, work->label, work->place);
    if (tt_head_loss(head, best, work->label, head->rows.classes) <= parts->rules->implausible) {
        learn_stored(learner, work->label, work->place);
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
    uint16_t best = forward_candidate(learner);
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
    uint16_t best = forward_factory(head);
    tt_head_softmax(head, best, parts->head->classes);
    int32_t factory_loss = tt_head_loss(head, best, work->label, parts->head->classes);
    tt_guard_judge(parts->rules, work, factory_loss, unbiased_loss(learner, work->label, learned));
    work->place++;
}

/* The active rows become the newest version. */
static void keep_version(tt_learner *learner)
{
    uint16_t versions = learner->parts->rules->versions;
    if (versions == 0) {
        return;
    }
    for (uint16_t i = (uint16_t)(versions - 1); i > 0; i--) {
        copy_rows(learner, &learner->version[i], &learner->version[i - 1]);
    }
    copy_rows(learner, &learner->version[0], &learner->active);
    if (learner->counters.kept < versions) {
        learner->counters.kept++;
    }
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
            keep_version(learner);
        }
        copy_rows(learner, &learner->active, &learner->head.rows);
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
    fold_numbers(learner, folded, 4, 4);
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
    default:
        break;
    }
    return learner->work.stage != STAGE_IDLE;
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
        add_inert_class(rows, parts->head->features);
    }
    if (!parts->rules->guard) {
        learner->counters.source = TT_SOURCE_CANDIDATE;
    }
    learner->counters.stopped = 0;
    return rows->classes - 1;
}

int32_t tt_learner_roll_back(tt_learner *learner, uint16_t version)
{
    tt_learner_counters *counters = &learner->counters;
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
    copy_rows(learner, &learner->active, &learner->version[version - 1]);
    for (uint16_t i = 0; i + version < learner->parts->rules->versions; i++) {
        copy_rows(learner, &learner->version[i], &learner->version[i + version]);
    }
    counters->kept -= version;
    counters->source = TT_SOURCE_ACTIVE;
    begin(learner, learner->active.classes, &learner->active);
    return TT_OK;
}

void tt_learner_new_day(tt_learner *learner)
{
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
    uint16_t known = forward_factory(head);
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
    tt_head_load_input(head, features);
    uint16_t best = parts->drift != NULL ? answer_and_follow(learner) : answer(learner);
    uint16_t probability = head->probabilities[best];
    if (parts->rules->pseudo > 0 && probability >= parts->rules->pseudo &&
        !learner->counters.alarm && learner->work.stage == STAGE_IDLE && closed(learner) < 0 &&
        best < head->rows.classes) {
        learner->counters.step++;
        learner->counters.today++;
        (void)forward_candidate(learner);
        learn_head(learner, best);
    }
    return best;
}

uint16_t tt_learner_alarm(const tt_learner *learner)
{
    return (uint16_t)learner->counters.alarm;
}
