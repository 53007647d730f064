/* The learner: a head that learns from few labelled samples, remembers some, lets only better rows
 * answer, and can go back.
 *
 * The rules, with every rounding, stand in firmware/LEARNING.md; tinytrain/emulator/learner.py is
 * the reference and gives the same bits. Letters: D features, R rows for classes, C classes in use.
 *
 * Learning is bounded: a labelled sample costs one call of tt_learner_learn, and what is left to do
 * is done by tt_learner_work, a slice a call, whenever there is time. Classifying is possible at
 * any time between the calls.
 */
#ifndef TINYTRAIN_LEARNER_H
#define TINYTRAIN_LEARNER_H

#include <stddef.h>
#include <stdint.h>

#include "tinytrain/head.h"
#include "tinytrain/lda.h"
#include "tinytrain/outcome.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TT_MAX_VERSIONS 4u

/* Where learning has stopped for now: no class was asked for. */
#define TT_NOT_ASKED 0xffffu

enum {
    TT_KIND_SGD,
    TT_KIND_LDA,
    TT_KIND_LDA_SGD
};

/* Which rows answer. */
enum {
    TT_SOURCE_FACTORY,
    TT_SOURCE_ACTIVE,
    TT_SOURCE_CANDIDATE
};

/* What a place of the memory holds. */
enum {
    TT_SLOT_EMPTY,
    TT_SLOT_LEARNED,
    TT_SLOT_ASIDE,
    TT_SLOT_HELD
};

/* Around the regions of an exported state: what it is of before them, a CRC-32 behind. */
#define TT_STATE_HEADER_BYTES 16u
#define TT_STATE_CHECKSUM_BYTES 4u

/* tt_progress.stage while a state is taken over in pieces. */
#define TT_STAGE_IMPORT 0xffffu

/* Fixed at export, in flash. */
typedef struct tt_learner_constants {
    uint16_t kind;        /* TT_KIND_... */
    uint16_t start;       /* lda+sgd: samples of a class that LDA makes its row of */
    uint16_t slots;       /* of the memory for each class; at most 255, 0: no memory */
    uint16_t held;        /* the first of them, for held samples only; less than slots */
    uint16_t hold_every;  /* one in so many samples of a class is held aside; 0: none */
    uint16_t replays;     /* old samples learned again with each new one */
    uint16_t implausible; /* loss, Q10 bits; 0: every label is believed */
    uint16_t loss_cap;    /* Q10 bits: what one sample can weigh, at most */
    uint16_t work_every;  /* learned samples from work to work; 0: no work */
    uint16_t guard;       /* 1: only a better candidate becomes active */
    uint16_t margin;      /* Q6 bits that it has to be better by */
    uint16_t confidence;  /* and by so many standard errors, in 1/16 */
    uint16_t versions;    /* kept, at most TT_MAX_VERSIONS */
    uint16_t patience;    /* works in a row without a better candidate; 0: no end */
    uint16_t daily_steps; /* 0: no limit */
    uint16_t pseudo;      /* probability, Q15, to learn without a label; 0: never */
    int32_t seed;
} tt_learner_constants;

/* What drift is followed by: distance from the training means, Q10 standard deviations, and doubt,
 * one less confidence, Q13. Spreads and the limit have 8 more fraction bits. */
typedef struct tt_drift_constants {
    int32_t drift_shift;     /* 1 to 12: the running means forget with 2^-drift_shift a sample */
    int32_t settle_shift;    /* 4 to 9: the baseline is of the first 2^settle_shift samples */
    int32_t distance_on;     /* Q8 spreads above the baseline, 1 to 2^16 */
    int32_t distance_spread; /* the least that a device's spread counts as, 1 to 2^21 */
    int32_t doubt_on;
    int32_t doubt_spread;
    int32_t distance_limit; /* of an untaught device's baseline; 2^31 - 1: none */
    const int16_t *usual;   /* [C0] Q10, the training people's distance from each class */
} tt_drift_constants;

