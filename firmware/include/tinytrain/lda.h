/* The analytic head: linear discriminant analysis whose class means, and where it is blended its
 * covariance too, follow the samples of the device.
 *
 * Letters: R rows of memory for classes, C classes in use, C0 classes of the factory head, D
 * features. x is a sample's features less their zero point, int16 [D], -255 to 255. The rules, with
 * every rounding, stand in LEARNING.md (sections 4 and 5); tinytrain/emulator/lda.py is the
 * reference and gives the same bits. This keeps means and covariance; the rows that it makes are
 * the caller's.
 */
#ifndef TINYTRAIN_LDA_H
#define TINYTRAIN_LDA_H

#include <stddef.h>
#include <stdint.h>

#include "tinytrain/head.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fixed at export, in flash. */
typedef struct tt_lda_constants {
    uint16_t classes;  /* C0, 1 to R */
    uint16_t capacity; /* R */
    uint16_t features; /* D, 1 to 256 */
    uint16_t prior;    /* n0: weight of the training means, 1/16 samples, 0 to 2^14 */
    /* N0: weight of the training covariance, samples. 0: frozen, it is all there is. */
    uint16_t blend;
    int32_t whitening_shift;    /* rs, 9 to 18 */
    int32_t inverse_shift;      /* ks: fraction bits of `inverse`, 7 to 24 */
    int32_t weight_shift;       /* ws, 12 to 62 */
    int32_t ridge;              /* lambda, Q24, 2^19 to 2^28 */
    tt_units units;             /* of the rows that this head makes */
    const int16_t *means;       /* m [C0][D] of x, Q7 */
    const int16_t *origin;      /* o [D] mean of the means, Q7 */
    const int16_t *whitening;   /* r [D] 2^(3 + rs) / standard deviation within classes, > 0 */
    const int16_t *inverse;     /* K [D][D] of the correlations and lambda; NULL where blended */
    const int16_t *correlation; /* P [D (D + 1) / 2] rows of the lower triangle, Q14; or NULL */
    const int16_t *weights;     /* [C0][D] rows of a device that has seen nothing */
    const int32_t *bias;        /* [C0] */
} tt_lda_constants;

/* The working memory, carved out of one buffer of the caller's by tt_lda_init. The first
 * TT_LDA_STATE_BYTES of the buffer are all that is kept of the samples; the rest is scratch. */
typedef struct tt_lda {
    const tt_lda_constants *constants;
    int32_t *sums;           /* [R][D] of x */
    int32_t *scatter;        /* [D (D + 1) / 2] about the class means, rows of the lower triangle */
    uint16_t *counts;        /* [R] samples in the sums, 0 to 2047 */
    uint16_t *scatter_count; /* [1] samples in the scatter, 0 to 4096 */
    /* [D (D + 1) / 2] the covariance in the making, then its factor: blended only. */
    int32_t *factor;
    int32_t *solution; /* [D] of the last row, Q16 */
    int16_t *mean;     /* [D] of the last row, Q7 */
    int16_t *whitened; /* [D] of the last row, Q10; deviations from the mean while adding */
    uint32_t slice;    /* of the solve, the next one */
} tt_lda;

/* Bytes: constant expressions. `blended` is 0 or 1. */
#define TT_LDA_TRIANGLE_BYTES(features) ((features) * ((features) + 1u) / 2u * 4u)
#define TT_LDA_STATE_BYTES(capacity, features, blended)                                            \
    ((capacity) * (features) * 4u + (blended) * TT_LDA_TRIANGLE_BYTES(features) +                  \
     ((capacity) + 2u) / 2u * 4u)
#define TT_LDA_BYTES(capacity, features, blended)                                                  \
    (TT_LDA_STATE_BYTES(capacity, features, blended) +                                             \
     (blended) * TT_LDA_TRIANGLE_BYTES(features) + (features) * 8u)

/* Binds `lda` to its constants and memory (aligned to 4), and resets it. Returns TT_OK, or
 * TT_ERROR_MEMORY where the buffer is too small or misaligned. */
int32_t tt_lda_init(tt_lda *lda, const tt_lda_constants *constants, void *memory, size_t bytes);

/* Forgets all samples. */
void tt_lda_reset(tt_lda *lda);

/* Adds a sample x of class y, below R. */
void tt_lda_add(tt_lda *lda, const int16_t *x, uint16_t y);

/* The row of class y: weights int16 [D], and the bias. Where blended, by the factor of the last
 * solve, which has to be behind its factors. */
void tt_lda_row(tt_lda *lda, uint16_t y, int16_t *weights, int32_t *bias);

/* The same as if x were not in the sums of class y, where it has to be. */
void tt_lda_row_without(tt_lda *lda, uint16_t y, const int16_t *x, int16_t *weights, int32_t *bias);

/* Begins to make all rows anew, with the covariance that there is now where blended. */
void tt_lda_solve_start(tt_lda *lda);

/* Does one slice of that: a row of a matrix, or a class. Writes into weights, int16 [C][D], and
 * bias [C], 1 <= C <= R. Returns 1 while more slices remain, else 0. No sample may be added between
 * slices. */
int32_t tt_lda_solve_slice(tt_lda *lda, uint16_t classes, int16_t *weights, int32_t *bias);

#ifdef __cplusplus
}
#endif

#endif
