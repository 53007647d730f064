/* A rectangle of pixels under one output, each of its channels reduced: what pools and the
 * reductions over pixels share. Several channels at a time where the processor can. */
#ifndef TINYTRAIN_PIXELS_H
#define TINYTRAIN_PIXELS_H

#include <stddef.h>
#include <stdint.h>

typedef struct tt_pixels {
    int32_t rows; /* both at least 1 */
    int32_t columns;
    ptrdiff_t row_step; /* elements from a row to the next */
    ptrdiff_t column_step;
} tt_pixels;

/* Rows that follow on each other are one. */
static inline tt_pixels tt_pixels_of(int32_t rows, int32_t columns, ptrdiff_t row_step,
                                     ptrdiff_t column_step)
{
    tt_pixels pixels = {rows, columns, row_step, column_step};
    if (row_step == columns * column_step) {
        pixels.rows = 1;
        pixels.columns = rows * columns;
    }
    return pixels;
}

/* Channels whose sums are taken together. */
#define TT_SUMMED 4

/* sums[c] = the sum over the pixels of first[c], for `channels` of 1 to TT_SUMMED. */
void tt_sum_pixels(const tt_pixels *p, const int8_t *first, int32_t channels, int32_t *sums);

/* output[c] = the highest of the pixels' first[c], clamped to [low, high], for `channels`. */
void tt_highest_pixels(const tt_pixels *p, const int8_t *first, int32_t channels, int32_t low,
                       int32_t high, int8_t *output);

#endif