/* The analytic head's functions, so that a learner without one links none of them. */
typedef struct tt_lda_functions {
    int32_t (*init)(tt_lda *lda, const tt_lda_constants *constants, void *memory, size_t bytes);
    void (*reset)(tt_lda *lda);
    void (*add)(tt_lda *lda, const int16_t *x, uint16_t label);
    void (*row)(tt_lda *lda, uint16_t label, int16_t *weights, int32_t *bias);
    void (*row_without)(tt_lda *lda, uint16_t label, const int16_t *x, int16_t *weights,
                        int32_t *bias);
    void (*solve_start)(tt_lda *lda);
    int32_t (*solve_slice)(tt_lda *lda, uint16_t classes, int16_t *weights, int32_t *bias);
} tt_lda_functions;

extern const tt_lda_functions tt_lda_head;

typedef struct tt_learner tt_learner;
struct tt_learner_parts;

/* The learner's functions, so that a model with a plain head links none of them. */
typedef struct tt_learner_functions {
    tt_learner *(*place)(const struct tt_learner_parts *parts, void *memory, size_t bytes);
    void (*reset)(tt_learner *learner);
    uint16_t (*classify)(tt_learner *learner, const int8_t *features);
    uint16_t (*observe)(tt_learner *learner, const int8_t *features);
    int32_t (*learn)(tt_learner *learner, const int8_t *features, uint16_t label);
    void (*start_work)(tt_learner *learner);
    int32_t (*work)(tt_learner *learner);
    int32_t (*add_class)(tt_learner *learner);
    int32_t (*roll_back)(tt_learner *learner, uint16_t version);
    void (*new_day)(tt_learner *learner);
    int32_t (*region)(tt_learner *learner, uint16_t index, void **data, uint32_t *bytes);
    uint32_t (*export_bytes)(tt_learner *learner);
    void (*export_state)(tt_learner *learner, uint32_t model, uint8_t *out);
    int32_t (*import_state)(tt_learner *learner, uint32_t model, const uint8_t *in, uint32_t bytes);
    int32_t (*export_part)(tt_learner *learner, uint32_t model, uint32_t offset, uint8_t *out,
                           uint32_t bytes);
    int32_t (*import_begin)(tt_learner *learner, uint32_t model, const uint8_t *header);
    int32_t (*import_write)(tt_learner *learner, uint32_t offset, const uint8_t *in,
                            uint32_t bytes);
    int32_t (*import_end)(tt_learner *learner, uint32_t checksum);
} tt_learner_functions;

extern const tt_learner_functions tt_learner_head;

/* All constants that a learner works by. */
typedef struct tt_learner_parts {
    const tt_learner_functions *functions; /* &tt_learner_head */
    const tt_learner_constants *rules;
    const tt_head_constants *head;
    const tt_lda_constants *lda;      /* for every kind but sgd, and for drift; else NULL */
    const tt_lda_functions *analytic; /* for every kind but sgd; else NULL */
    const tt_drift_constants *drift;  /* NULL: drift is not followed */
} tt_learner_parts;

/* One of the two signals of drift. Both have 8 fraction bits more than the signal, within +-2^21,
 * once the baseline is made; until then they are sums. */
typedef struct tt_drift_signal {
    int32_t level;   /* the baseline's mean; until then the sum of the signal */
    uint32_t spread; /* its standard deviation; until then the sum of squares, in 16ths */
    int32_t running; /* the running mean; 0 until then */
} tt_drift_signal;

/* What a learner counts: a region of its state. */
typedef struct tt_learner_counters {
    uint32_t step;
    uint32_t today;
    int32_t level; /* running loss, Q10 */
    uint32_t due;
    int32_t best; /* mean gain of a sample when a candidate was last taken */
    uint32_t stale;
    uint32_t stopped;
    uint32_t source; /* TT_SOURCE_... */
    uint32_t kept;   /* versions there are */
    uint32_t candidate_classes;
    uint32_t active_classes;
    uint32_t version_classes[TT_MAX_VERSIONS];
    uint32_t settled; /* observations of the baseline of drift, up to 2^settle_shift */
    tt_drift_signal distance;
    tt_drift_signal doubt;
    uint32_t alarm;
} tt_learner_counters;

/* The memory of labelled samples. */
typedef struct tt_memory {
    const tt_learner_constants *rules;
    uint16_t features; /* D */
    uint16_t capacity; /* R */
    uint16_t *guess;   /* [R][slots] */
    uint16_t *seen;    /* [R] */
    uint16_t *offered; /* [R] */
    int8_t *samples;   /* [R][slots][D] */
    uint8_t *state;    /* [R][slots] */
    uint8_t *stored;   /* [R] */
} tt_memory;

