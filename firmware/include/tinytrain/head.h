/* The learning head: a softmax classifier in integers that replaces the last FULLY_CONNECTED and
 * learns on the device, one labelled sample at a time.
 *
 * Letters: C classes, D features. The rules, with every rounding, stand in DESIGN.md ("The
 * learning head"); tinytrain/emulator/head.py is the reference and gives the same bits.
 */
#ifndef TINYTRAIN_HEAD_H
#define TINYTRAIN_HEAD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fixed at export, in flash. */
typedef struct tt_head_constants {
    uint16_t classes;  /* C, 2 to 1024 */
    uint16_t features; /* D, 1 to 4096 */
    /* Learning rows a step: the true row and the rows - 1 largest errors. 1 to C. */
    uint16_t rows;
    /* Steps whose error on the true class is at most tau are skipped. Q15, 0 to 32768. */
    uint16_t tau;
    int32_t feature_zero_point; /* -128 to 127 */
    /* Fraction bits of a row's gradient factor g: M -= (g * x + half) >> gradient_shift. 1 to 30.
     */
    int32_t gradient_shift;
    const int8_t *weights;                   /* [C][D] factory weights, -127 to 127 */
    const int32_t *bias;                     /* [C] factory bias, accumulator units */
    const int32_t *logit_multiplier;         /* [C] accumulator to log2 units, Q10 */
    const int8_t *logit_shift;               /* [C] */
    const int32_t *gradient_multiplier;      /* [C] error (Q15) to g */
    const int8_t *gradient_multiplier_shift; /* [C] */
    const int32_t *bias_multiplier;          /* [C] error (Q15) to bias master units */
    const int8_t *bias_multiplier_shift;     /* [C] */
} tt_head_constants;

/* The head's working memory, carved out of one buffer of the caller's by tt_head_init. */
typedef struct tt_head {
    const tt_head_constants *constants;
    int32_t *master_bias;    /* [C] accumulator units, 8 fraction bits */
    int32_t *logits;         /* [C] of the last sample, log2 units, Q10 */
    int32_t *error;          /* [C] of the last step, Q15 */
    int16_t *master_weights; /* [C][D] Q7.8, -127*256 to 127*256 */
    int16_t *input;          /* [D] features of the last sample less their zero point */
    uint16_t *probabilities; /* [C] of the last step, Q15 */
    uint16_t *written;       /* [C] rows written by the last step, in order of writing */
    int8_t *forward_weights; /* [C][D] rounded from the masters */
    uint16_t rows_written;   /* how many of `written` count */
} tt_head;

/* Bytes of the buffer for a head of `classes` by `features`: a constant expression. */
#define TT_HEAD_BYTES(classes, features)                                                           \
    ((classes) * (3u * 4u + 2u * 2u) + (features) * 2u + (classes) * (features) * 3u)

/* Binds `head` to its constants and memory (aligned to 4) and loads the factory weights.
 * Returns TT_OK, or TT_ERROR_MEMORY where the buffer is too small or misaligned. */
int32_t tt_head_init(tt_head *head, const tt_head_constants *constants, void *memory, size_t bytes);

/* Back to the factory weights: forgets everything learned. */
void tt_head_reset(tt_head *head);

/* The class of one sample, 0 to C - 1; ties go to the lowest. `features` is int8 [D]. Leaves the
 * logits in head->logits. */
uint16_t tt_head_classify(tt_head *head, const int8_t *features);

/* One learning step on one sample. Returns the class that the head gave before learning, or
 * TT_ERROR_LABEL where `label` is not below C (nothing is changed then). Leaves logits,
 * probabilities, errors and the rows written in `head`; rows_written is 0 for a skipped step. */
int32_t tt_head_learn(tt_head *head, const int8_t *features, uint16_t label);

/* Folds the last step into a running CRC-32 (start with 0): logits as int32, probabilities as
 * uint16, the number of rows written as uint16, then for each its index as uint16, its master
 * weights as int16 and its master bias as int32; all little-endian. */
uint32_t tt_head_trace(const tt_head *head, uint32_t crc);

#ifdef __cplusplus
}
#endif

#endif
