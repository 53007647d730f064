/* Fast DEPTHWISE_CONV_2D with the vector extension. */
#include "mve.h"
#include "mve_window.h"

#if TT_KERNELS_MVE

/* Sums of 16 channels, as vmullb and vmovlb pick their lanes: lane i of even_even is channel 4 * i,
 * of odd_even 4 * i + 1, of even_odd 4 * i + 2, of odd_odd 4 * i + 3. */
typedef struct sums {
    int32x4_t even_even;
    int32x4_t even_odd;
    int32x4_t odd_even;
    int32x4_t odd_odd;
} sums;

/* Over the window at x, whose rows are `pitch` bytes apart, of the channels that are present. */
static inline sums multiply(const tt_fast_convolution *p, const int8_t *x, ptrdiff_t pitch,
                            const int8_t *weights, mve_pred16_t present)
{
    int32_t channels = p->output_channels;
    int32x4_t none = vdupq_n_s32(0);
    sums s = {none, none, none, none};
    for (int32_t row = 0; row < p->kernel_height; row++) {
        const int8_t *tap = x;
        for (int32_t column = p->kernel_width; column > 0; column--) {
            int8x16_t w = vldrbq_z_s8(weights, present);
            int8x16_t v = vldrbq_z_s8(tap, present);
            int16x8_t even = vmullbq_int_s8(w, v);
            int16x8_t odd = vmulltq_int_s8(w, v);
            s.even_even = vaddq_s32(s.even_even, vmovlbq_s16(even));
            s.even_odd = vaddq_s32(s.even_odd, vmovltq_s16(even));
            s.odd_even = vaddq_s32(s.odd_even, vmovlbq_s16(odd));
            s.odd_odd = vaddq_s32(s.odd_odd, vmovltq_s16(odd));
            weights += channels;
            tap += channels;
        }
        x += pitch;
    }
    return s;
}

/* The lanes of 4 * i + first, of `left` channels. */
static inline int32x4_t scale(const tt_channel *channels, int32_t first, int32_t left,
                              int32x4_t sums)
{
    mve_pred16_t present = vctp32q((uint32_t)((left - first + 3) / 4));
    tt_four_channels four = tt_load_channels(channels + first, 4, present);
    return tt_scale_lanes(&four, sums);
}

/* Narrowing puts the channels back into order. */
static inline int8x16_t narrow(const tt_channel *channels, int32_t left, const sums *s)
{
    int16x8_t even = vdupq_n_s16(0);
    int16x8_t odd = vdupq_n_s16(0);
    int8x16_t all = vdupq_n_s8(0);
    even = vqmovnbq_s32(even, scale(channels, 0, left, s->even_even));
    even = vqmovntq_s32(even, scale(channels, 2, left, s->even_odd));
    odd = vqmovnbq_s32(odd, scale(channels, 1, left, s->odd_even));
    odd = vqmovntq_s32(odd, scale(channels, 3, left, s->odd_odd));
    return vqmovntq_s16(vqmovnbq_s16(all, even), odd);
}

/* One output pixel, from the window at x. */
static void pixel(const tt_fast_convolution *p, const int8_t *x, ptrdiff_t pitch, int8_t *output)
{
    int8x16_t low = vdupq_n_s8((int8_t)p->activation_min);
    int8x16_t high = vdupq_n_s8((int8_t)p->activation_max);
    for (int32_t o = 0; o < p->output_channels; o += TT_LANES) {
        int32_t left = tt_min(p->output_channels - o, TT_LANES);
        mve_pred16_t present = vctp8q((uint32_t)left);
        sums s = multiply(p, x + o, pitch, p->weights + o, present);
        int8x16_t out = narrow(p->channels + o, left, &s);
        vstrbq_p_s8(output + o, vminq_s8(vmaxq_s8(out, low), high), present);
    }
}

void tt_fast_depthwise_conv_2d(const tt_fast_convolution *p, const tt_rows *rows,
                               const int8_t *input, int8_t *output, void *scratch)
{
    tt_rows r = tt_rows_of(p, rows);
    int32_t channels = p->output_channels;
    tt_place w;
    for (int32_t y = r.first; y < r.end; y++) {
        tt_place_row(p, &w, y);
        for (int32_t x = 0; x < p->output_width; x++) {
            tt_place_column(p, &w, x);
            const int8_t *from = tt_place_pixel(p, &w, input, r.input_first);
            if (tt_place_inside(p, &w)) {
                pixel(p, from, (ptrdiff_t)p->input_width * channels, output);
            } else {
                tt_copy_window(p, &w, from, scratch, TT_LANES);
                pixel(p, scratch, (ptrdiff_t)p->kernel_width * channels, output);
            }
            output += channels;
        }
    }
}

#endif
