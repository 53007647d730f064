/* Fast DEPTHWISE_CONV_2D in portable C. */
#include "fast.h"

#if !TT_KERNELS_DSP && !TT_KERNELS_MVE

void tt_fast_depthwise_conv_2d(const tt_fast_convolution *p, const tt_band *band,
                               const int8_t *input, int8_t *output, void *scratch)
{
    (void)scratch;
    tt_band r = tt_band_of(p, band);
    int32_t channels = p->input_channels;
    for (int32_t y = r.first; y < r.end; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            for (int32_t o = 0; o < channels; o++) {
                int32_t sum = p->channels[o].start;
                for (int32_t row = 0; row < p->kernel_height; row++) {
                    int32_t in_y = y * p->stride_height - p->pad_top + row;
                    for (int32_t tap = 0; tap < p->kernel_width; tap++) {
                        int32_t in_x = x * p->stride_width - p->pad_left + tap;
                        int32_t inside = in_y >= 0 && in_y < p->input_height && in_x >= 0 &&
                                         in_x < p->input_width;
                        ptrdiff_t pixel = (ptrdiff_t)(in_y - r.input_first) * p->input_width + in_x;
                        int32_t value = inside ? input[pixel * channels + o] : p->input_zero_point;
                        sum += p->weights[(row * p->kernel_width + tap) * channels + o] * value;
                    }
                }
                *output++ =
                    tt_channel_output(&p->channels[o], sum, p->activation_min, p->activation_max);
            }
        }
    }
}

#endif
