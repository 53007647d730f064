/* The learner's state as bytes: its regions, export and import. The layout stands in
 * firmware/LEARNING.md, section 8; learner_check.c says whether what came is a state.
 */
#include <string.h>

#include "learner_shared.h"
#include "tinytrain/crc32.h"
#include "tinytrain/frame.h"
#include "tinytrain/learner.h"
#include "tinytrain/status.h"

#define MAGIC 0x314c5454u /* "TTL1" */

/* The regions from here on are pairs, weights and bias: the active rows, then the versions. */
#define FIRST_COPY 11

typedef struct region {
    void *data;
    size_t bytes;
} region;

static region rows_region(const tt_learner *learner, const tt_rows *rows, uint16_t part)
{
    const tt_head_constants *k = learner->parts->head;
    if (part == 0) {
        return (region){rows->weights, (size_t)k->capacity * k->features * sizeof *rows->weights};
    }
    return (region){rows->bias, k->capacity * sizeof *rows->bias};
}

static region head_region(tt_learner *learner, uint16_t index)
{
    const tt_head_constants *k = learner->parts->head;
    switch (index) {
    case 0:
        return (region){&learner->counters, sizeof learner->counters};
    case 3:
        return (region){learner->head.low, k->wide ? (size_t)k->capacity * k->features * 2u : 0u};
    default:
        return rows_region(learner, &learner->head.rows, (uint16_t)(index - 1));
    }
}

static region lda_region(const tt_learner *learner)
{
    const tt_head_constants *k = learner->parts->head;
    if (learner->parts->analytic == NULL) {
        return (region){NULL, 0};
    }
    /* Its first array, with which the rest that is kept lies together. */
    return (region){learner->lda.sums,
                    TT_LDA_STATE_BYTES((size_t)k->capacity, (size_t)k->features,
                                       (size_t)(learner->parts->lda->blend > 0))};
}

static region memory_region(const tt_learner *learner, uint16_t index)
{
    const tt_memory *memory = &learner->memory;
    size_t places = (size_t)memory->capacity * memory->rules->slots;
    switch (index) {
    case 5:
        return (region){memory->guess, places * sizeof *memory->guess};
    case 6:
        return (region){memory->seen, memory->capacity * sizeof *memory->seen};
    case 7:
        return (region){memory->offered, memory->capacity * sizeof *memory->offered};
    case 8:
        return (region){memory->samples, places * memory->features};
    case 9:
        return (region){memory->state, places};
    default:
        return (region){memory->stored, memory->capacity};
    }
}

static region region_at(tt_learner *learner, uint16_t index)
{
    const tt_learner_constants *rules = learner->parts->rules;
    if (index < 4) {
        return head_region(learner, index);
    }
    if (index == 4) {
        return lda_region(learner);
    }
    if (index < FIRST_COPY) {
        return memory_region(learner, index);
    }
    uint16_t copy = (uint16_t)((index - FIRST_COPY) / 2);
    if (copy >= (rules->guard ? 1 + rules->versions : 0)) {
        return (region){NULL, 0};
    }
    return rows_region(learner, copy == 0 ? &learner->active : &learner->version[copy - 1],
                       (uint16_t)((index - FIRST_COPY) % 2));
}

/* What the parts count themselves, into the counters. */
static void gather(tt_learner *learner)
{
    tt_learner_counters *counters = &learner->counters;
    counters->candidate_classes = learner->head.rows.classes;
    counters->active_classes = learner->active.classes;
    for (uint16_t i = 0; i < TT_MAX_VERSIONS; i++) {
        counters->version_classes[i] = learner->version[i].classes;
    }
}

int32_t tt_learner_region(tt_learner *learner, uint16_t index, void **data, uint32_t *bytes)
{
    if (index >= TT_LEARNER_REGIONS) {
        return TT_ERROR_RANGE;
    }
    if (learner->work.stage == TT_STAGE_IMPORT) {
        return TT_ERROR_BUSY;
    }
    gather(learner);
    region found = region_at(learner, index);
    *data = found.data;
    *bytes = (uint32_t)found.bytes;
    return TT_OK;
}

/* Which learner a state is of, beside its model. */
static uint32_t layout(const tt_learner *learner)
{
    const tt_head_constants *k = learner->parts->head;
    const tt_drift_constants *drift = learner->parts->drift;
    const uint16_t settle_shift = (uint16_t)(drift != NULL ? drift->settle_shift : 0);
    const uint16_t sizes[3] = {k->capacity, k->features, settle_shift};
    uint32_t crc = tt_crc32(0, learner->parts->rules, sizeof *learner->parts->rules);
    return tt_crc32(crc, sizes, sizeof sizes);
}

static uint32_t regions_bytes(tt_learner *learner)
{
    uint32_t bytes = 0;
    for (uint16_t i = 0; i < TT_LEARNER_REGIONS; i++) {
        bytes += (uint32_t)region_at(learner, i).bytes;
    }
    return bytes;
}

uint32_t tt_learner_export_bytes(tt_learner *learner)
{
    return TT_STATE_HEADER_BYTES + regions_bytes(learner) + TT_STATE_CHECKSUM_BYTES;
}

/* The first bytes of an exported state: what it is of. */
static void header_of(tt_learner *learner, uint32_t model, uint8_t *header)
{
    tt_put_u32(header, MAGIC);
    tt_put_u32(header + 4, model);
    tt_put_u32(header + 8, layout(learner));
    tt_put_u32(header + 12, regions_bytes(learner));
}

