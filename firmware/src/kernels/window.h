/* Sliding windows over an image, for convolutions of every type. */
#ifndef TINYTRAIN_WINDOW_H
#define TINYTRAIN_WINDOW_H

#include <stddef.h>

#include "tinytrain/kernels.h"

/* The taps of a window that lie inside the input along one axis: [first, end). */
typedef struct tt_taps {
    int32_t first;
    int32_t end;
} tt_taps;

/* The window of `kernel` taps, `dilation` apart, whose first tap is at `origin` of [0, size). */
static inline tt_taps tt_taps_inside(int32_t origin, int32_t size, int32_t kernel, int32_t dilation)
{
    tt_taps inside = {0, kernel};
    while (inside.first < kernel && origin + inside.first * dilation < 0) {
        inside.first++;
    }
    while (inside.end > inside.first && origin + (inside.end - 1) * dilation >= size) {
        inside.end--;
    }
    return inside;
}

/* Where the window of one output pixel lies, and which of its taps count. */
typedef struct tt_window {
    int32_t top;
    int32_t left;
    tt_taps rows;
    tt_taps columns;
} tt_window;

static inline tt_window tt_window_at(const tt_convolution *p, int32_t y, int32_t x)
{
    tt_window w;
    w.top = y * p->stride_height - p->pad_top;
    w.left = x * p->stride_width - p->pad_left;
    w.rows = tt_taps_inside(w.top, p->input_height, p->kernel_height, p->dilation_height);
    w.columns = tt_taps_inside(w.left, p->input_width, p->kernel_width, p->dilation_width);
    return w;
}

/* Where, in elements, the input pixel under tap (row, column) of a window lies. */
static inline ptrdiff_t tt_window_offset(const tt_convolution *p, const tt_window *w, int32_t row,
                                         int32_t column)
{
    int32_t y = w->top + row * p->dilation_height;
    int32_t x = w->left + column * p->dilation_width;
    return (ptrdiff_t)(y * p->input_width + x) * p->input_channels;
}

#endif
