/* Reductions of pixels with the vector extension: sums of four channels at once, the highest of
 * sixteen. */
#include "pixels.h"

#include "tinytrain/instruction_set.h"

#if TT_KERNELS_MVE

#include <arm_mve.h>

void tt_sum_pixels(const tt_pixels *p, const int8_t *first, int32_t channels, int32_t *sums)
{
    mve_pred16_t present = vctp32q((uint32_t)channels);
    int32x4_t found = vdupq_n_s32(0);
    for (int32_t row = p->rows; row > 0; row--) {
        const int8_t *pixel = first;
        for (int32_t column = p->columns; column > 0; column--) {
            found = vaddq_s32(found, vldrbq_z_s32(pixel, present));
            pixel += p->column_step;
        }
        first += p->row_step;
    }
    vstrwq_p_s32(sums, found, present);
}

static int8x16_t highest_of(const tt_pixels *p, const int8_t *first, int8x16_t low,
                            mve_pred16_t present)
{
    int8x16_t found = low;
    for (int32_t row = p->rows; row > 0; row--) {
        const int8_t *pixel = first;
        for (int32_t column = p->columns; column > 0; column--) {
            found = vmaxq_s8(found, vldrbq_z_s8(pixel, present));
            pixel += p->column_step;
        }
        first += p->row_step;
    }
    return found;
}

void tt_highest_pixels(const tt_pixels *p, const int8_t *first, int32_t channels, int32_t low,
                       int32_t high, int8_t *output)
{
    int8x16_t lows = vdupq_n_s8((int8_t)low);
    int8x16_t highs = vdupq_n_s8((int8_t)high);
    for (int32_t channel = 0; channel < channels; channel += 16) {
        mve_pred16_t present = vctp8q((uint32_t)(channels - channel));
        int8x16_t found = highest_of(p, first + channel, lows, present);
        vstrbq_p_s8(output + channel, vminq_s8(found, highs), present);
    }
}

#endif
