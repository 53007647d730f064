/* Fast CONV_2D in portable C: blocks of two pixels by two channels, so that a byte that was loaded
 * goes into two products. */
#include "gather.h"

#if TT_KERNELS_PORTABLE

/* Two windows and two channels' weights, and the sums of their products. */
typedef struct block {
    const int8_t *window[2];
    const int8_t *weights[2];
    int32_t sum[2][2]; /* [pixel][channel] */
} block;

static inline void add_products(block *b, int32_t i)
{
    int32_t x0 = b->window[0][i];
    int32_t x1 = b->window[1][i];
    int32_t w0 = b->weights[0][i];
    int32_t w1 = b->weights[1][i];
    b->sum[0][0] += x0 * w0;
    b->sum[0][1] += x0 * w1;
    b->sum[1][0] += x1 * w0;
    b->sum[1][1] += x1 * w1;
}

static inline void skip(block *b, int32_t count)
{
    for (int32_t i = 0; i < 2; i++) {
        b->window[i] += count;
        b->weights[i] += count;
    }
}

static inline void add_all_products(block *b, int32_t depth)
{
    for (; depth >= 4; depth -= 4) {
        add_products(b, 0);
        add_products(b, 1);
        add_products(b, 2);
        add_products(b, 3);
        skip(b, 4);
    }
    for (; depth > 0; depth--) {
        add_products(b, 0);
        skip(b, 1);
    }
}

/* All channels of the pixels `first` and `second` of the output, which may be the same one, as may
 * their windows. An odd last channel is computed twice. */
static void convolve(const tt_fast_convolution *p, const int8_t *const window[2], int8_t *first,
                     int8_t *second)
{
    int32_t depth = p->kernel_height * p->kernel_width * p->input_channels;
    int32_t low = p->activation_min;
    int32_t high = p->activation_max;
    const int8_t *weights = p->weights;
    for (int32_t o = 0; o < p->output_channels; o += 2) {
        int32_t next = tt_min(o + 1, p->output_channels - 1);
        const tt_channel *channel = &p->channels[o];
        const tt_channel *next_channel = &p->channels[next];
        block b = {
            {window[0], window[1]},
            {weights, weights + (next - o) * depth},
            {{channel->start, next_channel->start}, {channel->start, next_channel->start}},
        };
        add_all_products(&b, depth);
        first[o] = tt_channel_output(channel, b.sum[0][0], low, high);
        second[o] = tt_channel_output(channel, b.sum[1][0], low, high);
        first[next] = tt_channel_output(next_channel, b.sum[0][1], low, high);
        second[next] = tt_channel_output(next_channel, b.sum[1][1], low, high);
        weights += 2 * depth;
    }
}

void tt_fast_conv_2d(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                     int8_t *output, void *scratch)
{
    tt_band r = tt_band_of(p, band);
    int32_t bytes = p->kernel_height * p->kernel_width * p->input_channels;
    int8_t *gathered[2] = {scratch, (int8_t *)scratch + TT_FAST_WORDS(bytes)};
    int32_t pixels = (r.end - r.first) * p->output_width;
    tt_position at = {r.first, 0};
    for (int32_t pixel = 0; pixel < pixels; pixel += 2) {
        /* The first window is always copied: the second pixel's output may lie in it. */
        tt_gather_window(p, r.input_first, input, at, gathered[0]);
        const int8_t *window[2] = {gathered[0], gathered[0]};
        int8_t *second = output;
        at = tt_next_position(p, at);
        if (pixel + 1 < pixels) {
            window[1] = tt_window_of(p, r.input_first, input, at, gathered[1]);
            second = output + p->output_channels;
            at = tt_next_position(p, at);
        }
        convolve(p, window, output, second);
        output += 2 * p->output_channels;
    }
}

#endif
