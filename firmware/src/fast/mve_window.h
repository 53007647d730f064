/* Copying a window of the input, for the fast kernels that use the vector extension. */
#ifndef TINYTRAIN_FAST_MVE_WINDOW_H
#define TINYTRAIN_FAST_MVE_WINDOW_H

#include "mve.h"

#if TT_KERNELS_MVE

/* Writes `bytes` of `value`, each TT_LANES of them `step` behind the others, and up to TT_LANES - 1
 * bytes behind; returns where the next ones go. */
static inline int8_t *tt_fill(int8_t *to, int32_t step, int32_t bytes, int8x16_t value)
{
    for (int32_t i = bytes / TT_LANES; i > 0; i--) {
        vstrbq_s8(to, value);
        to += step;
    }
    if (bytes % TT_LANES != 0) {
        vstrbq_s8(to, value);
        to += bytes % TT_LANES;
    }
    return to;
}

/* The same with bytes from elsewhere. */
static inline int8_t *tt_copy_bytes(int8_t *to, int32_t step, int32_t bytes, const int8_t *from)
{
    for (int32_t i = bytes / TT_LANES; i > 0; i--) {
        vstrbq_s8(to, vldrbq_s8(from));
        from += TT_LANES;
        to += step;
    }
    int32_t rest = bytes % TT_LANES;
    if (rest != 0) {
        vstrbq_s8(to, vldrbq_z_s8(from, vctp8q((uint32_t)rest)));
        to += rest;
    }
    return to;
}

/* Where the first tap of a window lies, in rows and columns of the input, the first of which that
 * is there is row `begin`. */
typedef struct tt_corner {
    int32_t top;
    int32_t left;
    int32_t begin;
} tt_corner;

/* Where in the buffer the pixel (row, column) is. */
static inline ptrdiff_t tt_pixel_at(const tt_fast_convolution *p, const tt_corner *c, int32_t row,
                                    int32_t column)
{
    return ((ptrdiff_t)(row - c->begin) * p->input_width + column) * p->input_channels;
}

/* Copies a window, with zero points where it leaves the input. */
static inline void tt_gather_window(const tt_fast_convolution *p, const int8_t *input,
                                    const tt_corner *c, int8_t *to, int32_t step)
{
    int32_t channels = p->input_channels;
    int32_t first = tt_clamp(-c->left, 0, p->kernel_width);
    int32_t end = tt_clamp(p->input_width - c->left, first, p->kernel_width);
    int32_t before = first * channels;
    int32_t inside = (end - first) * channels;
    int32_t behind = (p->kernel_width - end) * channels;
    int32_t pitch = p->input_width * channels;
    int8x16_t zero = vdupq_n_s8((int8_t)p->input_zero_point);
    ptrdiff_t row = tt_pixel_at(p, c, c->top, c->left + first);
    for (int32_t y = c->top; y < c->top + p->kernel_height; y++) {
        if (y >= 0 && y < p->input_height) {
            to = tt_fill(to, step, before, zero);
            to = tt_copy_bytes(to, step, inside, input + row);
            to = tt_fill(to, step, behind, zero);
        } else {
            to = tt_fill(to, step, before + inside + behind, zero);
        }
        row += pitch;
    }
}

#endif

#endif
