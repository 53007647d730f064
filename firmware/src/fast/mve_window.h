/* Copying a window of the input, for the fast kernels that use the vector extension. */
#ifndef TINYTRAIN_FAST_MVE_WINDOW_H
#define TINYTRAIN_FAST_MVE_WINDOW_H

#include "mve.h"

#if TT_KERNELS_MVE

/* A window's place: of its first tap, and which of its taps lie inside the input. */
typedef struct tt_place {
    int32_t top;
    int32_t left;
    int32_t first_row;
    int32_t end_row;
    int32_t first_column;
    int32_t end_column;
} tt_place;

static inline void tt_place_row(const tt_fast_convolution *p, tt_place *w, int32_t y)
{
    w->top = y * p->stride_height - p->pad_top;
    w->first_row = tt_clamp(-w->top, 0, p->kernel_height);
    w->end_row = tt_clamp(p->input_height - w->top, w->first_row, p->kernel_height);
}

static inline void tt_place_column(const tt_fast_convolution *p, tt_place *w, int32_t x)
{
    w->left = x * p->stride_width - p->pad_left;
    w->first_column = tt_clamp(-w->left, 0, p->kernel_width);
    w->end_column = tt_clamp(p->input_width - w->left, w->first_column, p->kernel_width);
}

/* Whether all taps are inside. */
static inline int32_t tt_place_inside(const tt_fast_convolution *p, const tt_place *w)
{
    return w->end_row - w->first_row == p->kernel_height &&
           w->end_column - w->first_column == p->kernel_width;
}

/* The first tap that is inside; `input` begins with row input_first. */
static inline const int8_t *tt_place_pixel(const tt_fast_convolution *p, const tt_place *w,
                                           const int8_t *input, int32_t input_first)
{
    int32_t row = w->top + w->first_row - input_first;
    int32_t column = w->left + w->first_column;
    return input + (ptrdiff_t)(row * p->input_width + column) * p->input_channels;
}

/* Writes `bytes` bytes, rounded up to whole vectors, which are `step` bytes apart. */
static inline void tt_fill(int8_t *to, int32_t step, int32_t bytes, int8x16_t value)
{
    for (int32_t i = (bytes + TT_LANES - 1) / TT_LANES; i > 0; i--) {
        vstrbq_s8(to, value);
        to += step;
    }
}

/* Copies rows of at most TT_LANES bytes each. */
static inline void tt_copy_narrow(const int8_t *from, int32_t from_pitch, int8_t *to,
                                  int32_t to_pitch, int32_t bytes, int32_t rows)
{
    mve_pred16_t lanes = vctp8q((uint32_t)bytes);
    for (; rows > 0; rows--) {
        vstrbq_p_s8(to, vldrbq_z_s8(from, lanes), lanes);
        from += from_pitch;
        to += to_pitch;
    }
}

/* Copies bytes; each TT_LANES of them are written `step` behind the others. */
static inline void tt_copy_row(const int8_t *from, int8_t *to, int32_t step, int32_t bytes)
{
    for (int32_t i = (int32_t)((uint32_t)bytes / TT_LANES); i > 0; i--) {
        vstrbq_s8(to, vldrbq_s8(from));
        from += TT_LANES;
        to += step;
    }
    uint32_t rest = (uint32_t)bytes % TT_LANES;
    if (rest != 0) {
        mve_pred16_t lanes = vctp8q(rest);
        vstrbq_p_s8(to, vldrbq_z_s8(from, lanes), lanes);
    }
}

/* Copies rows; of each, the vectors are written `step` bytes apart. */
static inline void tt_copy_rows(const int8_t *from, int32_t from_pitch, int8_t *to,
                                int32_t to_pitch, int32_t step, int32_t bytes, int32_t rows)
{
    if (bytes <= TT_LANES) {
        tt_copy_narrow(from, from_pitch, to, to_pitch, bytes, rows);
        return;
    }
    for (; rows > 0; rows--) {
        tt_copy_row(from, to, step, bytes);
        from += from_pitch;
        to += to_pitch;
    }
}

/* Copies a window with zero points where it leaves the input. Whole vectors are written `step`
 * bytes apart, which is TT_LANES or, where the channels are a multiple of it, more; up to
 * TT_LANES - 1 bytes are written behind the window. `from` is its first tap that is inside. */
static inline void tt_copy_window(const tt_fast_convolution *p, const tt_place *w,
                                  const int8_t *from, int8_t *to, int32_t step)
{
    int32_t channels = p->input_channels;
    int32_t width = p->kernel_width * channels;
    int32_t pitch = p->input_width * channels;
    int32_t bytes = (w->end_column - w->first_column) * channels;
    int32_t wide = step / TT_LANES;
    if (!tt_place_inside(p, w)) {
        tt_fill(to, step, p->kernel_height * width, vdupq_n_s8((int8_t)p->input_zero_point));
        to += (w->first_row * width + w->first_column * channels) * wide;
    }
    tt_copy_rows(from, pitch, to, width * wide, step, bytes, w->end_row - w->first_row);
}

#endif

#endif
