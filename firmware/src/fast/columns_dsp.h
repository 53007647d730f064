/* CONV_2D by columns, for the DSP extension: three pixels' windows are widened into columns, which
 * a block multiplies with all channels' weights. */
#ifndef TINYTRAIN_FAST_COLUMNS_DSP_H
#define TINYTRAIN_FAST_COLUMNS_DSP_H

#include "dsp.h"
#include "fast.h"
#include "tinytrain/dsp_block.h"

#define TT_PIXELS 3
#define TT_WORDS_OF_TAPS (2 * TT_PIXELS) /* of four taps, for all pixels */

typedef struct tt_columns tt_columns;

/* Widens rows of words of four bytes into one pixel's places in the columns; returns the place
 * behind. There is at least one row; input rows are row_bytes apart. */
typedef uint32_t *tt_widen_rows(uint32_t *to, const int8_t *from, int32_t words, int32_t rows,
                                int32_t row_bytes);

/* Widens a window of three rows of nine bytes (3 x 3 pixels of a picture in three colours), and a
 * zero behind them. */
typedef void tt_widen_nines(uint32_t *to, const int8_t *from, int32_t row_bytes);

/* All channels of three pixels. */
typedef void tt_multiply_columns(const tt_columns *c, int8_t *output);

/* How four activations are two words, and who multiplies them. */
typedef struct tt_columns_kind {
    tt_widen_rows *rows;
    tt_widen_nines *nines;
    tt_multiply_columns *multiply;
} tt_columns_kind;

struct tt_columns {
    const tt_columns_kind *kind;
    const tt_fast_convolution *p;
    const int8_t *input;
    int32_t input_first;
    int32_t input_row_bytes;
    int32_t row_bytes; /* of a window */
    int32_t depth;
    uint32_t low; /* the activation's range */
    uint32_t high;
    uint32_t outside[2]; /* four activations outside of the input */
    uint32_t *columns;
    uint32_t *columns_end;
    int8_t *window; /* to put windows together in, and for outputs of less than three pixels */
};

/* As tt_fast_conv_2d. */
void tt_dsp_convolve(const tt_columns_kind *kind, const tt_fast_convolution *p, const tt_band *band,
                     const int8_t *input, int8_t *output, void *scratch);

/* A tt_widen_rows and a tt_widen_nines, by a macro that widens the word of four bytes in a register
 * to r0, and has r12 to itself.
 *
 * Registers of the first: r0 to, r1 from, r2 words, r3 rows left, r4 bytes from a row's end to the
 * next row, r5 words left, r6 to r9 words. Of the second: r0 to, r1 r3 r2 the window's rows (r2 at
 * first bytes of an input row), r4 to r10 words.
 */
__asm("    .ifndef .Ltt_dsp_widen_macros\n"
      "    .set .Ltt_dsp_widen_macros, 1\n"
      "    .macro tt_dsp_widen_rows name, widen\n"
      "    tt_dsp_begin \\name\n"
      "    push {r4-r9}\n"
      "    ldr r4, [sp, #24]\n"
      "    sub r4, r4, r2, lsl #2\n"
      "1:  subs r5, r2, #4\n"
      "    blt 3f\n"
      "2:  ldr r6, [r1], #4\n"
      "    ldr r7, [r1], #4\n"
      "    ldr r8, [r1], #4\n"
      "    ldr r9, [r1], #4\n"
      "    \\widen r6\n"
      "    \\widen r7\n"
      "    \\widen r8\n"
      "    \\widen r9\n"
      "    subs r5, #4\n"
      "    bge 2b\n"
      "3:  adds r5, #4\n"
      "    beq 5f\n"
      "4:  ldr r6, [r1], #4\n"
      "    \\widen r6\n"
      "    subs r5, #1\n"
      "    bne 4b\n"
      "5:  add r1, r4\n"
      "    subs r3, #1\n"
      "    bne 1b\n"
      "    pop {r4-r9}\n"
      "    bx lr\n"
      "    tt_dsp_end \\name\n"
      "    .endm\n"

      "    .macro tt_dsp_widen_nines name, widen\n"
      "    tt_dsp_begin \\name\n"
      "    push {r4-r10}\n"
      "    add r3, r1, r2\n"
      "    add r2, r3, r2\n"
      "    ldr r4, [r1]\n"
      "    ldr r5, [r1, #4]\n"
      "    ldrb r6, [r1, #8]\n"
      "    ldr r12, [r3]\n"
      "    ldr r7, [r3, #3]\n"
      "    ldrh r8, [r3, #7]\n"
      "    ldrh r1, [r2]\n"
      "    ldr r9, [r2, #2]\n"
      "    ldr r10, [r2, #5]\n"
      "    orr r6, r6, r12, lsl #8\n"
      "    orr r8, r8, r1, lsl #16\n"
      "    lsr r10, r10, #8\n"
      "    \\widen r4\n"
      "    \\widen r5\n"
      "    \\widen r6\n"
      "    \\widen r7\n"
      "    \\widen r8\n"
      "    \\widen r9\n"
      "    \\widen r10\n"
      "    pop {r4-r10}\n"
      "    bx lr\n"
      "    tt_dsp_end \\name\n"
      "    .endm\n"
      "    .endif\n");

#endif
