/* The blocks of fast_blocks.h for the DSP extension.
 *
 * They are assembler, because compilers spill where the sums fill the registers. Weights and
 * activations of four neighbouring taps are two words of two int16 each, as SXTB16 takes them from
 * a word of four bytes: taps 0 and 2, taps 1 and 3.
 */
#ifndef TINYTRAIN_DSP_BLOCKS_H
#define TINYTRAIN_DSP_BLOCKS_H

#define TT_BLOCK_CONV_2D(NAME, DEPTH, CLAMPED, SPEED)                                              \
    void NAME(void);                                                                               \
    __asm("tt_dsp_conv_2d " #NAME ", " #DEPTH ", " #CLAMPED ", " #SPEED "\n")
#define TT_BLOCK_DEPTHWISE(NAME, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS, CLAMPED, SPEED)            \
    void NAME(void);                                                                               \
    __asm("tt_dsp_depthwise " #NAME ", " #KERNEL_HEIGHT ", " #KERNEL_WIDTH ", " #CHANNELS          \
          ", " #CLAMPED ", " #SPEED "\n")
#define TT_BLOCK_DENSE(NAME, DEPTH, CLAMPED, SPEED)                                                \
    void NAME(void);                                                                               \
    __asm("tt_dsp_dense " #NAME ", " #DEPTH ", " #CLAMPED ", (2 + 2 * " #SPEED ")\n")
#define TT_BLOCK(NAME) (&(NAME))

/* A function's begin and end, and what all blocks end with. */
__asm("    .ifndef tt_dsp_common\n"
      "    .set tt_dsp_common, 1\n"
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

/* CONV_2D: all channels of three pixels, by pairs of channels.
 *
 * void block(const uint32_t *columns, const int8_t *weights, const tt_channel *channels,
 *            int8_t *output, int32_t output_channels, const tt_channel *end, uint32_t low,
 *            uint32_t high, const uint32_t *columns_end, int32_t depth)
 *
 * columns: three windows, [depth / 4, rounded up][3 pixels][2 words]. end - channels is even. low,
 * high: the activation's range, the byte four times. The last two are not used by all.
 *
 * Registers: r0 weights, r1 columns, r2 r3 r4 sums of the first channel and the three pixels, r5 r6
 * r7 those of the second, r8 r9 and r10 r11 weights, r12 lr activations. At the end of a pair: r1
 * channel, r8 output, r9 channels of the output, r10 r11 r12 constants of the channel, lr free.
 */
__asm("    .ifndef tt_dsp_conv_2d_macros\n"
      "    .set tt_dsp_conv_2d_macros, 1\n"
      /* Offsets from sp. */
      "    .set tt_conv_columns, 0\n"
      "    .set tt_conv_channel, 4\n"
      "    .set tt_conv_output, 8\n"
      "    .set tt_conv_output_channels, 48\n"
      "    .set tt_conv_end, 52\n"
      "    .set tt_conv_low, 56\n"
      "    .set tt_conv_columns_end, 64\n"
      "    .set tt_conv_depth, 68\n"

      "    .macro tt_dsp_conv_enter\n"
      "    push {r0, r2, r3, r4-r11, lr}\n"
      "    mov r0, r1\n"
      "    mov r1, r2\n"
      "    .endm\n"

      /* One pixel's four taps. The first ones add to the start, which is in the last pixel's sum.
       */
      "    .macro tt_dsp_conv_pixel sum1, sum2, start1, start2\n"
      "    smlad \\sum1, r8, r12, \\start1\n"
      "    smlad \\sum2, r10, r12, \\start2\n"
      "    smlad \\sum1, r9, lr, \\sum1\n"
      "    smlad \\sum2, r11, lr, \\sum2\n"
      "    .endm\n"

      "    .macro tt_dsp_conv_taps depth, first\n"
      "    ldr r10, [r0, #\\depth]\n"
      "    ldr r8, [r0], #4\n"
      "    ldrd r12, lr, [r1], #8\n"
      "    sxtb16 r9, r8, ror #8\n"
      "    sxtb16 r8, r8\n"
      "    sxtb16 r11, r10, ror #8\n"
      "    sxtb16 r10, r10\n"
      "    .if \\first\n"
      "    tt_dsp_conv_pixel r2, r5, r4, r7\n"
      "    ldrd r12, lr, [r1], #8\n"
      "    tt_dsp_conv_pixel r3, r6, r4, r7\n"
      "    .else\n"
      "    tt_dsp_conv_pixel r2, r5, r2, r5\n"
      "    ldrd r12, lr, [r1], #8\n"
      "    tt_dsp_conv_pixel r3, r6, r3, r6\n"
      "    .endif\n"
      "    ldrd r12, lr, [r1], #8\n"
      "    tt_dsp_conv_pixel r4, r7, r4, r7\n"
      "    .endm\n"

      /* The six outputs of a pair of channels; leaves the channel in r1, and the flags for whether
       * it was the last pair. */
      "    .macro tt_dsp_conv_outputs clamped\n"
      "    ldr r1, [sp, #tt_conv_channel]\n"
      "    ldr r8, [sp, #tt_conv_output]\n"
      "    ldr r9, [sp, #tt_conv_output_channels]\n"
      "    adds r1, #4\n"
      "    ldm r1!, {r10, r11, r12}\n"
      "    tt_dsp_output r2, r10, r11, r12, lr\n"
      "    tt_dsp_output r3, r10, r11, r12, lr\n"
      "    tt_dsp_output r4, r10, r11, r12, lr\n"
      "    adds r1, #4\n"
      "    ldm r1!, {r10, r11, r12}\n"
      "    tt_dsp_output r5, r10, r11, r12, lr\n"
      "    tt_dsp_output r6, r10, r11, r12, lr\n"
      "    tt_dsp_output r7, r10, r11, r12, lr\n"
      "    bfi r2, r5, #8, #8\n"
      "    bfi r3, r6, #8, #8\n"
      "    bfi r4, r7, #8, #8\n"
      "    .if \\clamped\n"
      "    ldrd r10, r11, [sp, #tt_conv_low]\n"
      "    tt_dsp_clamp r2, r10, r11, lr\n"
      "    tt_dsp_clamp r3, r10, r11, lr\n"
      "    tt_dsp_clamp r4, r10, r11, lr\n"
      "    .endif\n"
      "    ldr r10, [sp, #tt_conv_end]\n"
      "    strh r3, [r8, r9]\n"
      "    strh r4, [r8, r9, lsl #1]\n"
      "    strh r2, [r8], #2\n"
      "    strd r1, r8, [sp, #tt_conv_channel]\n"
      "    cmp r1, r10\n"
      "    .endm\n"

      "    .macro tt_dsp_conv_leave\n"
      "    add sp, #12\n"
      "    pop {r4-r11, pc}\n"
      "    .endm\n"

      /* Of `groups` groups of four taps, those that do not fill a round of the loop come first. */
      "    .macro tt_dsp_conv_loops name, depth, clamped, groups, unrolled\n"
      "    tt_dsp_begin \\name\n"
      "    tt_dsp_conv_enter\n"
      "1:  ldr r4, [r1]\n"
      "    ldr r7, [r1, #16]\n"
      "    ldr r1, [sp, #tt_conv_columns]\n"
      "    tt_dsp_conv_taps \\depth, 1\n"
      "    .rept (\\groups - 1) % \\unrolled\n"
      "    tt_dsp_conv_taps \\depth, 0\n"
      "    .endr\n"
      "    .if (\\groups - 1) / \\unrolled\n"
      "2:\n"
      "    .rept \\unrolled\n"
      "    tt_dsp_conv_taps \\depth, 0\n"
      "    .endr\n"
      "    ldr r8, [sp, #tt_conv_columns_end]\n"
      "    cmp r1, r8\n"
      "    bne 2b\n"
      "    .endif\n"
      "    add r0, r0, #(2 * \\depth - 4 * \\groups)\n"
      "    tt_dsp_conv_outputs \\clamped\n"
      "    bne 1b\n"
      "    tt_dsp_conv_leave\n"
      "    tt_dsp_end \\name\n"
      "    .endm\n"

      /* Any depth; weights of the second channel by a pointer in lr. */
      "    .macro tt_dsp_conv_any_depth name, clamped\n"
      "    tt_dsp_begin \\name\n"
      "    tt_dsp_conv_enter\n"
      "1:  ldr r2, [r1]\n"
      "    ldr r5, [r1, #16]\n"
      "    ldr r1, [sp, #tt_conv_columns]\n"
      "    ldr lr, [sp, #tt_conv_depth]\n"
      "    mov r3, r2\n"
      "    mov r4, r2\n"
      "    mov r6, r5\n"
      "    mov r7, r5\n"
      "    add lr, r0\n"
      "2:  ldr r10, [lr], #4\n"
      "    ldr r8, [r0], #4\n"
      "    ldr r12, [r1], #4\n"
      "    sxtb16 r9, r8, ror #8\n"
      "    sxtb16 r8, r8\n"
      "    sxtb16 r11, r10, ror #8\n"
      "    sxtb16 r10, r10\n"
      "    smlad r2, r8, r12, r2\n"
      "    smlad r5, r10, r12, r5\n"
      "    ldr r12, [r1], #4\n"
      "    smlad r2, r9, r12, r2\n"
      "    smlad r5, r11, r12, r5\n"
      "    ldr r12, [r1], #4\n"
      "    smlad r3, r8, r12, r3\n"
      "    smlad r6, r10, r12, r6\n"
      "    ldr r12, [r1], #4\n"
      "    smlad r3, r9, r12, r3\n"
      "    smlad r6, r11, r12, r6\n"
      "    ldr r12, [r1], #4\n"
      "    smlad r4, r8, r12, r4\n"
      "    smlad r7, r10, r12, r7\n"
      "    ldr r12, [r1], #4\n"
      "    ldr r8, [sp, #tt_conv_columns_end]\n"
      "    smlad r4, r9, r12, r4\n"
      "    smlad r7, r11, r12, r7\n"
      "    cmp r1, r8\n"
      "    bne 2b\n"
      /* Both pointers are behind the rounded depth. */
      "    ldr r8, [sp, #tt_conv_depth]\n"
      "    add r0, lr, r8\n"
      "    add r8, #3\n"
      "    bic r8, #3\n"
      "    sub r0, r8\n"
      "    tt_dsp_conv_outputs \\clamped\n"
      "    bne 1b\n"
      "    tt_dsp_conv_leave\n"
      "    tt_dsp_end \\name\n"
      "    .endm\n"

      "    .macro tt_dsp_conv_2d name, depth, clamped, speed\n"
      "    .if \\depth > 4095\n"
      "    tt_dsp_conv_any_depth \\name, \\clamped\n"
      "    .elseif \\speed && \\depth <= 64\n"
      "    tt_dsp_conv_loops \\name, \\depth, \\clamped, ((\\depth + 3) / 4), 64\n"
      "    .elseif \\speed\n"
      "    tt_dsp_conv_loops \\name, \\depth, \\clamped, ((\\depth + 3) / 4), 8\n"
      "    .else\n"
      "    tt_dsp_conv_loops \\name, \\depth, \\clamped, ((\\depth + 3) / 4), 4\n"
      "    .endif\n"
      "    .endm\n"
      "    .endif\n");

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
 * a group: r0 channel, r2 r3 r12 its constants, lr free; then r12 output.
 */
#define TT_DSP_DENSE_TOGETHER(DEPTH)                                                               \
    ((DEPTH) <= 4095 / 7   ? 8                                                                     \
     : (DEPTH) <= 4095 / 5 ? 6                                                                     \
     : (DEPTH) <= 4095 / 3 ? 4                                                                     \
     : (DEPTH) <= 4095     ? 2                                                                     \
                           : 4)

__asm("    .ifndef tt_dsp_dense_macros\n"
      "    .set tt_dsp_dense_macros, 1\n"
      /* Offsets from sp. */
      "    .set tt_dense_input, 0\n"
      "    .set tt_dense_channel, 4\n"
      "    .set tt_dense_output, 8\n"
      "    .set tt_dense_end, 48\n"
      "    .set tt_dense_low, 52\n"
      "    .set tt_dense_words_end, 60\n"
      "    .set tt_dense_input_end, 64\n"
      "    .set tt_dense_depth, 68\n"

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
      "    adds r0, #4\n"
      "    ldm r0!, {r2, r3, r12}\n"
      "    tt_dsp_output \\sum, r2, r3, r12, lr\n"
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
      "    ldr r0, [sp, #tt_dense_channel]\n"
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
      "    ldr r12, [sp, #tt_dense_output]\n"
      "    .if \\clamped\n"
      "    ldrd r2, r3, [sp, #tt_dense_low]\n"
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
      "    ldr r2, [sp, #tt_dense_end]\n"
      "    strd r0, r12, [sp, #tt_dense_channel]\n"
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
      "    ldr r0, [sp, #tt_dense_input]\n"
      "    .rept (\\depth / 4) % \\unrolled\n"
      "    tt_dsp_dense_taps \\depth, \\together\n"
      "    .endr\n"
      "    .if \\depth / 4 / \\unrolled\n"
      "2:\n"
      "    .rept \\unrolled\n"
      "    tt_dsp_dense_taps \\depth, \\together\n"
      "    .endr\n"
      "    ldr r2, [sp, #tt_dense_words_end]\n"
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
      "    ldr r0, [sp, #tt_dense_input]\n"
      "    ldr r1, [sp, #tt_dense_words_end]\n"
      "    ldr lr, [sp, #tt_dense_depth]\n"
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
      "    ldr r1, [sp, #tt_dense_input_end]\n"
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

/* DEPTHWISE_CONV_2D with a stride of 1: three neighbouring pixels, whose windows lie inside the
 * input. Of four channels, first 0 and 2, then 1 and 3. A column of the input serves all pixels.
 *
 * void block(const int8_t *input, const int8_t *weights, const tt_channel *channels,
 *            int8_t *output, int32_t input_row_bytes, const tt_channel *end, uint32_t low,
 *            uint32_t high, const int8_t *weights_end)
 *
 * end - channels is a multiple of four. low, high: the activation's range, the byte four times.
 * Kernels wider than 3, channels more than TT_DSP_DEPTHWISE_CHANNELS or not by four are left to
 * the kernel's own loops.
 *
 * Registers: r0 input, r1 weights, r2 bytes of an input row, r3 r4 r5 weights of a row, r6 r7
 * inputs, r8 r9 r10 sums of the first channel, r11 r12 lr of the second. At the end: r0 channel, r1
 * output, r3 r4 r5 constants of the channel.
 */
#define TT_DSP_DEPTHWISE_WIDTH 3
#define TT_DSP_DEPTHWISE_CHANNELS 816

__asm("    .ifndef tt_dsp_depthwise_macros\n"
      "    .set tt_dsp_depthwise_macros, 1\n"
      /* Offsets from sp. */
      "    .set tt_depthwise_input, 0\n"
      "    .set tt_depthwise_weights, 4\n"
      "    .set tt_depthwise_channel, 8\n"
      "    .set tt_depthwise_output, 12\n"
      "    .set tt_depthwise_row_bytes, 52\n"
      "    .set tt_depthwise_end, 56\n"
      "    .set tt_depthwise_low, 60\n"
      "    .set tt_depthwise_weights_end, 68\n"

      "    .macro tt_dsp_depthwise_widen word, odd\n"
      "    .if \\odd\n"
      "    sxtb16 \\word, \\word, ror #8\n"
      "    .else\n"
      "    sxtb16 \\word, \\word\n"
      "    .endif\n"
      "    .endm\n"

      /* One pixel's tap, if the kernel has it. */
      "    .macro tt_dsp_depthwise_tap input, tap, width, sum1, sum2\n"
      "    .if (\\tap) >= 0 && (\\tap) < \\width\n"
      "    .if (\\tap) == 0\n"
      "    smlabb \\sum1, \\input, r3, \\sum1\n"
      "    smlatt \\sum2, \\input, r3, \\sum2\n"
      "    .elseif (\\tap) == 1\n"
      "    smlabb \\sum1, \\input, r4, \\sum1\n"
      "    smlatt \\sum2, \\input, r4, \\sum2\n"
      "    .else\n"
      "    smlabb \\sum1, \\input, r5, \\sum1\n"
      "    smlatt \\sum2, \\input, r5, \\sum2\n"
      "    .endif\n"
      "    .endif\n"
      "    .endm\n"

      "    .macro tt_dsp_depthwise_column input, column, width, odd\n"
      "    tt_dsp_depthwise_widen \\input, \\odd\n"
      "    tt_dsp_depthwise_tap \\input, \\column, \\width, r8, r11\n"
      "    tt_dsp_depthwise_tap \\input, \\column - 1, \\width, r9, r12\n"
      "    tt_dsp_depthwise_tap \\input, \\column - 2, \\width, r10, lr\n"
      "    .endm\n"

      "    .macro tt_dsp_depthwise_row width, channels, odd\n"
      "    ldr r3, [r1]\n"
      "    .if \\width > 1\n"
      "    ldr r4, [r1, #\\channels]\n"
      "    .endif\n"
      "    .if \\width > 2\n"
      "    ldr r5, [r1, #(2 * \\channels)]\n"
      "    .endif\n"
      "    ldr r6, [r0]\n"
      "    ldr r7, [r0, #\\channels]\n"
      "    tt_dsp_depthwise_widen r3, \\odd\n"
      "    .if \\width > 1\n"
      "    tt_dsp_depthwise_widen r4, \\odd\n"
      "    .endif\n"
      "    .if \\width > 2\n"
      "    tt_dsp_depthwise_widen r5, \\odd\n"
      "    .endif\n"
      "    tt_dsp_depthwise_column r6, 0, \\width, \\odd\n"
      "    tt_dsp_depthwise_column r7, 1, \\width, \\odd\n"
      "    ldr r6, [r0, #(2 * \\channels)]\n"
      "    .if \\width > 1\n"
      "    ldr r7, [r0, #(3 * \\channels)]\n"
      "    .endif\n"
      "    tt_dsp_depthwise_column r6, 2, \\width, \\odd\n"
      "    .if \\width > 1\n"
      "    tt_dsp_depthwise_column r7, 3, \\width, \\odd\n"
      "    .endif\n"
      "    .if \\width > 2\n"
      "    ldr r6, [r0, #(4 * \\channels)]\n"
      "    tt_dsp_depthwise_column r6, 4, \\width, \\odd\n"
      "    .endif\n"
      "    add r1, r1, #(\\width * \\channels)\n"
      "    add r0, r2\n"
      "    .endm\n"

      "    .macro tt_dsp_depthwise_outputs sum1, sum2, sum3\n"
      "    ldm r0, {r3, r4, r5}\n"
      "    tt_dsp_output \\sum1, r3, r4, r5, r6\n"
      "    tt_dsp_output \\sum2, r3, r4, r5, r6\n"
      "    tt_dsp_output \\sum3, r3, r4, r5, r6\n"
      "    .endm\n"

      "    .macro tt_dsp_depthwise_clamp sum1, sum2, sum3\n"
      "    tt_dsp_clamp \\sum1, r3, r4, r6\n"
      "    tt_dsp_clamp \\sum2, r3, r4, r6\n"
      "    tt_dsp_clamp \\sum3, r3, r4, r6\n"
      "    .endm\n"

      /* Channels `odd` and `odd` + 2 of four. */
      "    .macro tt_dsp_depthwise_pair height, width, channels, clamped, unrolled, odd\n"
      "    ldr r0, [sp, #tt_depthwise_channel]\n"
      "    ldr r1, [sp, #tt_depthwise_weights]\n"
      "    ldr r2, [sp, #tt_depthwise_row_bytes]\n"
      "    ldr r8, [r0, #(16 * \\odd)]\n"
      "    ldr r11, [r0, #(16 * \\odd + 32)]\n"
      "    ldr r0, [sp, #tt_depthwise_input]\n"
      "    mov r9, r8\n"
      "    mov r10, r8\n"
      "    mov r12, r11\n"
      "    mov lr, r11\n"
      "    .if \\unrolled\n"
      "    .rept \\height\n"
      "    tt_dsp_depthwise_row \\width, \\channels, \\odd\n"
      "    .endr\n"
      "    .else\n"
      "2:\n"
      "    tt_dsp_depthwise_row \\width, \\channels, \\odd\n"
      "    ldr r6, [sp, #tt_depthwise_weights_end]\n"
      "    cmp r1, r6\n"
      "    bne 2b\n"
      "    .endif\n"
      "    ldr r0, [sp, #tt_depthwise_channel]\n"
      "    ldr r1, [sp, #tt_depthwise_output]\n"
      "    adds r0, #(16 * \\odd + 4)\n"
      "    tt_dsp_depthwise_outputs r8, r9, r10\n"
      "    adds r0, #32\n"
      "    tt_dsp_depthwise_outputs r11, r12, lr\n"
      "    .if \\clamped\n"
      "    ldrd r3, r4, [sp, #tt_depthwise_low]\n"
      "    tt_dsp_depthwise_clamp r8, r9, r10\n"
      "    tt_dsp_depthwise_clamp r11, r12, lr\n"
      "    .endif\n"
      "    strb r8, [r1, #\\odd]\n"
      "    strb r11, [r1, #(\\odd + 2)]\n"
      "    strb r9, [r1, #(\\channels + \\odd)]\n"
      "    strb r12, [r1, #(\\channels + \\odd + 2)]\n"
      "    strb r10, [r1, #(2 * \\channels + \\odd)]\n"
      "    strb lr, [r1, #(2 * \\channels + \\odd + 2)]\n"
      "    .endm\n"

      "    .macro tt_dsp_depthwise_loops name, height, width, channels, clamped, unrolled\n"
      "    push {r0-r11, lr}\n"
      "1:\n"
      "    tt_dsp_depthwise_pair \\height, \\width, \\channels, \\clamped, \\unrolled, 0\n"
      "    tt_dsp_depthwise_pair \\height, \\width, \\channels, \\clamped, \\unrolled, 1\n"
      "    .if !\\unrolled\n"
      "    ldr r4, [sp, #tt_depthwise_weights_end]\n"
      "    adds r4, #4\n"
      "    str r4, [sp, #tt_depthwise_weights_end]\n"
      "    .endif\n"
      "    ldm sp, {r0, r1, r2, r3}\n"
      "    ldr r4, [sp, #tt_depthwise_end]\n"
      "    adds r0, #4\n"
      "    adds r1, #4\n"
      "    adds r2, #64\n"
      "    adds r3, #4\n"
      "    stm sp, {r0, r1, r2, r3}\n"
      "    cmp r2, r4\n"
      "    bne 1b\n"
      "    add sp, #16\n"
      "    pop {r4-r11, pc}\n"
      "    .endm\n"

      "    .macro tt_dsp_depthwise name, height, width, channels, clamped, speed\n"
      "    tt_dsp_begin \\name\n"
      "    .if \\width <= 3 && \\channels <= 816 && \\channels % 4 == 0\n"
      "    tt_dsp_depthwise_loops \\name, \\height, \\width, \\channels, \\clamped, \\speed\n"
      "    .else\n"
      "    bx lr\n"
      "    .endif\n"
      "    tt_dsp_end \\name\n"
      "    .endm\n"
      "    .endif\n");

#endif