/* Copies `bytes` from or to the regions, seen as one stretch, from `offset` on. */
static void move(tt_learner *learner, uint32_t offset, uint8_t *out, const uint8_t *in,
                 uint32_t bytes)
{
    for (uint16_t i = 0; i < TT_LEARNER_REGIONS && bytes > 0; i++) {
        region found = region_at(learner, i);
        uint32_t size = (uint32_t)found.bytes;
        if (offset >= size) {
            offset -= size;
            continue;
        }
        uint32_t count = bytes < size - offset ? bytes : size - offset;
        uint8_t *place = (uint8_t *)found.data + offset;
        if (in != NULL) {
            memcpy(place, in, count);
            in += count;
        } else {
            memcpy(out, place, count);
            out += count;
        }
        bytes -= count;
        offset = 0;
    }
}

int32_t tt_learner_export_part(tt_learner *learner, uint32_t model, uint32_t offset, uint8_t *out,
                               uint32_t bytes)
{
    uint8_t header[TT_STATE_HEADER_BYTES];
    uint32_t total = TT_STATE_HEADER_BYTES + regions_bytes(learner);
    if (learner->work.stage == TT_STAGE_IMPORT) {
        return TT_ERROR_BUSY;
    }
    if (offset > total || bytes > total - offset) {
        return TT_ERROR_RANGE;
    }
    gather(learner);
    header_of(learner, model, header);
    for (; bytes > 0 && offset < sizeof header; offset++, bytes--) {
        *out++ = header[offset];
    }
    if (bytes > 0) {
        move(learner, offset - TT_STATE_HEADER_BYTES, out, NULL, bytes);
    }
    return TT_OK;
}

void tt_learner_export(tt_learner *learner, uint32_t model, uint8_t *out)
{
    uint32_t bytes = TT_STATE_HEADER_BYTES + regions_bytes(learner);
    (void)tt_learner_export_part(learner, model, 0, out, bytes);
    tt_put_u32(out + bytes, tt_crc32(0, out, bytes));
}

/* The counters' shares, back to the parts. */
static void hand_out(tt_learner *learner)
{
    const tt_learner_counters *counters = &learner->counters;
    learner->head.rows.classes = (uint16_t)counters->candidate_classes;
    learner->active.classes = (uint16_t)counters->active_classes;
    learner->active.units = learner->head.rows.units;
    for (uint16_t i = 0; i < TT_MAX_VERSIONS; i++) {
        learner->version[i].classes = (uint16_t)counters->version_classes[i];
        learner->version[i].units = learner->head.rows.units;
    }
}

int32_t tt_learner_import_begin(tt_learner *learner, uint32_t model, const uint8_t *header)
{
    uint8_t own[TT_STATE_HEADER_BYTES];
    header_of(learner, model, own);
    if (memcmp(header, own, sizeof own) != 0) {
        return TT_ERROR_MODEL;
    }
    tt_learner_reset(learner);
    learner->work =
        (tt_progress){.stage = TT_STAGE_IMPORT, .squares = tt_crc32(0, own, sizeof own)};
    return TT_OK;
}

int32_t tt_learner_import_write(tt_learner *learner, uint32_t offset, const uint8_t *in,
                                uint32_t bytes)
{
    tt_progress *work = &learner->work;
    if (work->stage != TT_STAGE_IMPORT || offset != TT_STATE_HEADER_BYTES + work->samples ||
        bytes > regions_bytes(learner) - work->samples) {
        return TT_ERROR_RANGE;
    }
    move(learner, work->samples, NULL, in, bytes);
    work->squares = tt_crc32(work->squares, in, bytes);
    work->samples += bytes;
    return TT_OK;
}

int32_t tt_learner_import_end(tt_learner *learner, uint32_t checksum)
{
    const tt_progress *work = &learner->work;
    int32_t status = TT_OK;
    if (work->stage != TT_STAGE_IMPORT) {
        return TT_ERROR_RANGE;
    }
    if (work->samples != regions_bytes(learner) || work->squares != checksum) {
        status = TT_ERROR_FRAME;
    } else if (!tt_learner_state_fits(learner)) {
        status = TT_ERROR_RANGE;
    }
    if (status != TT_OK) {
        tt_learner_reset(learner);
        return status;
    }
    hand_out(learner);
    learner->work = (tt_progress){.stage = 0};
    return TT_OK;
}

int32_t tt_learner_import(tt_learner *learner, uint32_t model, const uint8_t *in, uint32_t bytes)
{
    if (bytes < TT_STATE_HEADER_BYTES + TT_STATE_CHECKSUM_BYTES || tt_get_u32(in) != MAGIC ||
        tt_get_u32(in + bytes - TT_STATE_CHECKSUM_BYTES) !=
            tt_crc32(0, in, bytes - TT_STATE_CHECKSUM_BYTES)) {
        return TT_ERROR_FRAME;
    }
    if (bytes != tt_learner_export_bytes(learner)) {
        return TT_ERROR_MODEL;
    }
    int32_t status = tt_learner_import_begin(learner, model, in);
    if (status != TT_OK) {
        return status;
    }
    (void)tt_learner_import_write(learner, TT_STATE_HEADER_BYTES, in + TT_STATE_HEADER_BYTES,
                                  regions_bytes(learner));
    return tt_learner_import_end(learner, tt_get_u32(in + bytes - TT_STATE_CHECKSUM_BYTES));
}