/* Where the work is. */
typedef struct tt_progress {
    uint16_t stage; /* 0: none; TT_STAGE_IMPORT */
    uint16_t label; /* the place that comes next */
    uint16_t place;
    int32_t gain;     /* S, Q6 bits */
    uint32_t squares; /* Q; of an import the CRC-32 so far */
    uint32_t samples; /* m; of an import the bytes so far */
} tt_progress;

struct tt_learner {
    const tt_learner_parts *parts;
    tt_head head; /* the candidate, and what the last forward pass gave */
    tt_lda lda;
    tt_rows active;
    tt_rows version[TT_MAX_VERSIONS]; /* the newest first */
    tt_memory memory;
    tt_learner_counters counters;
    uint16_t predicted; /* the candidate's class of the last labelled sample, before learning */
    uint16_t answering; /* classes of the rows that answered last */
    tt_progress work;
    int16_t *row; /* [D] a row that makes way for another while it is judged */
    uint32_t trace;
    uint32_t tracing; /* 1: every step folds into `trace` */
};

/* Bytes of the buffer: constant expressions of what the emitted header gives. */
#define TT_ALIGNED(bytes) (((bytes) + 3u) / 4u * 4u)
#define TT_MEMORY_BYTES(capacity, features, slots)                                                 \
    TT_ALIGNED((capacity) * (slots) * ((features) + 3u) + (capacity) * 5u)
#define TT_LEARNER_BYTES(capacity, features, wide, slots, copies, analytic, blended)               \
    (TT_ALIGNED(TT_HEAD_BYTES(capacity, features, wide)) +                                         \
     (copies) * TT_ALIGNED(TT_ROWS_BYTES(capacity, features)) +                                    \
     TT_MEMORY_BYTES(capacity, features, slots) +                                                  \
     ((analytic)                                                                                   \
          ? TT_ALIGNED(TT_LDA_BYTES(capacity, features, blended)) + TT_ALIGNED((features) * 2u)    \
          : 0u))

/* `memory` is aligned to 4. Returns TT_OK or TT_ERROR_MEMORY. */
int32_t tt_learner_init(tt_learner *learner, const tt_learner_parts *parts, void *memory,
                        size_t bytes);

/* Bytes for a learner and its buffer in one, for tt_learner_place: a constant expression. */
#define TT_LEARNER_PLACED_BYTES(capacity, features, wide, slots, copies, analytic, blended)        \
    ((sizeof(tt_learner) + 7u) / 8u * 8u +                                                         \
     TT_LEARNER_BYTES(capacity, features, wide, slots, copies, analytic, blended))

/* A learner at the start of `memory`, aligned to 8, with its buffer behind it; NULL where there is
 * too little or it is misaligned. */
tt_learner *tt_learner_place(const tt_learner_parts *parts, void *memory, size_t bytes);

/* Back to the factory: forgets everything, kept versions, added classes and the baseline of drift
 * too. Work under way and a state that is being taken over are dropped. */
void tt_learner_reset(tt_learner *learner);

/* The class of one sample, int8 [D], by the rows that answer; changes nothing but the logits in
 * learner->head.logits. */
uint16_t tt_learner_classify(tt_learner *learner, const int8_t *features);

/* The same, for every sample that the device meets: follows drift, and learns from confident
 * answers where the task wants it. */
uint16_t tt_learner_observe(tt_learner *learner, const int8_t *features);

/* 1 while the inputs are unlike the first ones that this device met: never in the first
 * 2^settle_shift observations, from the factory or after a roll-back. */
uint16_t tt_learner_alarm(const tt_learner *learner);

/* Learns one sample. Returns what became of it (TT_LEARNED, ...), or TT_ERROR_LABEL, or
 * TT_ERROR_BUSY while there is work to do; nothing has changed then. */
int32_t tt_learner_learn(tt_learner *learner, const int8_t *features, uint16_t label);

/* Begins the work that would begin after some more samples: after the last one of a session. */
void tt_learner_start_work(tt_learner *learner);

/* One slice of work. Returns 1 while there is more, 0 when there is none. */
int32_t tt_learner_work(tt_learner *learner);

/* One more class: its index, or TT_ERROR_FULL, or TT_ERROR_BUSY. */
int32_t tt_learner_add_class(tt_learner *learner);

