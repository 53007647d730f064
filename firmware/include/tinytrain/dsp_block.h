/* What the blocks of fast_blocks.h share for the DSP extension.
 *
 * They are assembler, because compilers spill where the sums fill the registers. Weights and
 * activations of four neighbouring taps are two words of two int16 each, as SXTB16 takes them from
 * a word of four bytes: taps 0 and 2, taps 1 and 3.
 *
 * Macros are defined where they are not yet: link-time optimization may assemble several files as
 * one.
 */
#ifndef TINYTRAIN_DSP_BLOCK_H
#define TINYTRAIN_DSP_BLOCK_H

/* The address of a block, for a layer's constants. */
#define TT_BLOCK(NAME) (&(NAME))

/* A function's begin and end, and what all blocks end with. */
__asm("    .ifndef .Ltt_dsp_common\n"
      "    .set .Ltt_dsp_common, 1\n"
      "    .macro tt_dsp_begin name\n"
      "    .pushsection .text.\\name, \"ax\", %progbits\n"
      "    .syntax unified\n"
      "    .thumb\n"
      "    .p2align 2\n"
      "    .thumb_func\n"
      "    .type \\name, %function\n"
      "\\name:\n"
      "    .endm\n"

      "    .macro tt_dsp_end name\n"
      "    .size \\name, . - \\name\n"
      "    .popsection\n"
      "    .endm\n"

      /* tt_channel_output without the clamp to an activation's range. The sum is doubled so that
       * SMMLAR's high word is that of sum * multiplier + 2^30, shifted by 31. */
      "    .macro tt_dsp_output sum, multiplier, rounding, shift, temporary\n"
      "    lsl \\sum, \\sum, #1\n"
      "    tt_dsp_doubled_output \\sum, \\multiplier, \\rounding, \\shift, \\temporary\n"
      "    .endm\n"

      /* Of a sum of weights in pairs, which is 256 times as large. */
      "    .macro tt_dsp_paired_output sum, multiplier, rounding, shift, temporary\n"
      "    asr \\sum, \\sum, #7\n"
      "    tt_dsp_doubled_output \\sum, \\multiplier, \\rounding, \\shift, \\temporary\n"
      "    .endm\n"

      /* Of the same, where below zero is what the activation cuts off, so that it does not matter
       * how ties are rounded there: the constants are 128 times as large (paired.py). */
      "    .macro tt_dsp_relu_output sum, multiplier, rounding, shift, temporary\n"
      "    smmla \\sum, \\sum, \\multiplier, \\rounding\n"
      "    asr \\sum, \\sum, \\shift\n"
      "    ssat \\sum, #8, \\sum\n"
      "    .endm\n"

      "    .macro tt_dsp_doubled_output sum, multiplier, rounding, shift, temporary\n"
      "    add \\temporary, \\rounding, \\sum, asr #31\n"
      "    smmlar \\sum, \\sum, \\multiplier, \\temporary\n"
      "    asr \\sum, \\sum, \\shift\n"
      "    ssat \\sum, #8, \\sum\n"
      "    .endm\n"

      /* Clamps four bytes to those of two words. */
      "    .macro tt_dsp_clamp bytes, low, high, temporary\n"
      "    ssub8 \\temporary, \\bytes, \\low\n"
      "    sel \\bytes, \\bytes, \\low\n"
      "    ssub8 \\temporary, \\bytes, \\high\n"
      "    sel \\bytes, \\high, \\bytes\n"
      "    .endm\n"
      "    .endif\n");

#endif
