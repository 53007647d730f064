/* The solve of the blended covariance, by Cholesky's method: LEARNING.md (section 5).
 *
 * D features. A matrix is the rows of its lower triangle, int32 [D (D + 1) / 2]. Work in rows, so
 * that the caller can do it in slices; rows in their order.
 */
#ifndef TINYTRAIN_SOLVE_H
#define TINYTRAIN_SOLVE_H

#include "tinytrain/lda.h"

/* Row `row` of the regularized correlation, Q24, into `matrix`. A feature that varies more than
 * eight times as much as in training is scaled down, with its whole row and column: so the matrix
 * stays positive definite. `scale`, Q15 [D], holds the scales of the rows before. */
void tt_solve_build_row(const tt_lda_constants *constants, const int32_t *scatter,
                        int32_t scatter_count, size_t row, int32_t *scale, int32_t *matrix);

/* Row `row` of the factor in place of the matrix's: l in Q24, on the diagonal 1 / l in Q26. */
void tt_solve_factor_row(size_t row, int32_t *matrix);

/* The solution t, Q16 [D], of l l' t = u, Q10 [D]. */
void tt_solve_substitute(const int32_t *factor, size_t features, const int16_t *u, int32_t *t);

#endif
