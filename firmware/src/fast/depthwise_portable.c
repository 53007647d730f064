/* Fast DEPTHWISE_CONV_2D in portable C: four channels at a time. */
#include "gather.h"

#if TT_KERNELS_PORTABLE

enum {
    GROUP = 4,
};

static inline void add_products(int32_t *sum, const int8_t *x, const int8_t *weights)
{
    sum[0] += x[0] * weights[0];
    sum[1] += x[1] * weights[1];
    sum[2] += x[2] * weights[2];
    sum[3] += x[3] * weights[3];
}

/* The sums of channels `o` to o + 3. The window's rows lie row_bytes apart. */
static inline void sum_group(const tt_fast_convolution *p, const int8_t *window,
                             ptrdiff_t row_bytes, int32_t o, int32_t *sum)
{
    int32_t channels = p->input_channels;
    const int8_t *weights = p->weights + o;
    int32_t s[GROUP] = {p->channels[o].start, p->channels[o + 1].start, p->channels[o + 2].start,
                        p->channels[o + 3].start};
    for (int32_t row = 0; row < p->kernel_height; row++) {
        const int8_t *x = window + row * row_bytes + o;
        for (int32_t tap = 0; tap < p->kernel_width; tap++) {
            add_products(s, x, weights);
            x += channels;
            weights += channels;
        }
    }
    for (int32_t i = 0; i < GROUP; i++) {
        sum[i] = s[i];
    }
}

static inline int32_t sum_channel(const tt_fast_convolution *p, const int8_t *window,
                                  ptrdiff_t row_bytes, int32_t o)
{
    int32_t channels = p->input_channels;
    const int8_t *weights = p->weights + o;
    int32_t sum = p->channels[o].start;
    for (int32_t row = 0; row < p->kernel_height; row++) {
        const int8_t *x = window + row * row_bytes + o;
        for (int32_t tap = 0; tap < p->kernel_width; tap++) {
            sum += *x * *weights;
            x += channels;
            weights += channels;
        }
    }
    return sum;
}

static void convolve_pixel(const tt_fast_convolution *p, const int8_t *window, ptrdiff_t row_bytes,
                           int8_t *output)
{
    int32_t low = p->activation_min;
    int32_t high = p->activation_max;
    int32_t o = 0;
    for (; o + GROUP <= p->input_channels; o += GROUP) {
        int32_t sum[GROUP];
        sum_group(p, window, row_bytes, o, sum);
        for (int32_t i = 0; i < GROUP; i++) {
            output[o + i] = tt_channel_output(&p->channels[o + i], sum[i], low, high);
        }
    }
    for (; o < p->input_channels; o++) {
        int32_t sum = sum_channel(p, window, row_bytes, o);
        output[o] = tt_channel_output(&p->channels[o], sum, low, high);
    }
}

void tt_fast_depthwise_conv_2d(const tt_fast_convolution *p, const tt_band *band,
                               const int8_t *input, int8_t *output, void *scratch)
{
    tt_band r = tt_band_of(p, band);
    ptrdiff_t row_bytes = (ptrdiff_t)p->input_width * p->input_channels;
    int32_t pixels = (r.end - r.first) * p->output_width;
    tt_position at = {r.first, 0};
    for (int32_t pixel = 0; pixel < pixels; pixel++) {
        tt_corner corner = tt_corner_of(p, at);
        if (tt_lies_inside(p, corner, p->kernel_width)) {
            const int8_t *window = tt_pixel_at(p, r.input_first, input, corner);
            convolve_pixel(p, window, row_bytes, output);
        } else {
            tt_gather_window(p, r.input_first, input, at, scratch);
            convolve_pixel(p, scratch, p->kernel_width * p->input_channels, output);
        }
        output += p->input_channels;
        at = tt_next_position(p, at);
    }
}

#endif
