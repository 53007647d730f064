/* The learning head: a softmax classifier in integers that replaces the last FULLY_CONNECTED and
 * learns on the device, one labelled sample at a time.
 *
 * Letters: D features, C classes in use, R rows of memory for classes (C <= R), C0 classes of the
 * factory head; x a sample's features less their zero point. The rules, with every rounding, stand
 * in firmware/LEARNING.md; tinytrain/emulator/head.py is the reference and gives the same bits.
 */
#ifndef TINYTRAIN_HEAD_H
#define TINYTRAIN_HEAD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What rows are worth: factors of each row, as multiplier and shift. */
typedef struct tt_units {
    int32_t gradient_shift;                  /* F: fraction bits of g. 9 to 16 */
    const int32_t *logit_multiplier;         /* [R] sum / 128 to log2 units, Q10 */
    const int8_t *logit_shift;               /* [R] */
    const int32_t *gradient_multiplier;      /* [R] error (Q15) to g, a row's gradient factor */
    const int8_t *gradient_multiplier_shift; /* [R] */
    const int32_t *bias_multiplier;          /* [R] error (Q15) to units of the bias */
    const int8_t *bias_multiplier_shift;     /* [R] */
} tt_units;

/* Fixed at export, in flash. */
typedef struct tt_head_constants {
    uint16_t classes;  /* C0, 2 to 1024 */
    uint16_t capacity; /* R, C0 to 1024 */
    uint16_t features; /* D, 1 to 4096 */
    /* Learning rows a step: the true row and the rows - 1 largest errors. 1 to C0. */
    uint16_t rows;
    /* Steps whose error on the true class is at most tau are skipped. Q15, 0 to 32768. */
    uint16_t tau;
    uint16_t wide;              /* 1: masters of 32 bits, 0: of 16 */
    int32_t feature_zero_point; /* -128 to 127 */
    tt_units units;             /* of the factory rows, and of rows added to them */
    const int8_t *weights;      /* [C0][D] factory weights */
    const int32_t *bias;        /* [C0] factory bias, units of the int8 weights' sums */
} tt_head_constants;

/* What classes are recognized by. */
typedef struct tt_rows {
    int16_t *weights; /* [R][D]; of the factory head Q8.7 */
    int32_t *bias;    /* [R] units of the weights' sums, -2^30 to 2^30 */
    const tt_units *units;
    uint16_t classes; /* C */
} tt_rows;

/* The head's working memory, carved out of one buffer of the caller's by tt_head_init. Of arrays
 * over R, the first C count. */
typedef struct tt_head {
    const tt_head_constants *constants;
    tt_rows rows;            /* that learn */
    uint16_t *low;           /* [R][D] 16 more bits below each weight; NULL unless wide */
    int32_t *logits;         /* [R] of the last forward pass, log2 units, Q10 */
    int32_t *error;          /* [R] of the last step, Q15 */
    int16_t *input;          /* [D] x, -255 to 255 */
    int16_t *raised;         /* [D] x << (16 - F), F of the rows that learn */
    uint16_t *probabilities; /* [R] of the last softmax, Q15 */
    uint16_t *written;       /* [R] rows written by the last step, in order of writing */
    uint32_t power_sum;      /* E of the last softmax, 2^15 to 2^25 */
    uint16_t rows_written;   /* how many of `written` count; 0 for a skipped step */
} tt_head;

/* Bytes of the arrays of tt_rows, and of the buffer for a head: constant expressions. */
#define TT_ROWS_BYTES(capacity, features) ((capacity) * ((features) * 2u + 4u))
#define TT_HEAD_BYTES(capacity, features, wide)                                                    \
    (TT_ROWS_BYTES(capacity, features) + (capacity) * (2u * 4u + 2u * 2u) +                        \
     (features) * (2u * 2u) + ((wide) ? (capacity) * (features) * 2u : 0u))

/* Binds `head` to its constants and memory (aligned to 4) and loads the factory rows.
 * Returns TT_OK, or TT_ERROR_MEMORY where the buffer is too small or misaligned. */
int32_t tt_head_init(tt_head *head, const tt_head_constants *constants, void *memory, size_t bytes);

/* Back to the factory rows: forgets everything learned, and classes that were added. */
void tt_head_reset(tt_head *head);

/* The class of one sample, 0 to C - 1; ties go to the lowest. `features` is int8 [D]. Leaves the
 * logits in head->logits. */
uint16_t tt_head_classify(tt_head *head, const int8_t *features);

/* One learning step on one sample. Returns the class that the head gave before learning, or
 * TT_ERROR_LABEL where `label` is not below C (nothing is changed then). Leaves logits,
 * probabilities, errors and the rows written in `head`. */
int32_t tt_head_learn(tt_head *head, const int8_t *features, uint16_t label);

/* A new class, whose row is the mean of the rows in use. Returns its index, or TT_ERROR_FULL where
 * all R rows are in use. */
int32_t tt_head_add_class(tt_head *head);

/* Folds the last step into a running CRC-32 (start with 0): logits as int32, probabilities as
 * uint16, the number of rows written as uint16, then for each its index as uint16, its weights as
 * int16, of a wide head their low bits as uint16, and its bias as int32; all little-endian. */
uint32_t tt_head_trace(const tt_head *head, uint32_t crc);

/* The parts of a step, for those who learn in another way or from other rows. */

/* The factory rows into `rows`; rows from C0 on are left as they are. */
void tt_head_load_factory(const tt_head_constants *constants, tt_rows *rows);

/* The input of the forward passes and the step that follow. `features` is int8 [D]. */
void tt_head_load_input(tt_head *head, const int8_t *features);

/* Logits of the loaded input by any rows of this head's R and D; returns the class. */
uint16_t tt_head_forward(tt_head *head, const tt_rows *rows);

/* Probabilities and power_sum from the logits of `classes` rows; `best` is the largest's. */
void tt_head_softmax(tt_head *head, uint16_t best, uint16_t classes);

/* What the last softmax lost on a sample of class `label`, in bits, Q10: -log2 of its probability;
 * 31 where the class has none of the `classes` rows. */
int32_t tt_head_loss(const tt_head *head, uint16_t best, uint16_t label, uint16_t classes);

/* Gradient descent of the head's rows by the last softmax, which has to be theirs, on the loaded
 * input; `label` is below C. */
void tt_head_step(tt_head *head, uint16_t label);

#ifdef __cplusplus
}
#endif

#endif
