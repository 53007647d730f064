/* CONV_2D and DEPTHWISE_CONV_2D, portable. */
#include <stddef.h>

#include "sums.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"
#include "window.h"

static int8_t requantize(const tt_convolution *p, int32_t acc, int32_t channel)
{
    return tt_requantize(acc, p->multiplier[channel], p->shift[channel], p->output_zero_point,
                         p->activation_min, p->activation_max);
}

void tt_conv_2d(const tt_convolution *p, const int8_t *input, int8_t *output)
{
    ptrdiff_t filter_size = (ptrdiff_t)p->kernel_height * p->kernel_width * p->input_channels;
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            tt_window w = tt_window_at(p, y, x);
            for (int32_t o = 0; o < p->output_channels; o++) {
                int32_t acc = tt_sum_window(p, input, &w, p->weights + o * filter_size);
                *output++ = requantize(p, acc + p->bias[o], o);
            }
        }
    }
}

void tt_depthwise_conv_2d(const tt_convolution *p, const int8_t *input, int8_t *output)
{
    int32_t depth_multiplier = p->output_channels / p->input_channels;
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            tt_window w = tt_window_at(p, y, x);
            for (int32_t o = 0; o < p->output_channels; o++) {
                int32_t acc = tt_sum_channel(p, input, &w, o / depth_multiplier, o);
                *output++ = requantize(p, acc + p->bias[o], o);
            }
        }
    }
}
