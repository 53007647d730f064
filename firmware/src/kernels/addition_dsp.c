/* ADD for the DSP extension, whose constants fill the registers. */
#include "addition_loops.h"

#if TT_KERNELS_DSP

#include "tinytrain/dsp_block.h"

/* Registers: r0 elements left, r1 halved, r2 other, r3 output, r4 to r10 constants in their order,
 * r11 a sum, r12 free, lr a halved element. */
__asm("    .macro tt_dsp_add_element\n"
      "    ldrsb r11, [r2], #1\n"
      "    ldrsb lr, [r1], #1\n"
      "    rsb r11, r4, r11, lsl #21\n"
      "    add r12, r6, r11, asr #31\n"
      "    smmlar r11, r11, r5, r12\n"
      "    asr r11, r11, r7\n"
      "    add r11, r11, lr, lsl #19\n"
      "    tt_dsp_output r11, r8, r9, r10, r12\n"
      "    strb r11, [r3], #1\n"
      "    .endm\n"

      "    tt_dsp_begin tt_dsp_add\n"
      "    .global tt_dsp_add\n"
      "    push {r4-r11, lr}\n"
      "    ldm r0, {r4-r10}\n"
      "    ldr r0, [sp, #36]\n"
      "    b 2f\n"
      "1:  tt_dsp_add_element\n"
      "    tt_dsp_add_element\n"
      "    tt_dsp_add_element\n"
      "    tt_dsp_add_element\n"
      "2:  subs r0, #4\n"
      "    bge 1b\n"
      "    adds r0, #4\n"
      "    beq 4f\n"
      "3:  tt_dsp_add_element\n"
      "    subs r0, #1\n"
      "    bne 3b\n"
      "4:  pop {r4-r11, pc}\n"
      "    tt_dsp_end tt_dsp_add\n"
      "    .purgem tt_dsp_add_element\n");

#endif
