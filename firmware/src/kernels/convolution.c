/* CONV_2D and DEPTHWISE_CONV_2D, portable. */
#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"
#include "window.h"

static int8_t requantize(const tt_convolution *p, int32_t acc, int32_t channel)
{
    return tt_requantize(acc, p->multiplier[channel], p->shift[channel], p->output_zero_point,
                         p->activation_min, p->activation_max);
}

/* The input pixel under tap (row, column) of a window. */
static const int8_t *pixel(const tt_convolution *p, const int8_t *input, const tt_window *w,
                           int32_t row, int32_t column)
{
    return input + tt_window_offset(p, w, row, column);
}

static int32_t sum_window(const tt_convolution *p, const int8_t *input, const tt_window *w,
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
            tt_window w = tt_window_at(p, y, x);
            for (int32_t o = 0; o < p->output_channels; o++) {
                int32_t acc = sum_window(p, input, &w, p->weights + o * filter_size);
                *output++ = requantize(p, acc + p->bias[o], o);
            }
        }
    }
}

static int32_t sum_channel(const tt_convolution *p, const int8_t *input, const tt_window *w,
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
            tt_window w = tt_window_at(p, y, x);
            for (int32_t o = 0; o < p->output_channels; o++) {
                int32_t acc = sum_channel(p, input, &w, o / depth_multiplier, o);
                *output++ = requantize(p, acc + p->bias[o], o);
            }
        }
    }
}
