/* The block of tt_fast_fully_connected for the DSP extension. */
#ifndef TINYTRAIN_DSP_DENSE_BLOCK_H
#define TINYTRAIN_DSP_DENSE_BLOCK_H

#include "tinytrain/dsp_block.h"

#define TT_BLOCK_DENSE(NAME, DEPTH, CLAMPED, SPEED)                                                \
    void NAME(void);                                                                               \
    __asm("tt_dsp_dense " #NAME ", " #DEPTH ", " #CLAMPED ", (2 + 2 * " #SPEED ")\n")

/* FULLY_CONNECTED: 8, 6, 4 or 2 channels of a vector together: as many as there are registers for,
 * and as have their weights within reach of an immediate offset.
 *
 * void block(const int8_t *input, const int8_t *weights, const tt_channel *channels,
 *            int8_t *output, const tt_channel *end, uint32_t low, uint32_t high,
 *            const int8_t *words_end, const int8_t *input_end, int32_t depth)
 *
 * end - channels is a multiple of that number, TT_DSP_DENSE_TOGETHER. low, high: the activation's
 * range, the byte four times. words_end: behind the input's last whole word.
 *
 * Registers: r0 input, r1 weights, r2 r3 activations, r12 lr weights, r4 to r11 sums. At the end of
 * a group: r0 channel, r2 r3 r12 lr its constants; then r12 output.
 */
#define TT_DSP_DENSE_TOGETHER(DEPTH)                                                               \
    ((DEPTH) <= 4095 / 7   ? 8                                                                     \
     : (DEPTH) <= 4095 / 5 ? 6                                                                     \
     : (DEPTH) <= 4095 / 3 ? 4                                                                     \
     : (DEPTH) <= 4095     ? 2                                                                     \
                           : 4)

__asm("    .ifndef .Ltt_dsp_dense_macros\n"
      "    .set .Ltt_dsp_dense_macros, 1\n"
      /* Offsets from sp. */
      "    .set .Ltt_dense_input, 0\n"
      "    .set .Ltt_dense_channel, 4\n"
      "    .set .Ltt_dense_output, 8\n"
      "    .set .Ltt_dense_end, 48\n"
      "    .set .Ltt_dense_low, 52\n"
      "    .set .Ltt_dense_words_end, 60\n"
      "    .set .Ltt_dense_input_end, 64\n"
      "    .set .Ltt_dense_depth, 68\n"

      "    .macro tt_dsp_dense_enter\n"
      "    push {r0, r2, r3, r4-r11, lr}\n"
      "    mov r0, r2\n"
      "    .endm\n"

      "    .macro tt_dsp_dense_sum sum\n"
      "    sxtb16 lr, r12, ror #8\n"
      "    sxtb16 r12, r12\n"
      "    smlad \\sum, r3, lr, \\sum\n"
      "    smlad \\sum, r2, r12, \\sum\n"
      "    .endm\n"

      "    .macro tt_dsp_dense_further offset, sum\n"
      "    ldr r12, [r1, #(\\offset)]\n"
      "    tt_dsp_dense_sum \\sum\n"
      "    .endm\n"

      /* With the first channel's weights in r12, `step` bytes before r1. */
      "    .macro tt_dsp_dense_sums depth, together, step\n"
      "    tt_dsp_dense_sum r4\n"
      "    tt_dsp_dense_further \\depth - \\step, r5\n"
      "    .if \\together > 2\n"
      "    tt_dsp_dense_further 2 * \\depth - \\step, r6\n"
      "    tt_dsp_dense_further 3 * \\depth - \\step, r7\n"
      "    .endif\n"
      "    .if \\together > 4\n"
      "    tt_dsp_dense_further 4 * \\depth - \\step, r8\n"
      "    tt_dsp_dense_further 5 * \\depth - \\step, r9\n"
      "    .endif\n"
      "    .if \\together > 6\n"
      "    tt_dsp_dense_further 6 * \\depth - \\step, r10\n"
      "    tt_dsp_dense_further 7 * \\depth - \\step, r11\n"
      "    .endif\n"
      "    .endm\n"

      "    .macro tt_dsp_dense_taps depth, together\n"
      "    ldr r3, [r0], #4\n"
      "    ldr r12, [r1], #4\n"
      "    sxtb16 r2, r3\n"
      "    sxtb16 r3, r3, ror #8\n"
      "    tt_dsp_dense_sums \\depth, \\together, 4\n"
      "    .endm\n"

      /* The one to three taps that make no word: nothing may be read behind the input. */
      "    .macro tt_dsp_dense_rest depth, together, rest\n"
      "    ldrsb r2, [r0]\n"
      "    .if \\rest > 1\n"
      "    ldrsb r3, [r0, #1]\n"
      "    uxth r3, r3\n"
      "    .else\n"
      "    mov r3, #0\n"
      "    .endif\n"
      "    .if \\rest > 2\n"
      "    ldrsb r12, [r0, #2]\n"
      "    pkhbt r2, r2, r12, lsl #16\n"
      "    .else\n"
      "    uxth r2, r2\n"
      "    .endif\n"
      "    ldr r12, [r1], #\\rest\n"
      "    tt_dsp_dense_sums \\depth, \\together, \\rest\n"
      "    .endm\n"

      "    .macro tt_dsp_dense_output sum\n"
      "    ldm r0!, {r2, r3, r12, lr}\n"
      "    tt_dsp_output \\sum, r3, r12, lr, r2\n"
      "    .endm\n"

      /* The outputs of a pair of channels into one register. */
      "    .macro tt_dsp_dense_pair sum1, sum2\n"
      "    tt_dsp_dense_output \\sum1\n"
      "    tt_dsp_dense_output \\sum2\n"
      "    bfi \\sum1, \\sum2, #8, #8\n"
      "    .endm\n"

      "    .macro tt_dsp_dense_store clamped, pair\n"
      "    .if \\clamped\n"
      "    tt_dsp_clamp \\pair, r2, r3, lr\n"
      "    .endif\n"
      "    strh \\pair, [r12], #2\n"
      "    .endm\n"

      /* Leaves the channel in r0, and the flags for whether it was the last. */
      "    .macro tt_dsp_dense_outputs clamped, together\n"
      "    ldr r0, [sp, #.Ltt_dense_channel]\n"
      "    tt_dsp_dense_pair r4, r5\n"
      "    .if \\together > 2\n"
      "    tt_dsp_dense_pair r6, r7\n"
      "    .endif\n"
      "    .if \\together > 4\n"
      "    tt_dsp_dense_pair r8, r9\n"
      "    .endif\n"
      "    .if \\together > 6\n"
      "    tt_dsp_dense_pair r10, r11\n"
      "    .endif\n"
      "    ldr r12, [sp, #.Ltt_dense_output]\n"
      "    .if \\clamped\n"
      "    ldrd r2, r3, [sp, #.Ltt_dense_low]\n"
      "    .endif\n"
      "    tt_dsp_dense_store \\clamped, r4\n"
      "    .if \\together > 2\n"
      "    tt_dsp_dense_store \\clamped, r6\n"
      "    .endif\n"
      "    .if \\together > 4\n"
      "    tt_dsp_dense_store \\clamped, r8\n"
      "    .endif\n"
      "    .if \\together > 6\n"
      "    tt_dsp_dense_store \\clamped, r10\n"
      "    .endif\n"
      "    ldr r2, [sp, #.Ltt_dense_end]\n"
      "    strd r0, r12, [sp, #.Ltt_dense_channel]\n"
      "    cmp r0, r2\n"
      "    .endm\n"

      "    .macro tt_dsp_dense_leave\n"
      "    add sp, #12\n"
      "    pop {r4-r11, pc}\n"
      "    .endm\n"

      /* The words that do not fill a round of the loop come first. */
      "    .macro tt_dsp_dense_loops name, depth, clamped, together, unrolled\n"
      "    tt_dsp_begin \\name\n"
      "    tt_dsp_dense_enter\n"
      "1:  ldr r4, [r0]\n"
      "    ldr r5, [r0, #16]\n"
      "    .if \\together > 2\n"
      "    ldr r6, [r0, #32]\n"
      "    ldr r7, [r0, #48]\n"
      "    .endif\n"
      "    .if \\together > 4\n"
      "    ldr r8, [r0, #64]\n"
      "    ldr r9, [r0, #80]\n"
      "    .endif\n"
      "    .if \\together > 6\n"
      "    ldr r10, [r0, #96]\n"
      "    ldr r11, [r0, #112]\n"
      "    .endif\n"
      "    ldr r0, [sp, #.Ltt_dense_input]\n"
      "    .rept (\\depth / 4) % \\unrolled\n"
      "    tt_dsp_dense_taps \\depth, \\together\n"
      "    .endr\n"
      "    .if \\depth / 4 / \\unrolled\n"
      "2:\n"
      "    .rept \\unrolled\n"
      "    tt_dsp_dense_taps \\depth, \\together\n"
      "    .endr\n"
      "    ldr r2, [sp, #.Ltt_dense_words_end]\n"
      "    cmp r0, r2\n"
      "    bne 2b\n"
      "    .endif\n"
      "    .if \\depth % 4\n"
      "    tt_dsp_dense_rest \\depth, \\together, (\\depth % 4)\n"
      "    .endif\n"
      "    add r1, r1, #((\\together - 1) * \\depth)\n"
      "    tt_dsp_dense_outputs \\clamped, \\together\n"
      "    bne 1b\n"
      "    tt_dsp_dense_leave\n"
      "    tt_dsp_end \\name\n"
      "    .endm\n"

      /* Any depth: four channels, with their weights' pointers in r8 to r11, and words_end or
       * input_end in r1. */
      "    .macro tt_dsp_dense_word weights, sum\n"
      "    ldr r12, [\\weights], #4\n"
      "    tt_dsp_dense_sum \\sum\n"
      "    .endm\n"

      "    .macro tt_dsp_dense_byte weights, sum\n"
      "    ldrsb r12, [\\weights], #1\n"
      "    smlabb \\sum, r2, r12, \\sum\n"
      "    .endm\n"

      "    .macro tt_dsp_dense_any_depth name, clamped\n"
      "    tt_dsp_begin \\name\n"
      "    tt_dsp_dense_enter\n"
      "    mov r11, r1\n"
      "1:  ldr r4, [r0]\n"
      "    ldr r5, [r0, #16]\n"
      "    ldr r6, [r0, #32]\n"
      "    ldr r7, [r0, #48]\n"
      "    ldr r0, [sp, #.Ltt_dense_input]\n"
      "    ldr r1, [sp, #.Ltt_dense_words_end]\n"
      "    ldr lr, [sp, #.Ltt_dense_depth]\n"
      "    mov r8, r11\n"
      "    add r9, r8, lr\n"
      "    add r10, r9, lr\n"
      "    add r11, r10, lr\n"
      "    b 3f\n"
      "2:  ldr r3, [r0], #4\n"
      "    ldr r12, [r8], #4\n"
      "    sxtb16 r2, r3\n"
      "    sxtb16 r3, r3, ror #8\n"
      "    tt_dsp_dense_sum r4\n"
      "    tt_dsp_dense_word r9, r5\n"
      "    tt_dsp_dense_word r10, r6\n"
      "    tt_dsp_dense_word r11, r7\n"
      "3:  cmp r0, r1\n"
      "    bne 2b\n"
      "    ldr r1, [sp, #.Ltt_dense_input_end]\n"
      "    b 5f\n"
      "4:  ldrsb r2, [r0], #1\n"
      "    tt_dsp_dense_byte r8, r4\n"
      "    tt_dsp_dense_byte r9, r5\n"
      "    tt_dsp_dense_byte r10, r6\n"
      "    tt_dsp_dense_byte r11, r7\n"
      "5:  cmp r0, r1\n"
      "    bne 4b\n"
      "    tt_dsp_dense_outputs \\clamped, 4\n"
      "    bne 1b\n"
      "    tt_dsp_dense_leave\n"
      "    tt_dsp_end \\name\n"
      "    .endm\n"

      "    .macro tt_dsp_dense name, depth, clamped, unrolled\n"
      "    .if 7 * \\depth <= 4095\n"
      "    tt_dsp_dense_loops \\name, \\depth, \\clamped, 8, \\unrolled\n"
      "    .elseif 5 * \\depth <= 4095\n"
      "    tt_dsp_dense_loops \\name, \\depth, \\clamped, 6, \\unrolled\n"
      "    .elseif 3 * \\depth <= 4095\n"
      "    tt_dsp_dense_loops \\name, \\depth, \\clamped, 4, \\unrolled\n"
      "    .elseif \\depth <= 4095\n"
      "    tt_dsp_dense_loops \\name, \\depth, \\clamped, 2, \\unrolled\n"
      "    .else\n"
      "    tt_dsp_dense_any_depth \\name, \\clamped\n"
      "    .endif\n"
      "    .endm\n"
      "    .endif\n");

#endif
