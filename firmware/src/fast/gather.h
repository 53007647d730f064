/* Windows of an image as contiguous vectors, for the fast kernels that read them so. */
#ifndef TINYTRAIN_GATHER_H
#define TINYTRAIN_GATHER_H

#include <string.h>

#include "fast.h"

#if TT_KERNELS_V6M
#include "v6m.h"
#endif

static inline void tt_copy_segment(int8_t *to, const int8_t *from, int32_t bytes)
{
#if TT_KERNELS_V6M
    tt_v6m_copy(to, from, bytes);
#else
    memcpy(to, from, (size_t)bytes);
#endif
}

/* `count` pixels of a row from column `left`, which may lie outside of it. */
static inline int8_t *tt_gather_row(const tt_fast_convolution *p, const int8_t *row, int32_t left,
                                    int32_t count, int8_t *to)
{
    int32_t channels = p->input_channels;
    int32_t first = tt_clamp(-left, 0, count);
    int32_t end = tt_clamp(p->input_width - left, first, count);
    if (first > 0) {
        memset(to, p->input_zero_point, (size_t)(first * channels));
    }
    if (first < end) {
        tt_copy_segment(to + first * channels, row + (ptrdiff_t)(left + first) * channels,
                        (end - first) * channels);
    }
    if (end < count) {
        memset(to + end * channels, p->input_zero_point, (size_t)((count - end) * channels));
    }
    return to + count * channels;
}

/* The window of output pixel (y, x), [kernel_height][kernel_width][I]. `input` begins with row
 * input_first. */
static inline void tt_gather_window(const tt_fast_convolution *p, int32_t input_first,
                                    const int8_t *input, int32_t y, int32_t x, int8_t *to)
{
    int32_t left = x * p->stride_width - p->pad_left;
    int32_t top = y * p->stride_height - p->pad_top;
    ptrdiff_t row_bytes = (ptrdiff_t)p->input_width * p->input_channels;
    for (int32_t row = top; row < top + p->kernel_height; row++) {
        if (row < 0 || row >= p->input_height) {
            int32_t bytes = p->kernel_width * p->input_channels;
            memset(to, p->input_zero_point, (size_t)bytes);
            to += bytes;
        } else {
            to = tt_gather_row(p, input + (row - input_first) * row_bytes, left, p->kernel_width,
                               to);
        }
    }
}

#endif
