/* Windows of an image as contiguous vectors, for the fast kernels that read them so. */
#ifndef TINYTRAIN_GATHER_H
#define TINYTRAIN_GATHER_H

#include <string.h>

#include "fast.h"

#if TT_KERNELS_V6M
#include "v6m.h"
#endif

/* A pixel of the output. */
typedef struct tt_position {
    int32_t y;
    int32_t x;
} tt_position;

static inline tt_position tt_next_position(const tt_fast_convolution *p, tt_position at)
{
    at.x++;
    if (at.x == p->output_width) {
        at.x = 0;
        at.y++;
    }
    return at;
}

/* The first pixel of a window, which may lie outside of the input. */
typedef struct tt_corner {
    int32_t top;
    int32_t left;
} tt_corner;

static inline tt_corner tt_corner_of(const tt_fast_convolution *p, tt_position at)
{
    tt_corner corner = {at.y * p->stride_height - p->pad_top, at.x * p->stride_width - p->pad_left};
    return corner;
}

/* Whether kernel_height rows of `columns` pixels do. */
static inline int32_t tt_lies_inside(const tt_fast_convolution *p, tt_corner corner,
                                     int32_t columns)
{
    return corner.top >= 0 && corner.top + p->kernel_height <= p->input_height &&
           corner.left >= 0 && corner.left + columns <= p->input_width;
}

/* A pixel of an input that begins with row input_first. */
static inline const int8_t *tt_pixel_at(const tt_fast_convolution *p, int32_t input_first,
                                        const int8_t *input, tt_corner corner)
{
    ptrdiff_t pixel = (ptrdiff_t)(corner.top - input_first) * p->input_width + corner.left;
    return input + pixel * p->input_channels;
}

static inline void tt_copy_segment(int8_t *to, const int8_t *from, int32_t bytes)
{
#if TT_KERNELS_V6M
    tt_v6m_copy(to, from, bytes);
#else
    memcpy(to, from, (size_t)bytes);
#endif
}

/* `count` pixels of a row, the first of which is `corner`. */
static inline void tt_gather_row(const tt_fast_convolution *p, int32_t input_first,
                                 const int8_t *input, tt_corner corner, int32_t count, int8_t *to)
{
    int32_t channels = p->input_channels;
    int32_t inside = corner.top >= 0 && corner.top < p->input_height;
    int32_t first = inside ? tt_clamp(-corner.left, 0, count) : count;
    int32_t end = tt_clamp(p->input_width - corner.left, first, count);
    if (first > 0) {
        memset(to, p->input_zero_point, (size_t)(first * channels));
    }
    if (first < end) {
        tt_corner pixel = {corner.top, corner.left + first};
        tt_copy_segment(to + first * channels, tt_pixel_at(p, input_first, input, pixel),
                        (end - first) * channels);
    }
    if (end < count) {
        memset(to + end * channels, p->input_zero_point, (size_t)((count - end) * channels));
    }
}

/* The windows of neighbouring output pixels, the first of which is `at`:
 * [kernel_height][columns][I] of the input. */
static inline void tt_gather_strip(const tt_fast_convolution *p, int32_t input_first,
                                   const int8_t *input, tt_position at, int32_t columns, int8_t *to)
{
    tt_corner corner = tt_corner_of(p, at);
    int32_t bytes = columns * p->input_channels;
    if (tt_lies_inside(p, corner, columns)) {
        const int8_t *from = tt_pixel_at(p, input_first, input, corner);
        for (int32_t row = 0; row < p->kernel_height; row++) {
            tt_copy_segment(to, from, bytes);
            from += p->input_width * p->input_channels;
            to += bytes;
        }
        return;
    }
    for (int32_t row = 0; row < p->kernel_height; row++) {
        tt_gather_row(p, input_first, input, corner, columns, to);
        to += bytes;
        corner.top++;
    }
}

/* The window of an output pixel, [kernel_height][kernel_width][I]. */
static inline void tt_gather_window(const tt_fast_convolution *p, int32_t input_first,
                                    const int8_t *input, tt_position at, int8_t *to)
{
    tt_gather_strip(p, input_first, input, at, p->kernel_width, to);
}

/* The same where it lies contiguous in the input, else gathered in `to`. */
static inline const int8_t *tt_window_of(const tt_fast_convolution *p, int32_t input_first,
                                         const int8_t *input, tt_position at, int8_t *to)
{
    tt_corner corner = tt_corner_of(p, at);
    if (p->kernel_height == 1 && tt_lies_inside(p, corner, p->kernel_width)) {
        return tt_pixel_at(p, input_first, input, corner);
    }
    tt_gather_window(p, input_first, input, at, to);
    return to;
}

#endif
