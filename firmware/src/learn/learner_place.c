/* Where a learner's parts lie in its buffer. */
#include <string.h>

#include "tinytrain/learner.h"
#include "tinytrain/status.h"

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
