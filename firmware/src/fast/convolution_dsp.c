/* Fast CONV_2D for the DSP extension: columns and weights as the halves that SXTB16 makes of bytes.
 */
#include "fast.h"

#if TT_KERNELS_DSP

#include <arm_acle.h>

#include "columns_dsp.h"
#include "dsp.h"
#include "tinytrain/dsp_conv_2d_block.h"

/* As dsp_conv_2d_block.h has it. */
typedef void conv_block(const uint32_t *columns, const int8_t *weights, const tt_channel *channels,
                        int8_t *output, int32_t output_channels, const tt_channel *end,
                        uint32_t low, uint32_t high, const uint32_t *columns_end, int32_t depth);

void tt_dsp_conv_2d_any(void);
__asm("tt_dsp_conv_any_depth tt_dsp_conv_2d_any, 1\n");

tt_widen_rows tt_dsp_widen_bytes;
tt_widen_nines tt_dsp_widen_nine_bytes;

__asm("    .macro tt_dsp_widen_to_halves word\n"
      "    sxtb16 r12, \\word, ror #8\n"
      "    sxtb16 \\word, \\word\n"
      "    strd \\word, r12, [r0], #24\n"
      "    .endm\n"
      "    tt_dsp_widen_rows tt_dsp_widen_bytes, tt_dsp_widen_to_halves\n"
      "    tt_dsp_widen_nines tt_dsp_widen_nine_bytes, tt_dsp_widen_to_halves\n"
      "    .purgem tt_dsp_widen_to_halves\n");

/* The only channel of three pixels, which makes no pair. */
static void multiply_one(const tt_columns *c, int8_t *output)
{
    const tt_fast_convolution *p = c->p;
    for (int32_t pixel = 0; pixel < TT_PIXELS; pixel++) {
        const int8_t *weights = p->weights;
        int32_t sum = p->channels->start;
        for (const uint32_t *x = c->columns + 2 * pixel; x < c->columns_end;
             x += TT_WORDS_OF_TAPS) {
            uint32_t word = tt_load_word(weights);
            sum = __smlad((int16x2_t)__sxtb16((int8x4_t)word), (int16x2_t)x[0], sum);
            word = word >> 8 | word << 24;
            sum = __smlad((int16x2_t)__sxtb16((int8x4_t)word), (int16x2_t)x[1], sum);
            weights += 4;
        }
        output[pixel] = tt_channel_output(p->channels, sum, p->activation_min, p->activation_max);
    }
}

static void multiply(const tt_columns *c, int8_t *output)
{
    const tt_fast_convolution *p = c->p;
    int32_t channels = p->output_channels;
    if (channels == 1) {
        multiply_one(c, output);
        return;
    }
    conv_block *block = (conv_block *)(p->block == NULL ? tt_dsp_conv_2d_any : p->block);
    int32_t pairs = channels / 2 * 2;
    block(c->columns, p->weights, p->channels, output, channels, p->channels + pairs, c->low,
          c->high, c->columns_end, c->depth);
    if (channels > pairs) {
        /* The last channel with the one before, once more. */
        int32_t first = channels - 2;
        block(c->columns, p->weights + (ptrdiff_t)first * c->depth, p->channels + first,
              output + first, channels, p->channels + channels, c->low, c->high, c->columns_end,
              c->depth);
    }
}

void tt_fast_conv_2d(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                     int8_t *output, void *scratch)
{
    static const tt_columns_kind bytes = {tt_dsp_widen_bytes, tt_dsp_widen_nine_bytes, multiply};
    tt_dsp_convolve(&bytes, p, band, input, output, scratch);
}

#endif
