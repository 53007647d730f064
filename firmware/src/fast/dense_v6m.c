/* Fast FULLY_CONNECTED for ARMv6-M. */
#include "v6m.h"

#if TT_KERNELS_V6M

/* Four rows of weights at a time, so that they share the vector's bytes; a last group of less takes
 * its last row several times and stores it once.
 *
 * Products:                                 Outputs:
 *   r0 to r3   behind the rows                as TT_V6M_SCALE says
 *   r4         behind the vector              r6   output
 *   r5         index, -depth up to 0          r8   channel
 *   r6, r7     of the vector, of a row        r9   lowest, r10 highest
 *   r8 to r11  sums                           r11  outputs of the group that are left
 *   r12        where the loop is entered      lr   stack pointer without the sums
 */
#define TAP                                                                                        \
    "   ldrsb   r6, [r4, r5]\n"                                                                    \
    "   ldrsb   r7, [r0, r5]\n"                                                                    \
    "   muls    r7, r6\n"                                                                          \
    "   add     r8, r7\n"                                                                          \
    "   ldrsb   r7, [r1, r5]\n"                                                                    \
    "   muls    r7, r6\n"                                                                          \
    "   add     r9, r7\n"                                                                          \
    "   ldrsb   r7, [r2, r5]\n"                                                                    \
    "   muls    r7, r6\n"                                                                          \
    "   add     r10, r7\n"                                                                         \
    "   ldrsb   r7, [r3, r5]\n"                                                                    \
    "   muls    r7, r6\n"                                                                          \
    "   add     r11, r7\n"                                                                         \
    "   adds    r5, #1\n"

/* clang-format off */
__asm(TT_V6M_FUNCTION("tt_v6m_dense")
    TT_V6M_ENTER /* Four taps a round, of 28 bytes of code each: the first round leaves out -depth mod 4. */
    "   ldr     r1, [r0, #20]\n"
    "   negs    r1, r1\n"
    "   movs    r2, #3\n"
    "   ands    r1, r2\n"
    "   movs    r2, #28\n"
    "   muls    r1, r2\n"
    "   ldr     r2, =tt_v6m_dense_taps\n"
    "   add     r1, r2\n"
    "   str     r1, [r0, #32]\n"
    "   mov     lr, sp\n"
    "1: ldr     r7, [sp]\n"
    "   ldr     r4, [r7, #32]\n"
    "   mov     r12, r4\n"
    "   ldr     r4, [r7]\n"
    "   ldr     r0, [r7, #4]\n"
    "   ldr     r6, [r7, #16]\n"
    "   ldr     r5, [r7, #20]\n"
    "   adds    r0, r0, r5\n"
    "   movs    r1, r0\n"
    "   cmp     r6, #2\n"
    "   blt     2f\n"
    "   adds    r1, r1, r5\n"
    "2: movs    r2, r1\n"
    "   cmp     r6, #3\n"
    "   blt     2f\n"
    "   adds    r2, r2, r5\n"
    "2: movs    r3, r2\n"
    "   cmp     r6, #4\n"
    "   blt     2f\n"
    "   adds    r3, r3, r5\n"
    "2: str     r3, [r7, #4]\n"
    "   movs    r7, #0\n"
    "   mov     r8, r7\n"
    "   mov     r9, r7\n"
    "   mov     r10, r7\n"
    "   mov     r11, r7\n"
    "   negs    r5, r5\n"
    "   mov     pc, r12\n"
    ".thumb_func\n"
    "tt_v6m_dense_taps:\n"
    TAP
    TAP
    TAP
    TAP
    "   bne     tt_v6m_dense_taps\n"
    "   mov     r0, r8\n"
    "   mov     r1, r9\n"
    "   mov     r2, r10\n"
    "   mov     r3, r11\n"
    "   push    {r0, r1, r2, r3}\n"
    "   ldr     r7, [sp, #16]\n"
    "   ldr     r1, [r7, #8]\n"
    "   mov     r8, r1\n"
    "   ldr     r6, [r7, #12]\n"
    "   ldr     r1, [r7, #24]\n"
    "   mov     r9, r1\n"
    "   ldr     r1, [r7, #28]\n"
    "   mov     r10, r1\n"
    "   ldr     r1, [r7, #16]\n"
    "   subs    r2, r1, #4\n"
    "   str     r2, [r7, #16]\n"
    "   ble     3f\n"
    "   movs    r1, #4\n"
    "3: mov     r11, r1\n"
    "5: mov     r1, r8\n"
    "   pop     {r0}\n"
    "   ldmia   r1!, {r2, r4, r5, r7}\n"
    "   mov     r8, r1\n"
    "   adds    r0, r0, r2\n"
    "   mov     r12, r5\n"
    "   uxth    r5, r4\n"
    "   lsrs    r4, r4, #16\n"
    TT_V6M_SCALE
    TT_V6M_STORE("r9", "r10")
    "   adds    r6, #1\n"
    "   mov     r1, r11\n"
    "   subs    r1, #1\n"
    "   mov     r11, r1\n"
    "   bne     5b\n"
    "   mov     sp, lr\n" /* past the sums of a last group of less than four */
    "   ldr     r7, [sp]\n"
    "   mov     r1, r8\n"
    "   str     r1, [r7, #8]\n"
    "   str     r6, [r7, #12]\n"
    "   ldr     r1, [r7, #16]\n"
    "   cmp     r1, #0\n"
    "   ble     6f\n"
    "   b       1b\n"
    "6:\n"
    TT_V6M_LEAVE
    TT_V6M_END("tt_v6m_dense"));
/* clang-format on */

void tt_fast_fully_connected(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                             void *scratch)
{
    (void)scratch;
    for (int32_t row = 0; row < p->rows; row++) {
        input += p->input_depth;
        tt_v6m_rows rows = {
            .input_end = input,
            .weights = p->weights,
            .channels = p->channels,
            .output = output,
            .count = p->output_depth,
            .depth = p->input_depth,
            .low = p->activation_min,
            .high = p->activation_max,
        };
        tt_v6m_dense(&rows);
        output += p->output_depth;
    }
}

#endif
