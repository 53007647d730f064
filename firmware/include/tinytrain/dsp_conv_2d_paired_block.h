/* The block of tt_fast_conv_2d_paired for the DSP extension; dsp_paired_block.h says what pairs
 * are.
 */
#ifndef TINYTRAIN_DSP_CONV_2D_PAIRED_BLOCK_H
#define TINYTRAIN_DSP_CONV_2D_PAIRED_BLOCK_H

#include "tinytrain/dsp_conv_2d_block.h"

#define TT_BLOCK_CONV_2D_PAIRED(NAME, ROUND, WORDS, RELU, CLAMPED)                                 \
    void NAME(void);                                                                               \
    __asm("tt_dsp_conv_paired " #NAME ", " #ROUND ", " #WORDS ", " #RELU ", " #CLAMPED "\n")

/* CONV_2D: all channels of three pixels, by pairs of channels.
 *
 * void block(const uint32_t *columns, const int8_t *weights, const tt_channel *channels,
 *            int8_t *output, int32_t output_channels, const tt_channel *end, uint32_t low,
 *            uint32_t high)
 *
 * columns: three windows, [words][3 pixels][2]: two int16 -(256 * even + odd + 128) - 1, then two
 * int16 odd + 128, the very last of a pixel below zero, less by 2^15. weights: of each pair of
 * channels [words][2] words. end - channels is even. low, high: the activation's range, the byte
 * four times.
 *
 * Registers: those of dsp_conv_2d_block.h, with r8 r10 weights, r9 r11 their low bytes.
 */
__asm("    .ifndef .Ltt_dsp_conv_paired_macros\n"
      "    .set .Ltt_dsp_conv_paired_macros, 1\n"

      /* One pixel's four taps, whose words are r12 and lr. */
      "    .macro tt_dsp_conv_paired_pixel sum1, sum2, start1, start2\n"
      "    smlad \\sum1, r8, lr, \\start1\n"
      "    smlad \\sum2, r10, lr, \\start2\n"
      "    smlad \\sum1, r9, r12, \\sum1\n"
      "    smlad \\sum2, r11, r12, \\sum2\n"
      "    .endm\n"

      /* The first ones add to the start, which is in the last pixel's sum. */
      "    .macro tt_dsp_conv_paired_taps first\n"
      "    ldrd r8, r10, [r0], #8\n"
      "    ldrd r12, lr, [r1], #8\n"
      "    sxtb16 r9, r8\n"
      "    sxtb16 r11, r10\n"
      "    .if \\first\n"
      "    tt_dsp_conv_paired_pixel r2, r5, r4, r7\n"
      "    ldrd r12, lr, [r1], #8\n"
      "    tt_dsp_conv_paired_pixel r3, r6, r4, r7\n"
      "    .else\n"
      "    tt_dsp_conv_paired_pixel r2, r5, r2, r5\n"
      "    ldrd r12, lr, [r1], #8\n"
      "    tt_dsp_conv_paired_pixel r3, r6, r3, r6\n"
      "    .endif\n"
      "    ldrd r12, lr, [r1], #8\n"
      "    tt_dsp_conv_paired_pixel r4, r7, r4, r7\n"
      "    .endm\n"

      /* The words behind the first; those that fill no round come first. */
      "    .macro tt_dsp_conv_paired name, round, words, relu, clamped\n"
      "    tt_dsp_begin \\name\n"
      "    tt_dsp_conv_enter\n"
      "1:  ldr r4, [r1]\n"
      "    ldr r7, [r1, #16]\n"
      "    ldr r1, [sp, #.Ltt_conv_columns]\n"
      "    tt_dsp_conv_paired_taps 1\n"
      "    .if \\words < \\round\n"
      "    .rept \\words\n"
      "    tt_dsp_conv_paired_taps 0\n"
      "    .endr\n"
      "    .else\n"
      "    .if \\words > \\round\n"
      "    b 3f\n"
      "    .endif\n"
      "2:\n"
      "    .rept 2 * \\round - \\words\n"
      "    tt_dsp_conv_paired_taps 0\n"
      "    .endr\n"
      "3:\n"
      "    .rept \\words - \\round\n"
      "    tt_dsp_conv_paired_taps 0\n"
      "    .endr\n"
      "    cmp lr, #0\n"
      "    bge 2b\n"
      "    .endif\n"
      "    .if \\relu\n"
      "    tt_dsp_conv_outputs \\clamped, tt_dsp_relu_output\n"
      "    .else\n"
      "    tt_dsp_conv_outputs \\clamped, tt_dsp_paired_output\n"
      "    .endif\n"
      "    bne 1b\n"
      "    tt_dsp_conv_leave\n"
      "    tt_dsp_end \\name\n"
      "    .endm\n"
      "    .endif\n");

#endif
