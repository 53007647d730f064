/* The solve of the blended covariance; tinytrain/emulator/solve.py computes the same bits.
 *
 * Elements of the factor and of the solutions stay within 2^27, so that the sum of 256 products
 * and what it is taken from stay within 2^63.
 */
#include "solve.h"

#include "lda_constants.h"
#include "tinytrain/arithmetic.h"

/* Of elements before they are scaled: times a scale they stay within 2^62. */
#define WIDEST ((int64_t)1 << 47)
#define SCALE_BITS 15

/* Where a row of a triangle begins. */
static size_t row_start(size_t row)
{
    return row * (row + 1u) / 2u;
}

/* An element of the blended correlation, Q24, before it is scaled. */
static int64_t blended(const tt_lda_constants *constants, const int32_t *scatter,
                       int32_t scatter_count, size_t row, size_t column)
{
    const int16_t *r = constants->whitening;
    const size_t at = row_start(row) + column;
    const int32_t shift =
        2 * (constants->whitening_shift + TT_WHITENING_BITS) - TT_CORRELATION_BITS;
    int64_t device = tt_round_half_up_int64((int64_t)scatter[at] * (r[row] * r[column]), shift);
    int64_t total = (int64_t)constants->blend * constants->correlation[at] + device;
    int64_t mean = tt_divide_rounded(total * (1 << (TT_FACTOR_BITS - TT_CORRELATION_BITS)),
                                     constants->blend + scatter_count);
    return mean < -WIDEST ? -WIDEST : (mean > WIDEST ? WIDEST : mean);
}

void tt_solve_build_row(const tt_lda_constants *constants, const int32_t *scatter,
                        int32_t scatter_count, size_t row, int32_t *scale, int32_t *matrix)
{
    int32_t *elements = matrix + row_start(row);
    int64_t variance = blended(constants, scatter, scatter_count, row, row);
    scale[row] = variance > TT_MATRIX_LIMIT
                     ? (int32_t)tt_isqrt64(((uint64_t)1 << 60) / (uint64_t)variance)
                     : 1 << SCALE_BITS;
    for (size_t j = 0; j <= row; j++) {
        int64_t element = blended(constants, scatter, scatter_count, row, j);
        element = tt_round_half_up_int64(element * scale[row], SCALE_BITS);
        element = tt_round_half_up_int64(element * scale[j], SCALE_BITS);
        elements[j] = tt_limit_int64(element, TT_MATRIX_LIMIT);
    }
    elements[row] = tt_limit_int64((int64_t)elements[row] + constants->ridge, TT_MATRIX_LIMIT);
}

/* a / 2^24 times the reciprocal, limited before and after the product. */
static int32_t quotient(int64_t a, int32_t reciprocal, int32_t before, int32_t after)
{
    int64_t limited = tt_limit_int64(tt_round_half_up_int64(a, TT_FACTOR_BITS), before);
    return tt_limit_int64(tt_round_half_up_int64(limited * reciprocal, TT_RECIPROCAL_BITS), after);
}

/* The sum of the products of a [n] and b [n]. */
static int64_t dot(const int32_t *a, const int32_t *b, size_t n)
{
    int64_t sum = 0;
    const int32_t *end = a + n;
    for (; end - a >= 4; a += 4, b += 4) {
        sum += (int64_t)a[0] * b[0];
        sum += (int64_t)a[1] * b[1];
        sum += (int64_t)a[2] * b[2];
        sum += (int64_t)a[3] * b[3];
    }
    while (a < end) {
        sum += (int64_t)*a++ * *b++;
    }
    return sum;
}

void tt_solve_factor_row(size_t row, int32_t *matrix)
{
    int32_t *l = matrix + row_start(row);
    const int32_t *other = matrix;
    for (size_t j = 0; j < row; j++) {
        int64_t a = (int64_t)l[j] * ((int64_t)1 << TT_FACTOR_BITS) - dot(l, other, j);
        l[j] = quotient(a, other[j], TT_MATRIX_LIMIT, TT_FACTOR_LIMIT);
        other += j + 1u;
    }
    int64_t pivot = (int64_t)l[row] * ((int64_t)1 << TT_FACTOR_BITS) - dot(l, l, row);
    uint32_t root = tt_isqrt64((uint64_t)(pivot > TT_PIVOT_FLOOR ? pivot : TT_PIVOT_FLOOR));
    l[row] = (int32_t)(((uint64_t)1 << (TT_FACTOR_BITS + TT_RECIPROCAL_BITS)) / root);
}

/* The sum over k > i of l[k][i] t[k]. */
static int64_t dot_column(const int32_t *factor, size_t features, size_t i, const int32_t *t)
{
    int64_t sum = 0;
    const int32_t *l = factor + row_start(i) + i;
    for (size_t k = i + 1; k < features; k++) {
        l += k;
        sum += (int64_t)*l * t[k];
    }
    return sum;
}

void tt_solve_substitute(const int32_t *factor, size_t features, const int16_t *u, int32_t *t)
{
    for (size_t i = 0; i < features; i++) {
        const int32_t *l = factor + row_start(i);
        int64_t a =
            (int64_t)u[i] * ((int64_t)1 << (TT_FACTOR_BITS + TT_SOLUTION_BITS - TT_WHITENED_BITS)) -
            dot(l, t, i);
        t[i] = quotient(a, l[i], TT_SOLUTION_LIMIT, TT_SOLUTION_LIMIT);
    }
    for (size_t i = features; i-- > 0;) {
        int64_t a =
            (int64_t)t[i] * ((int64_t)1 << TT_FACTOR_BITS) - dot_column(factor, features, i, t);
        t[i] = quotient(a, factor[row_start(i) + i], TT_SOLUTION_LIMIT, TT_SOLUTION_LIMIT);
    }
}
