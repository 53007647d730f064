/* What the fast kernels for ARMv6-M (Cortex-M0, M0+) share. GCC keeps few of their values in the
 * eight low registers, which alone can multiply; so the loops are assembler. */
#ifndef TINYTRAIN_V6M_H
#define TINYTRAIN_V6M_H

#include "fast.h"

/* tt_channel_output without its clamp: the sum in r0, 19 instructions.
 *
 * With tt_rounding_doubling_high_mul_by_halves of arithmetic.h, whose letters these are:
 *   r0  sum, a1; the result   r4  b1                          r7   shift
 *   r1  a0; scratch           r5  b0                          r12  rounding
 *   r2  middle                r3  -1 where the sum is negative
 */
#define TT_V6M_SCALE                                                                               \
    "   asrs    r3, r0, #31\n"                                                                     \
    "   sxth    r1, r0\n"                                                                          \
    "   subs    r0, r0, r1\n"                                                                      \
    "   asrs    r0, r0, #16\n"                                                                     \
    "   movs    r2, r5\n"                                                                          \
    "   muls    r2, r1\n"                                                                          \
    "   asrs    r2, r2, #16\n"                                                                     \
    "   muls    r1, r4\n"                                                                          \
    "   adds    r2, r2, r1\n"                                                                      \
    "   movs    r1, r5\n"                                                                          \
    "   muls    r1, r0\n"                                                                          \
    "   adds    r2, r2, r1\n"                                                                      \
    "   muls    r0, r4\n"                                                                          \
    "   lsls    r0, r0, #1\n"                                                                      \
    "   asrs    r2, r2, #15\n" /* leaves the bit that rounds in the carry */                       \
    "   adcs    r0, r2\n"                                                                          \
    "   adds    r0, r0, r3\n"                                                                      \
    "   add     r0, r12\n"                                                                         \
    "   asrs    r0, r7\n"

/* r0 clamped to what the high registers LOW and HIGH hold, and stored OFFSET behind r6. The labels
 * 8 and 9 are free to use again. */
#define TT_V6M_STORE(LOW, HIGH, OFFSET)                                                            \
    "   cmp     r0, " LOW "\n"                                                                     \
    "   bge     8f\n"                                                                              \
    "   mov     r0, " LOW "\n"                                                                     \
    "8: cmp     r0, " HIGH "\n"                                                                    \
    "   ble     9f\n"                                                                              \
    "   mov     r0, " HIGH "\n"                                                                    \
    "9: strb    r0, [r6, #" OFFSET "]\n"

/* Saves the caller's registers, and back. Eight words and the argument of the function, which lies
 * at [sp] then. */
#define TT_V6M_ENTER                                                                               \
    "   push    {r4, r5, r6, r7, lr}\n"                                                            \
    "   mov     r4, r8\n"                                                                          \
    "   mov     r5, r9\n"                                                                          \
    "   mov     r6, r10\n"                                                                         \
    "   mov     r7, r11\n"                                                                         \
    "   push    {r0, r4, r5, r6, r7}\n"

#define TT_V6M_LEAVE                                                                               \
    "   pop     {r0, r4, r5, r6, r7}\n"                                                            \
    "   mov     r8, r4\n"                                                                          \
    "   mov     r9, r5\n"                                                                          \
    "   mov     r10, r6\n"                                                                         \
    "   mov     r11, r7\n"                                                                         \
    "   pop     {r4, r5, r6, r7, pc}\n"

#define TT_V6M_FUNCTION(NAME)                                                                      \
    ".syntax unified\n"                                                                            \
    ".thumb\n"                                                                                     \
    ".section .text." NAME ", \"ax\", %progbits\n"                                                 \
    ".balign 4\n"                                                                                  \
    ".global " NAME "\n"                                                                           \
    ".type " NAME ", %function\n"                                                                  \
    ".thumb_func\n" NAME ":\n"

#define TT_V6M_END(NAME)                                                                           \
    ".ltorg\n"                                                                                     \
    ".size " NAME ", . - " NAME "\n"                                                               \
    ".text\n"

/* Copies bytes; words where both pointers lie on one. */
void tt_v6m_copy(int8_t *to, const int8_t *from, int32_t bytes);

/* One vector of tt_fast_fully_connected. */
void tt_v6m_multiply(const tt_fast_dense *p, const int8_t *input, int8_t *output);

#endif
