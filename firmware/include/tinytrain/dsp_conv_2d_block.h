/* The block of tt_fast_conv_2d for the DSP extension. */
#ifndef TINYTRAIN_DSP_CONV_2D_BLOCK_H
#define TINYTRAIN_DSP_CONV_2D_BLOCK_H

#include "tinytrain/dsp_block.h"

#define TT_BLOCK_CONV_2D(NAME, DEPTH, CLAMPED, SPEED)                                              \
    void NAME(void);                                                                               \
    __asm("tt_dsp_conv_2d " #NAME ", " #DEPTH ", " #CLAMPED ", " #SPEED "\n")

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
 * channel, r9 to r12 its constants, lr free; then r8 output, r9 channels of the output.
 */
__asm("    .ifndef .Ltt_dsp_conv_2d_macros\n"
      "    .set .Ltt_dsp_conv_2d_macros, 1\n"
      /* Offsets from sp. */
      "    .set .Ltt_conv_columns, 0\n"
      "    .set .Ltt_conv_channel, 4\n"
      "    .set .Ltt_conv_output, 8\n"
      "    .set .Ltt_conv_output_channels, 48\n"
      "    .set .Ltt_conv_end, 52\n"
      "    .set .Ltt_conv_low, 56\n"
      "    .set .Ltt_conv_columns_end, 64\n"
      "    .set .Ltt_conv_depth, 68\n"

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

      /* The six outputs of a pair of channels, by a macro of dsp_block.h; leaves the channel in r1,
       * and the flags for whether it was the last pair. */
      "    .macro tt_dsp_conv_outputs clamped, output\n"
      "    ldr r1, [sp, #.Ltt_conv_channel]\n"
      "    ldm r1!, {r9, r10, r11, r12}\n"
      "    \\output r2, r10, r11, r12, lr\n"
      "    \\output r3, r10, r11, r12, lr\n"
      "    \\output r4, r10, r11, r12, lr\n"
      "    ldm r1!, {r9, r10, r11, r12}\n"
      "    \\output r5, r10, r11, r12, lr\n"
      "    \\output r6, r10, r11, r12, lr\n"
      "    \\output r7, r10, r11, r12, lr\n"
      "    bfi r2, r5, #8, #8\n"
      "    bfi r3, r6, #8, #8\n"
      "    bfi r4, r7, #8, #8\n"
      "    .if \\clamped\n"
      "    ldrd r10, r11, [sp, #.Ltt_conv_low]\n"
      "    tt_dsp_clamp r2, r10, r11, lr\n"
      "    tt_dsp_clamp r3, r10, r11, lr\n"
      "    tt_dsp_clamp r4, r10, r11, lr\n"
      "    .endif\n"
      "    ldr r8, [sp, #.Ltt_conv_output]\n"
      "    ldr r9, [sp, #.Ltt_conv_output_channels]\n"
      "    ldr r10, [sp, #.Ltt_conv_end]\n"
      "    strh r3, [r8, r9]\n"
      "    strh r4, [r8, r9, lsl #1]\n"
      "    strh r2, [r8], #2\n"
      "    strd r1, r8, [sp, #.Ltt_conv_channel]\n"
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
      "    ldr r1, [sp, #.Ltt_conv_columns]\n"
      "    tt_dsp_conv_taps \\depth, 1\n"
      "    .rept (\\groups - 1) % \\unrolled\n"
      "    tt_dsp_conv_taps \\depth, 0\n"
      "    .endr\n"
      "    .if (\\groups - 1) / \\unrolled\n"
      "2:\n"
      "    .rept \\unrolled\n"
      "    tt_dsp_conv_taps \\depth, 0\n"
      "    .endr\n"
      "    ldr r8, [sp, #.Ltt_conv_columns_end]\n"
      "    cmp r1, r8\n"
      "    bne 2b\n"
      "    .endif\n"
      "    add r0, r0, #(2 * \\depth - 4 * \\groups)\n"
      "    tt_dsp_conv_outputs \\clamped, tt_dsp_output\n"
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
      "    ldr r1, [sp, #.Ltt_conv_columns]\n"
      "    ldr lr, [sp, #.Ltt_conv_depth]\n"
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
      "    ldr r8, [sp, #.Ltt_conv_columns_end]\n"
      "    smlad r4, r9, r12, r4\n"
      "    smlad r7, r11, r12, r7\n"
      "    cmp r1, r8\n"
      "    bne 2b\n"
      /* Both pointers are behind the rounded depth. */
      "    ldr r8, [sp, #.Ltt_conv_depth]\n"
      "    add r0, lr, r8\n"
      "    add r8, #3\n"
      "    bic r8, #3\n"
      "    sub r0, r8\n"
      "    tt_dsp_conv_outputs \\clamped, tt_dsp_output\n"
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
      /* Of few groups, a loop of four would leave nearly all of them beside it. */
      "    .elseif \\depth <= 32\n"
      "    tt_dsp_conv_loops \\name, \\depth, \\clamped, ((\\depth + 3) / 4), 2\n"
      "    .else\n"
      "    tt_dsp_conv_loops \\name, \\depth, \\clamped, ((\\depth + 3) / 4), 4\n"
      "    .endif\n"
      "    .endm\n"
      "    .endif\n");

#endif
