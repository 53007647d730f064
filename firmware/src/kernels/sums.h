/* The sums of int8 convolutions over one window, without the bias: for the kernels, and for what
 * looks at sums before they are rescaled. */
#ifndef TINYTRAIN_SUMS_H
#define TINYTRAIN_SUMS_H

#include <stddef.h>

#include "window.h"

/* The input pixel under tap (row, column) of a window. */
static inline const int8_t *tt_pixel(const tt_convolution *p, const int8_t *input,
                                     const tt_window *w, int32_t row, int32_t column)
{
    return input + tt_window_offset(p, w, row, column);
}

/* CONV_2D: `filter` is the output channel's, [kernel_height][kernel_width][I]. */
static inline int32_t tt_sum_window(const tt_convolution *p, const int8_t *input,
                                    const tt_window *w, const int8_t *filter)
{
    int32_t acc = 0;
    for (int32_t row = w->rows.first; row < w->rows.end; row++) {
        for (int32_t column = w->columns.first; column < w->columns.end; column++) {
            const int8_t *x = tt_pixel(p, input, w, row, column);
            const int8_t *weight =
                filter + (ptrdiff_t)(row * p->kernel_width + column) * p->input_channels;
            for (int32_t i = 0; i < p->input_channels; i++) {
                acc += weight[i] * (x[i] - p->input_zero_point);
            }
        }
    }
    return acc;
}

/* DEPTHWISE_CONV_2D. */
static inline int32_t tt_sum_channel(const tt_convolution *p, const int8_t *input,
                                     const tt_window *w, int32_t in_channel, int32_t out_channel)
{
    int32_t acc = 0;
    for (int32_t row = w->rows.first; row < w->rows.end; row++) {
        for (int32_t column = w->columns.first; column < w->columns.end; column++) {
            int32_t x = tt_pixel(p, input, w, row, column)[in_channel];
            ptrdiff_t tap = (ptrdiff_t)(row * p->kernel_width + column) * p->output_channels;
            acc += p->weights[tap + out_channel] * (x - p->input_zero_point);
        }
    }
    return acc;
}

#endif
