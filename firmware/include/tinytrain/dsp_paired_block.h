/* The block of tt_fast_fully_connected_paired for the DSP extension.
 *
 * A word of weights is two int16 of 256 * odd weight - even weight; SXTB16 gives what the low bytes
 * are, the even weights below zero. tinytrain/variants/paired.py has the derivation.
 */
#ifndef TINYTRAIN_DSP_PAIRED_BLOCK_H
#define TINYTRAIN_DSP_PAIRED_BLOCK_H

#include "tinytrain/dsp_block.h"

#define TT_BLOCK_DENSE_PAIRED(NAME, ROUND, WORDS, CHANNELS, UNIFORM, RELU, CLAMPED)                \
    void NAME(void);                                                                               \
    __asm("tt_dsp_paired " #NAME ", " #ROUND ", " #WORDS ", " #CHANNELS ", " #UNIFORM ", " #RELU   \
          ", " #CLAMPED "\n")

/* Channels of a vector in groups: eights, then what is left by a four, a two and a one.
 *
 * void block(const uint32_t *columns, const int8_t *weights, const int32_t *channels,
 *            int8_t *output, const int8_t *eights_end, uint32_t low, uint32_t high)
 *
 * columns: [words][2]: two int16 -(256 * even + odd + 128) - 1, then two int16 odd + 128; the very
 * last is below zero, less by 2^15. weights: of each group [words][channels] words. channels: of
 * each group [channels] starts, then [channels][3] multiplier, rounding, shift; where these are
 * uniform a word that is not read, they, and all starts. eights_end: of the output. low, high: the
 * activation's range, the byte four times.
 *
 * Registers: r0 columns, r1 weights, r2 r3 activations, r12 lr weights, r4 to r11 sums. At the end
 * of a group: r0 channels, r2 r3 r12 multiplier, rounding, shift, lr free; then r2 r3 low high, r12
 * output.
 */
__asm("    .ifndef .Ltt_dsp_paired_macros\n"
      "    .set .Ltt_dsp_paired_macros, 1\n"
      /* Offsets from sp; at 0 lie uniform constants. */
      "    .set .Ltt_paired_columns, 12\n"
      "    .set .Ltt_paired_channels, 16\n"
      "    .set .Ltt_paired_output, 20\n"
      "    .set .Ltt_paired_eights_end, 60\n"
      "    .set .Ltt_paired_low, 64\n"

      "    .macro tt_dsp_paired_two sum1, sum2\n"
      "    ldrd r12, lr, [r1], #8\n"
      "    smlad \\sum1, r12, r3, \\sum1\n"
      "    smlad \\sum2, lr, r3, \\sum2\n"
      "    sxtb16 r12, r12\n"
      "    sxtb16 lr, lr\n"
      "    smlad \\sum1, r12, r2, \\sum1\n"
      "    smlad \\sum2, lr, r2, \\sum2\n"
      "    .endm\n"

      "    .macro tt_dsp_paired_taps together\n"
      "    ldrd r2, r3, [r0], #8\n"
      "    .if \\together == 1\n"
      "    ldr r12, [r1], #4\n"
      "    smlad r4, r12, r3, r4\n"
      "    sxtb16 r12, r12\n"
      "    smlad r4, r12, r2, r4\n"
      "    .else\n"
      "    tt_dsp_paired_two r4, r5\n"
      "    .if \\together > 2\n"
      "    tt_dsp_paired_two r6, r7\n"
      "    .endif\n"
      "    .if \\together > 4\n"
      "    tt_dsp_paired_two r8, r9\n"
      "    tt_dsp_paired_two r10, r11\n"
      "    .endif\n"
      "    .endif\n"
      "    .endm\n"

      "    .macro tt_dsp_paired_channel uniform, relu, sum\n"
      "    .if !\\uniform\n"
      "    ldm r0!, {r2, r3, r12}\n"
      "    .endif\n"
      "    .if \\relu\n"
      "    tt_dsp_relu_output \\sum, r2, r3, r12, lr\n"
      "    .else\n"
      "    tt_dsp_paired_output \\sum, r2, r3, r12, lr\n"
      "    .endif\n"
      "    .endm\n"

      "    .macro tt_dsp_paired_store clamped, sum\n"
      "    .if \\clamped\n"
      "    tt_dsp_clamp \\sum, r2, r3, lr\n"
      "    .endif\n"
      "    strb \\sum, [r12], #1\n"
      "    .endm\n"

      /* An instruction or macro for each of the sums. */
      "    .macro tt_dsp_paired_each together, what:vararg\n"
      "    \\what r4\n"
      "    .if \\together > 1\n"
      "    \\what r5\n"
      "    .endif\n"
      "    .if \\together > 2\n"
      "    \\what r6\n"
      "    \\what r7\n"
      "    .endif\n"
      "    .if \\together > 4\n"
      "    \\what r8\n"
      "    \\what r9\n"
      "    \\what r10\n"
      "    \\what r11\n"
      "    .endif\n"
      "    .endm\n"

      "    .macro tt_dsp_paired_starts together\n"
      "    .if \\together == 8\n"
      "    ldm r0!, {r4-r11}\n"
      "    .elseif \\together == 4\n"
      "    ldm r0!, {r4-r7}\n"
      "    .elseif \\together == 2\n"
      "    ldm r0!, {r4, r5}\n"
      "    .else\n"
      "    ldr r4, [r0], #4\n"
      "    .endif\n"
      "    .endm\n"

      /* One group, whose channels r0 is at; the words that fill no round come first. Leaves r0 at
       * the next, and the output's end in r12. */
      "    .macro tt_dsp_paired_group together, round, words, uniform, relu, clamped\n"
      "    tt_dsp_paired_starts \\together\n"
      "    str r0, [sp, #.Ltt_paired_channels]\n"
      "    ldr r0, [sp, #.Ltt_paired_columns]\n"
      "    .if \\words\n"
      "    b 3f\n"
      "    .endif\n"
      "2:\n"
      "    .rept \\round - \\words\n"
      "    tt_dsp_paired_taps \\together\n"
      "    .endr\n"
      "3:\n"
      "    .rept \\words\n"
      "    tt_dsp_paired_taps \\together\n"
      "    .endr\n"
      "    cmp r3, #0\n"
      "    bge 2b\n"
      "    ldr r0, [sp, #.Ltt_paired_channels]\n"
      "    .if \\uniform\n"
      "    ldm sp, {r2, r3, r12}\n"
      "    .endif\n"
      "    tt_dsp_paired_each \\together, tt_dsp_paired_channel \\uniform, \\relu,\n"
      "    ldr r12, [sp, #.Ltt_paired_output]\n"
      "    .if \\clamped\n"
      "    ldrd r2, r3, [sp, #.Ltt_paired_low]\n"
      "    .endif\n"
      "    tt_dsp_paired_each \\together, tt_dsp_paired_store \\clamped,\n"
      "    str r12, [sp, #.Ltt_paired_output]\n"
      "    .endm\n"

      /* As fast_blocks.h has the arguments: each bit of `channels` is a group of so many. */
      "    .macro tt_dsp_paired name, round, words, channels, uniform, relu, clamped\n"
      "    tt_dsp_begin \\name\n"
      "    push {r4-r11, lr}\n"
      "    .if \\uniform\n"
      "    ldm r2!, {r4-r7}\n"
      "    .endif\n"
      "    mov r8, r0\n"
      "    mov r10, r3\n"
      "    push {r5-r10}\n"
      "    mov r0, r2\n"
      "    .if \\channels & 8\n"
      "1:  tt_dsp_paired_group 8, \\round, \\words, \\uniform, \\relu, \\clamped\n"
      "    ldr r2, [sp, #.Ltt_paired_eights_end]\n"
      "    cmp r12, r2\n"
      "    bne 1b\n"
      "    .endif\n"
      "    .if \\channels & 4\n"
      "    tt_dsp_paired_group 4, 1, 0, \\uniform, \\relu, \\clamped\n"
      "    .endif\n"
      "    .if \\channels & 2\n"
      "    tt_dsp_paired_group 2, 1, 0, \\uniform, \\relu, \\clamped\n"
      "    .endif\n"
      "    .if \\channels & 1\n"
      "    tt_dsp_paired_group 1, 1, 0, \\uniform, \\relu, \\clamped\n"
      "    .endif\n"
      "    add sp, #24\n"
      "    pop {r4-r11, pc}\n"
      "    tt_dsp_end \\name\n"
      "    .endm\n"
      "    .endif\n");

#endif
