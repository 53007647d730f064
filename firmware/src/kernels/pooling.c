/* AVERAGE_POOL_2D and MAX_POOL_2D, portable; four channels' maxima at once with the DSP extension.
 */
#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/instruction_set.h"
#include "tinytrain/kernels.h"

#include "../fast/dsp.h"

#if !TT_KERNELS_MVE

/* The input rows and columns under one output pixel: [top, bottom) x [left, right). */
typedef struct area {
    int32_t top;
    int32_t bottom;
    int32_t left;
    int32_t right;
} area;

static area area_at(const tt_pooling *p, int32_t y, int32_t x)
{
    area a;
    int32_t top = y * p->stride_height - p->pad_top;
    int32_t left = x * p->stride_width - p->pad_left;
    a.top = tt_max(top, 0);
    a.bottom = tt_min(top + p->filter_height, p->input_height);
    a.left = tt_max(left, 0);
    a.right = tt_min(left + p->filter_width, p->input_width);
    return a;
}

/* The first input of an area's row, of one channel; the next columns lie p->channels further. */
static const int8_t *row_of(const tt_pooling *p, const int8_t *input, int32_t y, area a,
                            int32_t channel)
{
    return input + (ptrdiff_t)(y * p->input_width + a.left) * p->channels + channel;
}

static int32_t average(const tt_pooling *p, const int8_t *input, area a, int32_t channel)
{
    int32_t sum = 0;
    int32_t columns = a.right - a.left;
    int32_t count = (a.bottom - a.top) * columns;
    for (int32_t y = a.top; y < a.bottom; y++) {
        const int8_t *pixel = row_of(p, input, y, a, channel);
        for (int32_t left = columns; left > 0; left--) {
            sum += *pixel;
            pixel += p->channels;
        }
    }
    /* C division truncates toward zero, so this rounds half away from zero. */
    return (sum + (sum > 0 ? count / 2 : -(count / 2))) / count;
}

static int32_t highest(const tt_pooling *p, const int8_t *input, area a, int32_t channel)
{
    int32_t found = INT8_MIN;
    for (int32_t y = a.top; y < a.bottom; y++) {
        const int8_t *pixel = row_of(p, input, y, a, channel);
        for (int32_t left = a.right - a.left; left > 0; left--) {
            found = tt_max(found, *pixel);
            pixel += p->channels;
        }
    }
    return found;
}

#if TT_KERNELS_DSP

/* Of four bytes each, those of `a` where they are higher, or lower, and else those of `b`. */
static inline uint32_t higher_bytes(uint32_t a, uint32_t b)
{
    uint32_t found;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(found) : "r"(a), "r"(b));
    return found;
}

static inline uint32_t lower_bytes(uint32_t a, uint32_t b)
{
    uint32_t found;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(found) : "r"(a), "r"(b));
    return found;
}

/* The maxima of four channels, from `channel` on. */
static uint32_t four_highest(const tt_pooling *p, const int8_t *input, area a, int32_t channel)
{
    uint32_t found = tt_four_times(p->activation_min);
    for (int32_t y = a.top; y < a.bottom; y++) {
        const int8_t *pixel = row_of(p, input, y, a, channel);
        for (int32_t left = a.right - a.left; left > 0; left--) {
            found = higher_bytes(found, tt_load_word(pixel));
            pixel += p->channels;
        }
    }
    return lower_bytes(found, tt_four_times(p->activation_max));
}

/* As many channels of a pixel as make whole words; how many these are. */
static int32_t pool_words(const tt_pooling *p, const int8_t *input, area a, int8_t *output)
{
    int32_t channel = 0;
    for (; channel + 4 <= p->channels; channel += 4) {
        tt_store_word(output + channel, four_highest(p, input, a, channel));
    }
    return channel;
}

#endif

typedef int32_t reduction(const tt_pooling *p, const int8_t *input, area a, int32_t channel);

static void pool(const tt_pooling *p, const int8_t *input, int8_t *output, reduction *reduce)
{
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            area a = area_at(p, y, x);
            int32_t channel = 0;
#if TT_KERNELS_DSP
            if (reduce == highest) {
                channel = pool_words(p, input, a, output);
                output += channel;
            }
#endif
            for (; channel < p->channels; channel++) {
                int32_t value = reduce(p, input, a, channel);
                *output++ = (int8_t)tt_clamp(value, p->activation_min, p->activation_max);
            }
        }
    }
}

void tt_average_pool_2d(const tt_pooling *p, const int8_t *input, int8_t *output)
{
    pool(p, input, output, average);
}

void tt_max_pool_2d(const tt_pooling *p, const int8_t *input, int8_t *output)
{
    pool(p, input, output, highest);
}

#endif
