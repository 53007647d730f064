/* AVERAGE_POOL_2D and MAX_POOL_2D. */
#include "pixels.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

/* The input pixels under one output pixel, of which there is at least one; *first is the first. */
static tt_pixels pixels_under(const tt_pooling *p, const int8_t *input, int32_t y, int32_t x,
                              const int8_t **first)
{
    int32_t top = y * p->stride_height - p->pad_top;
    int32_t left = x * p->stride_width - p->pad_left;
    int32_t bottom = tt_min(top + p->filter_height, p->input_height);
    int32_t right = tt_min(left + p->filter_width, p->input_width);
    top = tt_max(top, 0);
    left = tt_max(left, 0);
    *first = input + (ptrdiff_t)(top * p->input_width + left) * p->channels;
    return tt_pixels_of(bottom - top, right - left, (ptrdiff_t)p->input_width * p->channels,
                        p->channels);
}

/* The averages of `channels` of 1 to TT_SUMMED. */
static void average(const tt_pooling *p, const tt_pixels *pixels, const int8_t *first,
                    int32_t channels, int8_t *output)
{
    int32_t sums[TT_SUMMED];
    int32_t count = pixels->rows * pixels->columns;
    tt_sum_pixels(pixels, first, channels, sums);
    for (int32_t channel = 0; channel < channels; channel++) {
        int32_t sum = sums[channel];
        /* C division truncates toward zero, so this rounds half away from zero. */
        int32_t found = (sum + (sum > 0 ? count / 2 : -(count / 2))) / count;
        output[channel] = (int8_t)tt_clamp(found, p->activation_min, p->activation_max);
    }
}

void tt_average_pool_2d(const tt_pooling *p, const int8_t *input, int8_t *output)
{
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            const int8_t *first;
            tt_pixels pixels = pixels_under(p, input, y, x, &first);
            for (int32_t channel = 0; channel < p->channels; channel += TT_SUMMED) {
                int32_t there = tt_min(p->channels - channel, TT_SUMMED);
                average(p, &pixels, first + channel, there, output + channel);
            }
            output += p->channels;
        }
    }
}

void tt_max_pool_2d(const tt_pooling *p, const int8_t *input, int8_t *output)
{
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            const int8_t *first;
            tt_pixels pixels = pixels_under(p, input, y, x, &first);
            tt_highest_pixels(&pixels, first, p->channels, p->activation_min, p->activation_max,
                              output);
            output += p->channels;
        }
    }
}
