/* What a generated model tells the runtime about itself. Everything here is const and lives in
 * flash; the runtime owns no memory. */
#ifndef TINYTRAIN_MODEL_H
#define TINYTRAIN_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "tinytrain/head.h"
#include "tinytrain/learner.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A stretch of the arena: a tensor of `bytes` bytes that starts `offset` bytes into the arena. */
typedef struct tt_slot {
    uint32_t offset;
    uint32_t bytes;
} tt_slot;

/* A constant array in flash: weights, biases, multipliers. For reading back and checking. */
typedef struct tt_constant {
    const void *data;
    uint32_t bytes;
} tt_constant;

/* A tensor of the arena that outlives an inference, and its value at the start. */
typedef struct tt_variable {
    tt_slot slot;
    const void *initial; /* slot.bytes bytes; NULL: every byte is `fill` */
    uint8_t fill;
} tt_variable;

typedef struct tt_model {
    const char *name;
    /* First 32 bits of the SHA-256 of the source file, so that a client knows which model it
     * talks to. */
    uint32_t source_hash;
    /* Bytes of working memory; the caller's arena must be at least this large and aligned to 4. */
    uint32_t arena_bytes;
    uint16_t inputs;
    uint16_t outputs;
    uint16_t operators;
    uint16_t constants;
    uint16_t variables; /* 0: inferences do not depend on each other */
    /* The operator that the learning head replaces (run [0, head_operator) yields the features),
     * or `operators` where the model has no head. */
    uint16_t head_operator;
    const tt_slot *input;  /* [inputs] */
    const tt_slot *output; /* [outputs] */
    /* [operators], each operator's first output; 0 bytes where it is never whole (chain.h) */
    const tt_slot *operator_output;
    const tt_constant *constant;     /* [constants] */
    const tt_variable *variable;     /* [variables]; nothing else is written there */
    uint32_t features_offset;        /* of the head's input, in the arena */
    const tt_head_constants *head;   /* NULL without a head */
    const tt_learner_parts *learner; /* NULL for a plain head, that only descends */
    /* Runs operators first, first + 1, ..., end - 1 on the arena. */
    void (*run)(uint8_t *arena, uint16_t first, uint16_t end);
    /* The layers whose statistics are re-estimated (statistics.h), or NULL. */
    const struct tt_statistics_constants *statistics;
    /* Of the front end that the model was trained on (tt_frontend.hash); 0: unknown. */
    uint32_t frontend_hash;
    const struct tt_stream_constants *stream; /* stream.h; NULL without a front end */
} tt_model;

#ifdef __cplusplus
}
#endif

#endif
