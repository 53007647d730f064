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

/* The sum of `count` products of weights with inputs less their zero point. */
int32_t tt_dot_product(const int8_t *x, const int8_t *weights, int32_t count, int32_t zero_point);

/* CONV_2D: `filter` is the output channel's, [kernel_height][kernel_width][I]. Without dilation a
 * row of the window lies side by side. */
static inline int32_t tt_sum_window(const tt_convolution *p, const int8_t *input,
                                    const tt_window *w, const int8_t *filter)
{
    int32_t acc = 0;
    int32_t together = p->dilation_width == 1 ? w->columns.end - w->columns.first : 1;
    for (int32_t row = w->rows.first; row < w->rows.end; row++) {
        for (int32_t column = w->columns.first; column < w->columns.end; column += together) {
            ptrdiff_t tap = (ptrdiff_t)(row * p->kernel_width + column) * p->input_channels;
            acc += tt_dot_product(tt_pixel(p, input, w, row, column), filter + tap,
                                  together * p->input_channels, p->input_zero_point);
        }
    }
    return acc;
}

/* DEPTHWISE_CONV_2D. */
static inline int32_t tt_sum_channel(const tt_convolution *p, const int8_t *input,
                                     const tt_window *w, int32_t in_channel, int32_t out_channel)
{
    int32_t acc = 0;
    int32_t zero_point = p->input_zero_point;
    int32_t first = w->columns.first;
    ptrdiff_t step = (ptrdiff_t)p->dilation_width * p->input_channels;
    ptrdiff_t weight_step = p->output_channels;
    for (int32_t row = w->rows.first; row < w->rows.end; row++) {
        ptrdiff_t x = tt_window_offset(p, w, row, first) + in_channel;
        ptrdiff_t weight = (row * p->kernel_width + first) * weight_step + out_channel;
        for (int32_t column = first; column < w->columns.end; column++) {
            acc += p->weights[weight] * (input[x] - zero_point);
            x += step;
            weight += weight_step;
        }
    }
    return acc;
}

#endif
