/* The analytic head: sums and scatter of the samples, and the rows made of them.
 *
 * Letters: D features. tinytrain/emulator/lda.py computes the same bits.
 */
#include "tinytrain/lda.h"

#include <string.h>

#include "head_constants.h"
#include "lda_constants.h"
#include "lda_loops.h"
#include "solve.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/status.h"
#include "whiten.h"

static int is_blended(const tt_lda *lda)
{
    return lda->constants->blend > 0;
}

static size_t triangle(const tt_lda *lda)
{
    size_t depth = lda->constants->features;
    return is_blended(lda) ? depth * (depth + 1u) / 2u : 0;
}

int32_t tt_lda_init(tt_lda *lda, const tt_lda_constants *constants, void *memory, size_t bytes)
{
    size_t rows = constants->capacity;
    size_t depth = constants->features;
    size_t blended = constants->blend > 0;
    if (memory == NULL || (uintptr_t)memory % 4u != 0u ||
        bytes < TT_LDA_BYTES(rows, depth, blended)) {
        return TT_ERROR_MEMORY;
    }
    lda->constants = constants;
    lda->sums = memory;
    lda->scatter = lda->sums + rows * depth;
    lda->counts = (uint16_t *)(void *)(lda->scatter + triangle(lda));
    lda->scatter_count = lda->counts + rows;
    lda->factor = lda->sums + TT_LDA_STATE_BYTES(rows, depth, blended) / 4u;
    lda->solution = lda->factor + triangle(lda);
    lda->mean = (int16_t *)(void *)(lda->solution + depth);
    lda->whitened = lda->mean + depth;
    tt_lda_reset(lda);
    return TT_OK;
}

void tt_lda_reset(tt_lda *lda)
{
    const tt_lda_constants *k = lda->constants;
    memset(lda->sums, 0, TT_LDA_STATE_BYTES((size_t)k->capacity, k->features, k->blend > 0));
    lda->slice = 0;
}

/* a / b to nearest, ties away from zero, for |a| + b / 2 within int32 and b > 0. */
static int32_t divide(int32_t a, int32_t b)
{
    return (a < 0 ? a - b / 2 : a + b / 2) / b;
}

static void halve(int32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = tt_round_half_up(values[i], 1);
    }
}

/* Adds `times` x to the sums of class y. */
static void add_to_sums(tt_lda *lda, const int16_t *x, uint16_t y, int32_t times)
{
    const size_t depth = lda->constants->features;
    int32_t *sums = lda->sums + y * depth;
    for (size_t i = 0; i < depth; i++) {
        sums[i] += times * x[i];
    }
    lda->counts[y] = (uint16_t)(lda->counts[y] + times);
}

/* The mean of class y, Q7, into lda->mean. Returns 0 where neither a prior nor a sample says
 * anything; the mean is left alone then. */
static int load_mean(tt_lda *lda, uint16_t y)
{
    const tt_lda_constants *k = lda->constants;
    const size_t depth = k->features;
    const int32_t prior = y < k->classes ? k->prior : 0;
    const int16_t *means = k->means + (prior > 0 ? y * depth : 0);
    const int32_t *sums = lda->sums + y * depth;
    const int32_t divisor = prior + 16 * lda->counts[y];
    int16_t *mean = lda->mean;
    if (divisor == 0) {
        return 0;
    }
    for (size_t i = 0; i < depth; i++) {
        /* |sum| < 2^19 and prior <= 2^14: within 2^31. */
        mean[i] = (int16_t)divide(prior * means[i] + (16 << TT_MEAN_BITS) * sums[i], divisor);
    }
    return 1;
}

/* Adds the products of x's deviations from the mean of its class, which it is in already. */
static void add_scatter(tt_lda *lda, const int16_t *x, uint16_t y)
{
    const size_t depth = lda->constants->features;
    int16_t *deviation = lda->whitened;
    (void)load_mean(lda, y);
    for (size_t i = 0; i < depth; i++) {
        deviation[i] = (int16_t)(x[i] - tt_round_half_up(lda->mean[i], TT_MEAN_BITS));
    }
    if (*lda->scatter_count == TT_SCATTER_LIMIT) {
        halve(lda->scatter, triangle(lda));
        *lda->scatter_count = TT_SCATTER_LIMIT / 2;
    }
    *lda->scatter_count = (uint16_t)(*lda->scatter_count + 1u);
    tt_add_outer(lda->scatter, deviation, depth);
}

