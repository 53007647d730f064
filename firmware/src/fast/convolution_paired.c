/* Fast CONV_2D whose weights lie in pairs for the DSP extension. */
#include "fast.h"

#if TT_KERNELS_DSP

#include "columns_dsp.h"
#include "dsp.h"

/* As dsp_conv_2d_paired_block.h has it. */
typedef void paired_block(const uint32_t *columns, const int8_t *weights,
                          const tt_channel *channels, int8_t *output, int32_t output_channels,
                          const tt_channel *end, uint32_t low, uint32_t high);

tt_widen_rows tt_dsp_widen_pairs;
tt_widen_nines tt_dsp_widen_nine_in_pairs;

/* In 16 bits: -(256 * even + odd + 128) - 1, and odd + 128. */
__asm("    .macro tt_dsp_widen_to_pairs word\n"
      "    eor \\word, \\word, #0x80008000\n"
      "    uxtb16 r12, \\word, ror #8\n"
      "    rev16 \\word, \\word\n"
      "    mvn \\word, \\word\n"
      "    strd \\word, r12, [r0], #24\n"
      "    .endm\n"
      "    tt_dsp_widen_rows tt_dsp_widen_pairs, tt_dsp_widen_to_pairs\n"
      "    tt_dsp_widen_nines tt_dsp_widen_nine_in_pairs, tt_dsp_widen_to_pairs\n"
      "    .purgem tt_dsp_widen_to_pairs\n");

/* The sign of the last pixel's last word ends the block's loop; the start, which all pixels share,
 * makes up for it. */
static void mark_end(uint32_t *columns_end)
{
    columns_end[-1] |= 0x80000000u;
    columns_end[-3] |= 0x80000000u;
    columns_end[-5] |= 0x80000000u;
}

static void multiply(const tt_columns *c, int8_t *output)
{
    const tt_fast_convolution *p = c->p;
    paired_block *block = (paired_block *)p->block;
    int32_t channels = p->output_channels;
    int32_t pairs = channels / 2 * 2;
    mark_end(c->columns_end);
    block(c->columns, p->weights, p->channels, output, channels, p->channels + pairs, c->low,
          c->high);
    if (channels > pairs) {
        /* The last channel with the one before, whose weights are there once more. */
        int32_t first = channels - 2;
        const int8_t *weights = p->weights + (ptrdiff_t)pairs * ((c->depth + 3) / 4 * 4);
        block(c->columns, weights, p->channels + first, output + first, channels,
              p->channels + channels, c->low, c->high);
    }
}

void tt_fast_conv_2d_paired(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                            int8_t *output, void *scratch)
{
    static const tt_columns_kind pairs = {tt_dsp_widen_pairs, tt_dsp_widen_nine_in_pairs, multiply};
    tt_dsp_convolve(&pairs, p, band, input, output, scratch);
}

#else

void tt_fast_conv_2d_paired(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                            int8_t *output, void *scratch)
{
    tt_fast_conv_2d(p, band, input, output, scratch);
}

#endif
