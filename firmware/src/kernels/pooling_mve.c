/* AVERAGE_POOL_2D and MAX_POOL_2D with the vector extension. */
#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/instruction_set.h"
#include "tinytrain/kernels.h"

#if TT_KERNELS_MVE

#include <arm_mve.h>

/* The inputs under one output pixel. */
typedef struct area {
    const int8_t *first;
    int32_t rows;
    int32_t columns;
    ptrdiff_t pitch; /* from the end of a row to the next one */
} area;

static area area_at(const tt_pooling *p, const int8_t *input, int32_t y, int32_t x)
{
    area a;
    int32_t top = y * p->stride_height - p->pad_top;
    int32_t left = x * p->stride_width - p->pad_left;
    int32_t bottom = tt_min(top + p->filter_height, p->input_height);
    int32_t right = tt_min(left + p->filter_width, p->input_width);
    top = tt_max(top, 0);
    left = tt_max(left, 0);
    a.first = input + (ptrdiff_t)(top * p->input_width + left) * p->channels;
    a.rows = bottom - top;
    a.columns = right - left;
    a.pitch = (ptrdiff_t)(p->input_width - a.columns) * p->channels;
    return a;
}

/* Of four channels. */
static int32x4_t sums_of(const tt_pooling *p, const area *a, const int8_t *pixel,
                         mve_pred16_t present)
{
    int32x4_t sums = vdupq_n_s32(0);
    for (int32_t row = a->rows; row > 0; row--) {
        for (int32_t column = a->columns; column > 0; column--) {
            sums = vaddq_s32(sums, vldrbq_z_s32(pixel, present));
            pixel += p->channels;
        }
        pixel += a->pitch;
    }
    return sums;
}

void tt_average_pool_2d(const tt_pooling *p, const int8_t *input, int8_t *output)
{
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            area a = area_at(p, input, y, x);
            int32_t count = a.rows * a.columns;
            for (int32_t channel = 0; channel < p->channels; channel += 4) {
                int32_t sums[4];
                int32_t there = tt_min(p->channels - channel, 4);
                vstrwq_s32(sums, sums_of(p, &a, a.first + channel, vctp32q((uint32_t)there)));
                for (int32_t i = 0; i < there; i++) {
                    /* C division truncates toward zero, so this rounds half away from zero. */
                    int32_t half = sums[i] > 0 ? count / 2 : -(count / 2);
                    int32_t average = (sums[i] + half) / count;
                    *output++ = (int8_t)tt_clamp(average, p->activation_min, p->activation_max);
                }
            }
        }
    }
}

/* Of sixteen channels. */
static int8x16_t highest_of(const tt_pooling *p, const area *a, const int8_t *pixel,
                            mve_pred16_t present)
{
    int8x16_t highest = vdupq_n_s8((int8_t)p->activation_min);
    for (int32_t row = a->rows; row > 0; row--) {
        for (int32_t column = a->columns; column > 0; column--) {
            highest = vmaxq_s8(highest, vldrbq_z_s8(pixel, present));
            pixel += p->channels;
        }
        pixel += a->pitch;
    }
    return vminq_s8(highest, vdupq_n_s8((int8_t)p->activation_max));
}

void tt_max_pool_2d(const tt_pooling *p, const int8_t *input, int8_t *output)
{
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            area a = area_at(p, input, y, x);
            for (int32_t channel = 0; channel < p->channels; channel += 16) {
                mve_pred16_t present = vctp8q((uint32_t)(p->channels - channel));
                vstrbq_p_s8(output + channel, highest_of(p, &a, a.first + channel, present),
                            present);
            }
            output += p->channels;
        }
    }
}

#endif