void tt_lda_add(tt_lda *lda, const int16_t *x, uint16_t y)
{
    if (lda->counts[y] == TT_COUNT_LIMIT) {
        halve(lda->sums + (size_t)y * lda->constants->features, lda->constants->features);
        lda->counts[y] = TT_COUNT_LIMIT / 2;
    }
    add_to_sums(lda, x, y, 1);
    if (is_blended(lda)) {
        add_scatter(lda, x, y);
    }
}

/* The mean less the origin, in standard deviations, Q10. */
static void whiten(tt_lda *lda)
{
    const tt_lda_constants *k = lda->constants;
    for (size_t i = 0; i < k->features; i++) {
        lda->whitened[i] = tt_whiten(k, i, lda->mean[i] - k->origin[i]);
    }
}

/* The inverse of the training people's correlation times lda->whitened, Q16. */
static void multiply_inverse(tt_lda *lda)
{
    const tt_lda_constants *k = lda->constants;
    const int16_t *row = k->inverse;
    const int32_t shift = k->inverse_shift - (TT_SOLUTION_BITS - TT_WHITENED_BITS);
    for (size_t i = 0; i < k->features; i++) {
        int64_t sum = tt_dot_int16(row, lda->whitened, k->features);
        lda->solution[i] = tt_limit_int64(tt_round_half_up_int64(sum, shift), TT_SOLUTION_LIMIT);
        row += k->features;
    }
}

static void write_row(const tt_lda *lda, int16_t *weights, int32_t *bias)
{
    const tt_lda_constants *k = lda->constants;
    for (size_t i = 0; i < k->features; i++) {
        int64_t product = (int64_t)lda->solution[i] * k->whitening[i];
        int64_t weight = tt_round_half_up_int64(product, k->weight_shift);
        weights[i] = (int16_t)tt_saturate_int16(tt_limit_int64(weight, INT32_MAX));
    }
    int64_t sum = tt_dot_int16(weights, lda->mean, k->features) +
                  tt_dot_int16(weights, k->origin, k->features);
    *bias = tt_limit_int64(-tt_round_half_up_int64(sum, TT_MEAN_BITS + 1), TT_BIAS_LIMIT);
}

void tt_lda_row(tt_lda *lda, uint16_t y, int16_t *weights, int32_t *bias)
{
    size_t depth = lda->constants->features;
    if (!load_mean(lda, y)) {
        memset(weights, 0, depth * sizeof *weights);
        *bias = -TT_BIAS_LIMIT;
        return;
    }
    whiten(lda);
    if (is_blended(lda)) {
        tt_solve_substitute(lda->factor, depth, lda->whitened, lda->solution);
    } else {
        multiply_inverse(lda);
    }
    write_row(lda, weights, bias);
}

/* Takes the sample out, and puts it back. */
void tt_lda_row_without(tt_lda *lda, uint16_t y, const int16_t *x, int16_t *weights, int32_t *bias)
{
    add_to_sums(lda, x, y, -1);
    tt_lda_row(lda, y, weights, bias);
    add_to_sums(lda, x, y, 1);
}

/* Slices: D to build, D to factor, then the classes. */
void tt_lda_solve_start(tt_lda *lda)
{
    lda->slice = is_blended(lda) ? 0 : 2u * lda->constants->features;
}

int32_t tt_lda_solve_slice(tt_lda *lda, uint16_t classes, int16_t *weights, int32_t *bias)
{
    const uint32_t depth = lda->constants->features;
    const uint32_t slice = lda->slice;
    if (slice >= 2u * depth + classes) {
        return 0;
    }
    if (slice < depth) {
        /* The solution is not needed yet. */
        tt_solve_build_row(lda->constants, lda->scatter, *lda->scatter_count, slice, lda->solution,
                           lda->factor);
    } else if (slice < 2u * depth) {
        tt_solve_factor_row(slice - depth, lda->factor);
    } else {
        uint32_t row = slice - 2u * depth;
        tt_lda_row(lda, (uint16_t)row, weights + row * depth, bias + row);
    }
    lda->slice++;
    return lda->slice < 2u * depth + classes;
}
