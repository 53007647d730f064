/* Fast FULLY_CONNECTED for ARMv6-M. */
#include "dense.h"
#include "v6m.h"

#if TT_KERNELS_V6M

enum {
    GROUP = 4, /* outputs at a time */
    ROUND = 8, /* taps of a round of the loop */
};

/* Groups of four rows of weights. It is written over. */
typedef struct groups {
    const int8_t *input_end; /* behind the vector */
    int32_t depth;
    int32_t skip; /* taps that the first round leaves out */
    int32_t low;
    int32_t high;
    int32_t count;         /* of rows, a multiple of four */
    const int8_t *weights; /* [count][depth] */
    const tt_channel *channels;
    int8_t *output;
} groups;

TT_V6M_OFFSET(groups, high, 16);
TT_V6M_OFFSET(groups, output, 32);

void tt_v6m_dense(groups *g);

/* clang-format off */
/* One tap of the vector in four rows: 14 instructions, 28 bytes. */
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

/* One row's output from the sum on the stack. */
#define OUTPUT(OFFSET)                                                                             \
    "   mov     r1, r11\n"                                                                         \
    "   ldmia   r1!, {r2, r4, r5, r7}\n"                                                           \
    "   mov     r11, r1\n"                                                                         \
    "   mov     r12, r5\n"                                                                         \
    "   uxth    r5, r4\n"                                                                          \
    "   lsrs    r4, r4, #16\n"                                                                     \
    "   pop     {r0}\n"                                                                            \
    "   adds    r0, r0, r2\n"                                                                      \
    TT_V6M_SCALE                                                                                   \
    TT_V6M_STORE("lr", "r9", OFFSET)

/* Products:                                 Outputs:
 *   r0 to r3   behind the rows                as TT_V6M_SCALE says
 *   r4         behind the vector              r6   output
 *   r5         index, -depth up to 0          r9   highest
 *   r6, r7     of the vector, of a row        r11  channel
 *   r8 to r11  sums
 *   lr         lowest output
 */
__asm(TT_V6M_FUNCTION("tt_v6m_dense")
    TT_V6M_ENTER
    "   ldr     r1, [r0, #12]\n"
    "   mov     lr, r1\n"
    "1: ldr     r7, [sp]\n"
    "   ldr     r0, [r7, #24]\n"
    "   ldr     r5, [r7, #4]\n"
    "   adds    r0, r0, r5\n"
    "   adds    r1, r0, r5\n"
    "   adds    r2, r1, r5\n"
    "   adds    r3, r2, r5\n"
    "   str     r3, [r7, #24]\n"
    "   movs    r4, #28\n"
    "   ldr     r6, [r7, #8]\n"
    "   muls    r6, r4\n"
    "   ldr     r4, =tt_v6m_dense_taps\n"
    "   add     r6, r4\n"
    "   ldr     r4, [r7]\n"
    "   negs    r5, r5\n"
    "   movs    r7, #0\n"
    "   mov     r8, r7\n"
    "   mov     r9, r7\n"
    "   mov     r10, r7\n"
    "   mov     r11, r7\n"
    "   mov     pc, r6\n"
    ".thumb_func\n"
    "tt_v6m_dense_taps:\n"
    TAP TAP TAP TAP TAP TAP TAP TAP
    "   bne     tt_v6m_dense_taps\n"
    "   mov     r0, r8\n"
    "   mov     r1, r9\n"
    "   mov     r2, r10\n"
    "   mov     r3, r11\n"
    "   push    {r0, r1, r2, r3}\n"
    "   ldr     r7, [sp, #16]\n"
    "   ldr     r1, [r7, #16]\n"
    "   mov     r9, r1\n"
    "   ldr     r1, [r7, #28]\n"
    "   mov     r11, r1\n"
    "   ldr     r6, [r7, #32]\n"
    OUTPUT("0")
    OUTPUT("1")
    OUTPUT("2")
    OUTPUT("3")
    "   ldr     r7, [sp]\n"
    "   mov     r1, r11\n"
    "   str     r1, [r7, #28]\n"
    "   adds    r6, #4\n"
    "   str     r6, [r7, #32]\n"
    "   ldr     r1, [r7, #20]\n"
    "   subs    r1, #4\n"
    "   str     r1, [r7, #20]\n"
    "   beq     3f\n"
    "   b       1b\n"
    "3:\n"
    TT_V6M_LEAVE
    TT_V6M_END("tt_v6m_dense"));
/* clang-format on */

static void multiply_groups(const tt_fast_dense *p, const int8_t *input, int32_t first,
                            int32_t count, int8_t *output)
{
    groups g = {
        .input_end = input + p->input_depth,
        .depth = p->input_depth,
        .skip = (ROUND - p->input_depth % ROUND) % ROUND,
        .low = p->activation_min,
        .high = p->activation_max,
        .count = count,
        .weights = p->weights + first * p->input_depth,
        .channels = p->channels + first,
        .output = output + first,
    };
    tt_v6m_dense(&g);
}

void tt_v6m_multiply(const tt_fast_dense *p, const int8_t *input, int8_t *output)
{
    if (p->output_depth < GROUP) {
        for (int32_t o = 0; o < p->output_depth; o++) {
            output[o] = tt_dense_output(p, input, o);
        }
        return;
    }
    multiply_groups(p, input, 0, p->output_depth / GROUP * GROUP, output);
    if (p->output_depth % GROUP != 0) {
        multiply_groups(p, input, p->output_depth - GROUP, GROUP, output); /* some once more */
    }
}

void tt_fast_fully_connected(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                             void *scratch)
{
    (void)scratch;
    tt_each_vector(p, input, output, tt_v6m_multiply);
}

#endif
