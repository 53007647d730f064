/* The block of tt_fast_fully_connected_paired for the DSP extension.
 *
 * A word of weights is two int16 of 256 * odd weight - even weight; SXTB16 gives what the low bytes
 * are, the even weights below zero. tinytrain/variants/paired.py has the derivation.
 */
#ifndef TINYTRAIN_DSP_PAIRED_BLOCK_H
#define TINYTRAIN_DSP_PAIRED_BLOCK_H

#include "tinytrain/dsp_block.h"

#define TT_BLOCK_DENSE_PAIRED(NAME, DEPTH, CLAMPED, SPEED)                                         \
    void NAME(void);                                                                               \
    __asm("tt_dsp_paired " #NAME ", " #DEPTH ", " #CLAMPED ", " #SPEED "\n")

/* Channels of a vector together: as many as there are registers for, and as have their weights
 * within reach of an immediate offset. The rest goes one by one.
 *
 * void block(const uint32_t *columns, const int8_t *weights, const tt_channel *channels,
 *            int8_t *output, const tt_channel *end, uint32_t low, uint32_t high,
 *            const uint32_t *columns_end)
 *
 * columns: [depth / 4][2]: two int16 -(256 * even + odd + 128) - 1, then two int16 odd + 128. low,
 * high: the activation's range, the byte four times.
 *
 * Registers: r0 columns, r1 weights, r2 r3 activations, r12 lr weights, r4 to r11 sums. At the end
 * of a group: r0 channel, r2 r3 r12 its constants, lr free; then r1 to r3 low, high, output.
 */
__asm("    .ifndef .Ltt_dsp_paired_macros\n"
      "    .set .Ltt_dsp_paired_macros, 1\n"
      /* Offsets from sp. */
      "    .set .Ltt_paired_columns, 0\n"
      "    .set .Ltt_paired_weights, 4\n"
      "    .set .Ltt_paired_channel, 8\n"
      "    .set .Ltt_paired_output, 12\n"
      "    .set .Ltt_paired_end, 52\n"
      "    .set .Ltt_paired_low, 56\n"
      "    .set .Ltt_paired_columns_end, 64\n"

      "    .macro tt_dsp_paired_sum weights, sum\n"
      "    smlad \\sum, \\weights, r3, \\sum\n"
      "    sxtb16 \\weights, \\weights\n"
      "    smlad \\sum, \\weights, r2, \\sum\n"
      "    .endm\n"

      /* Two channels; the first one's offset is behind r1 by `step`. */
      "    .macro tt_dsp_paired_two offset, depth, sum1, sum2\n"
      "    ldr r12, [r1, #(\\offset)]\n"
      "    ldr lr, [r1, #(\\offset + \\depth)]\n"
      "    tt_dsp_paired_sum r12, \\sum1\n"
      "    tt_dsp_paired_sum lr, \\sum2\n"
      "    .endm\n"

      "    .macro tt_dsp_paired_taps depth, together\n"
      "    ldrd r2, r3, [r0], #8\n"
      "    .if \\together == 1\n"
      "    ldr r12, [r1], #4\n"
      "    tt_dsp_paired_sum r12, r4\n"
      "    .else\n"
      "    ldr r12, [r1, #\\depth]\n"
      "    ldr lr, [r1], #4\n"
      "    tt_dsp_paired_sum r12, r5\n"
      "    tt_dsp_paired_sum lr, r4\n"
      "    tt_dsp_paired_two (2 * \\depth - 4), \\depth, r6, r7\n"
      "    .if \\together > 4\n"
      "    tt_dsp_paired_two (4 * \\depth - 4), \\depth, r8, r9\n"
      "    .endif\n"
      "    .if \\together > 6\n"
      "    tt_dsp_paired_two (6 * \\depth - 4), \\depth, r10, r11\n"
      "    .endif\n"
      "    .endif\n"
      "    .endm\n"

      /* tt_channel_output of a sum that is 256 times as large, so that half of it is doubled. */
      "    .macro tt_dsp_paired_output sum\n"
      "    adds r0, #4\n"
      "    ldm r0!, {r2, r3, r12}\n"
      "    asr \\sum, \\sum, #7\n"
      "    add lr, r3, \\sum, asr #31\n"
      "    smmlar \\sum, \\sum, r2, lr\n"
      "    asr \\sum, \\sum, r12\n"
      "    ssat \\sum, #8, \\sum\n"
      "    .endm\n"

      "    .macro tt_dsp_paired_store clamped, sum\n"
      "    .if \\clamped\n"
      "    tt_dsp_clamp \\sum, r1, r2, lr\n"
      "    .endif\n"
      "    strb \\sum, [r3], #1\n"
      "    .endm\n"

      "    .macro tt_dsp_paired_start offset, sum\n"
      "    ldr \\sum, [r0, #\\offset]\n"
      "    .endm\n"

      /* An instruction or macro for each of the sums. */
      "    .macro tt_dsp_paired_each together, what:vararg\n"
      "    \\what r4\n"
      "    .if \\together > 1\n"
      "    \\what r5\n"
      "    \\what r6\n"
      "    \\what r7\n"
      "    .endif\n"
      "    .if \\together > 4\n"
      "    \\what r8\n"
      "    \\what r9\n"
      "    .endif\n"
      "    .if \\together > 6\n"
      "    \\what r10\n"
      "    \\what r11\n"
      "    .endif\n"
      "    .endm\n"

      "    .macro tt_dsp_paired_starts together\n"
      "    tt_dsp_paired_start 0, r4\n"
      "    .if \\together > 1\n"
      "    tt_dsp_paired_start 16, r5\n"
      "    tt_dsp_paired_start 32, r6\n"
      "    tt_dsp_paired_start 48, r7\n"
      "    .endif\n"
      "    .if \\together > 4\n"
      "    tt_dsp_paired_start 64, r8\n"
      "    tt_dsp_paired_start 80, r9\n"
      "    .endif\n"
      "    .if \\together > 6\n"
      "    tt_dsp_paired_start 96, r10\n"
      "    tt_dsp_paired_start 112, r11\n"
      "    .endif\n"
      "    .endm\n"

      /* As many groups of channels as there are whole ones; r0 channel at begin and end. */
      "    .macro tt_dsp_paired_groups depth, clamped, together, unrolled\n"
      "    b 4f\n"
      "1:  ldr r1, [sp, #.Ltt_paired_weights]\n"
      "    tt_dsp_paired_starts \\together\n"
      "    ldr r0, [sp, #.Ltt_paired_columns]\n"
      "    .rept (\\depth / 4) % \\unrolled\n"
      "    tt_dsp_paired_taps \\depth, \\together\n"
      "    .endr\n"
      "    .if \\depth / 4 / \\unrolled\n"
      "2:\n"
      "    .rept \\unrolled\n"
      "    tt_dsp_paired_taps \\depth, \\together\n"
      "    .endr\n"
      "    ldr r2, [sp, #.Ltt_paired_columns_end]\n"
      "    cmp r0, r2\n"
      "    bne 2b\n"
      "    .endif\n"
      "    add r1, r1, #((\\together - 1) * \\depth)\n"
      "    str r1, [sp, #.Ltt_paired_weights]\n"
      "    ldr r0, [sp, #.Ltt_paired_channel]\n"
      "    tt_dsp_paired_each \\together, tt_dsp_paired_output\n"
      "    str r0, [sp, #.Ltt_paired_channel]\n"
      "    ldrd r1, r2, [sp, #.Ltt_paired_low]\n"
      "    ldr r3, [sp, #.Ltt_paired_output]\n"
      "    tt_dsp_paired_each \\together, tt_dsp_paired_store \\clamped,\n"
      "    str r3, [sp, #.Ltt_paired_output]\n"
      "4:  ldr r2, [sp, #.Ltt_paired_end]\n"
      "    sub r2, r2, r0\n"
      "    cmp r2, #(16 * \\together)\n"
      "    bge 1b\n"
      "    .endm\n"

      "    .macro tt_dsp_paired name, depth, clamped, speed\n"
      "    tt_dsp_begin \\name\n"
      "    push {r0-r11, lr}\n"
      "    mov r0, r2\n"
      "    .if 7 * \\depth <= 4095\n"
      "    tt_dsp_paired_groups \\depth, \\clamped, 8, (4 + 4 * \\speed)\n"
      "    .elseif 5 * \\depth <= 4095\n"
      "    tt_dsp_paired_groups \\depth, \\clamped, 6, (4 + 4 * \\speed)\n"
      "    .else\n"
      "    tt_dsp_paired_groups \\depth, \\clamped, 4, (4 + 4 * \\speed)\n"
      "    .endif\n"
      "    tt_dsp_paired_groups \\depth, \\clamped, 1, 1\n"
      "    add sp, #16\n"
      "    pop {r4-r11, pc}\n"
      "    tt_dsp_end \\name\n"
      "    .endm\n"
      "    .endif\n");

#endif
