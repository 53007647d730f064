/* CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED of int16 with int8 weights, portable. */
#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"
#include "window.h"

/* Sums have 64 bits here in both arithmetics: where 32 are called for, they hold them too. */
static int32_t rescale(int64_t sum, const int64_t *wide_bias, const int32_t *bias,
                       const int32_t *multiplier, const int8_t *shift, int32_t channel)
{
    if (wide_bias != NULL) {
        return tt_multiply_by_quantized_multiplier_int64(sum + wide_bias[channel],
                                                         multiplier[channel], shift[channel]);
    }
    return tt_multiply_by_quantized_multiplier((int32_t)(sum + bias[channel]), multiplier[channel],
                                               shift[channel]);
}

static int16_t requantize(const tt_convolution_int16 *q, int64_t sum, int32_t channel)
{
    const tt_convolution *p = &q->convolution;
    int32_t scaled = rescale(sum, q->wide_bias, p->bias, p->multiplier, p->shift, channel);
    return (int16_t)tt_clamp(scaled, p->activation_min, p->activation_max);
}

static int64_t sum_window(const tt_convolution *p, const int16_t *input, const tt_window *w,
                          const int8_t *filter)
{
    int64_t sum = 0;
    for (int32_t row = w->rows.first; row < w->rows.end; row++) {
        for (int32_t column = w->columns.first; column < w->columns.end; column++) {
            const int16_t *x = input + tt_window_offset(p, w, row, column);
            const int8_t *weight =
                filter + (ptrdiff_t)(row * p->kernel_width + column) * p->input_channels;
            for (int32_t i = 0; i < p->input_channels; i++) {
                sum += weight[i] * x[i];
            }
        }
    }
    return sum;
}

void tt_conv_2d_int16(const tt_convolution_int16 *q, const int16_t *input, int16_t *output)
{
    const tt_convolution *p = &q->convolution;
    ptrdiff_t filter_size = (ptrdiff_t)p->kernel_height * p->kernel_width * p->input_channels;
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            tt_window w = tt_window_at(p, y, x);
            for (int32_t o = 0; o < p->output_channels; o++) {
                int64_t sum = sum_window(p, input, &w, p->weights + o * filter_size);
                *output++ = requantize(q, sum, o);
            }
        }
    }
}

static int64_t sum_channel(const tt_convolution *p, const int16_t *input, const tt_window *w,
                           int32_t in_channel, int32_t out_channel)
{
    int64_t sum = 0;
    for (int32_t row = w->rows.first; row < w->rows.end; row++) {
        for (int32_t column = w->columns.first; column < w->columns.end; column++) {
            int32_t x = input[tt_window_offset(p, w, row, column) + in_channel];
            ptrdiff_t tap = (ptrdiff_t)(row * p->kernel_width + column) * p->output_channels;
            sum += p->weights[tap + out_channel] * x;
        }
    }
    return sum;
}

void tt_depthwise_conv_2d_int16(const tt_convolution_int16 *q, const int16_t *input,
                                int16_t *output)
{
    const tt_convolution *p = &q->convolution;
    int32_t depth_multiplier = p->output_channels / p->input_channels;
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            tt_window w = tt_window_at(p, y, x);
            for (int32_t o = 0; o < p->output_channels; o++) {
                *output++ = requantize(q, sum_channel(p, input, &w, o / depth_multiplier, o), o);
            }
        }
    }
}

void tt_fully_connected_int16(const tt_dense_int16 *q, const int16_t *input, int16_t *output)
{
    const tt_dense *p = &q->dense;
    for (int32_t row = 0; row < p->rows; row++) {
        const int8_t *weights = p->weights;
        for (int32_t o = 0; o < p->output_depth; o++) {
            int64_t sum = 0;
            for (int32_t i = 0; i < p->input_depth; i++) {
                sum += weights[i] * input[i];
            }
            int32_t scaled = rescale(sum, q->wide_bias, p->bias, p->multiplier, p->shift, o);
            *output++ = (int16_t)tt_clamp(scaled, p->activation_min, p->activation_max);
            weights += p->input_depth;
        }
        input += p->input_depth;
    }
}
