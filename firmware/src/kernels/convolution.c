/* CONV_2D and DEPTHWISE_CONV_2D, portable. */
#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

/* The taps of a window that lie inside the input along one axis: [first, end). */
typedef struct taps {
    int32_t first;
    int32_t end;
} taps;

/* The window of `kernel` taps, `dilation` apart, whose first tap is at `origin` of [0, size). */
static taps taps_inside(int32_t origin, int32_t size, int32_t kernel, int32_t dilation)
{
    taps inside = {0, kernel};
    while (inside.first < kernel && origin + inside.first * dilation < 0) {
        inside.first++;
    }
    while (inside.end > inside.first && origin + (inside.end - 1) * dilation >= size) {
        inside.end--;
    }
    return inside;
}

static int8_t requantize(const tt_convolution *p, int32_t acc, int32_t channel)
{
    return tt_requantize(acc, p->multiplier[channel], p->shift[channel], p->output_zero_point,
                         p->activation_min, p->activation_max);
}

/* Where the window of one output pixel lies, and which of its taps count. */
typedef struct window {
    int32_t top;
    int32_t left;
    taps rows;
    taps columns;
} window;

static window window_at(const tt_convolution *p, int32_t y, int32_t x)
{
    window w;
    w.top = y * p->stride_height - p->pad_top;
    w.left = x * p->stride_width - p->pad_left;
    w.rows = taps_inside(w.top, p->input_height, p->kernel_height, p->dilation_height);
    w.columns = taps_inside(w.left, p->input_width, p->kernel_width, p->dilation_width);
    return w;
}

/* The input pixel under tap (row, column) of a window. */
static const int8_t *pixel(const tt_convolution *p, const int8_t *input, const window *w,
                           int32_t row, int32_t column)
{
    int32_t y = w->top + row * p->dilation_height;
    int32_t x = w->left + column * p->dilation_width;
    return input + (ptrdiff_t)(y * p->input_width + x) * p->input_channels;
}

static int32_t sum_window(const tt_convolution *p, const int8_t *input, const window *w,
                          const int8_t *filter)
{
    int32_t acc = 0;
    for (int32_t row = w->rows.first; row < w->rows.end; row++) {
        for (int32_t column = w->columns.first; column < w->columns.end; column++) {
            const int8_t *x = pixel(p, input, w, row, column);
            const int8_t *weight =
                filter + (ptrdiff_t)(row * p->kernel_width + column) * p->input_channels;
            for (int32_t i = 0; i < p->input_channels; i++) {
                acc += weight[i] * (x[i] - p->input_zero_point);
            }
        }
    }
    return acc;
}

void tt_conv_2d(const tt_convolution *p, const int8_t *input, int8_t *output)
{
    ptrdiff_t filter_size = (ptrdiff_t)p->kernel_height * p->kernel_width * p->input_channels;
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            window w = window_at(p, y, x);
            for (int32_t o = 0; o < p->output_channels; o++) {
                int32_t acc = sum_window(p, input, &w, p->weights + o * filter_size);
                *output++ = requantize(p, acc + p->bias[o], o);
            }
        }
    }
}

static int32_t sum_channel(const tt_convolution *p, const int8_t *input, const window *w,
                           int32_t in_channel, int32_t out_channel)
{
    int32_t acc = 0;
    for (int32_t row = w->rows.first; row < w->rows.end; row++) {
        for (int32_t column = w->columns.first; column < w->columns.end; column++) {
            int32_t x = pixel(p, input, w, row, column)[in_channel];
            ptrdiff_t tap = (ptrdiff_t)(row * p->kernel_width + column) * p->output_channels;
            acc += p->weights[tap + out_channel] * (x - p->input_zero_point);
        }
    }
    return acc;
}

void tt_depthwise_conv_2d(const tt_convolution *p, const int8_t *input, int8_t *output)
{
    int32_t depth_multiplier = p->output_channels / p->input_channels;
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            window w = window_at(p, y, x);
            for (int32_t o = 0; o < p->output_channels; o++) {
                int32_t acc = sum_channel(p, input, &w, o / depth_multiplier, o);
                *output++ = requantize(p, acc + p->bias[o], o);
            }
        }
    }
}