/* Answers by the factory head (0) or a kept version (1 is the newest) again. For good: versions
 * newer than that one, classes added since, and the memory of samples are forgotten; an export made
 * before is the only way back. Work under way is dropped. What counts the day's steps stays, which
 * tt_learner_reset forgets. TT_OK, or TT_ERROR_RANGE where there is no such version, or
 * TT_ERROR_BUSY while a state is taken over. */
int32_t tt_learner_roll_back(tt_learner *learner, uint16_t version);

/* The budget of the day is whole again; call it once a day. */
void tt_learner_new_day(tt_learner *learner);

/* One stretch of the state, for keeping it over a power cycle and for comparing it: `index` from 0
 * to TT_LEARNER_REGIONS - 1, some of them empty. TT_OK, TT_ERROR_RANGE, or
 * TT_ERROR_BUSY while a state is taken over. */
#define TT_LEARNER_REGIONS (13u + 2u * TT_MAX_VERSIONS)
int32_t tt_learner_region(tt_learner *learner, uint16_t index, void **data, uint32_t *bytes);

/* Bytes of an exported state: known at run time, and a constant expression of what the emitted
 * header gives (it is TT_MODEL_STATE_BYTES there). */
uint32_t tt_learner_export_bytes(tt_learner *learner);
#define TT_LEARNER_STATE_BYTES(capacity, features, wide, slots, copies, analytic, blended)         \
    (TT_STATE_HEADER_BYTES + sizeof(tt_learner_counters) +                                         \
     (1u + (copies)) * TT_ROWS_BYTES(capacity, features) +                                         \
     ((wide) ? (capacity) * (features) * 2u : 0u) +                                                \
     ((analytic) ? TT_LDA_STATE_BYTES(capacity, features, blended) : 0u) +                         \
     (capacity) * ((slots) * ((features) + 3u) + 5u) + TT_STATE_CHECKSUM_BYTES)

/* Writes the state, export_bytes of it, into `out`: whose model it is of, the regions, a CRC-32.
 * `model` is tt_model.source_hash, here and below; tt_export (tinytrain.h) fills it in. Work under
 * way is not in a state: finish it before (tt_learner_work until it returns 0). */
void tt_learner_export(tt_learner *learner, uint32_t model, uint8_t *out);

/* `bytes` of an exported state from `offset` on, without its CRC-32. TT_ERROR_RANGE beyond its end,
 * TT_ERROR_BUSY while one is taken over. */
int32_t tt_learner_export_part(tt_learner *learner, uint32_t model, uint32_t offset, uint8_t *out,
                               uint32_t bytes);

/* Takes an exported state over. It is not trusted: TT_ERROR_FRAME where it is damaged,
 * TT_ERROR_MODEL where it is of another model or learner, TT_ERROR_RANGE where a number in it is
 * out of bounds; the learner is as it was then, or in the last case as from the factory. */
int32_t tt_learner_import(tt_learner *learner, uint32_t model, const uint8_t *in, uint32_t bytes);

/* The same in pieces, for where there is no room for a second copy. From the beginning to the end
 * the factory head answers, and learning, new classes and rolling back are TT_ERROR_BUSY;
 * tt_learner_reset gives it up.
 *
 * Begin: `header` is the state's first TT_STATE_HEADER_BYTES, 16. TT_ERROR_MODEL where it is of
 * another model (`model` is tt_model.source_hash) or learner; nothing has changed then. Else
 * everything is forgotten. */
int32_t tt_learner_import_begin(tt_learner *learner, uint32_t model, const uint8_t *header);

/* The next bytes, from `offset` in the state on: the first piece's is TT_STATE_HEADER_BYTES.
 * TT_ERROR_RANGE, and nothing has changed, where they are not the next or too many, or nothing was
 * begun. */
int32_t tt_learner_import_write(tt_learner *learner, uint32_t offset, const uint8_t *in,
                                uint32_t bytes);

/* The end, with the state's CRC-32. TT_ERROR_FRAME where it or the length is wrong, TT_ERROR_RANGE
 * where a number is out of bounds or nothing was begun; the learner is as from the factory then. */
int32_t tt_learner_import_end(tt_learner *learner, uint32_t checksum);

#ifdef __cplusplus
}
#endif

#endif
