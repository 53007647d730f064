/* Fast DEPTHWISE_CONV_2D for ARMv6-M. */
#include "gather.h"

#if TT_KERNELS_V6M

/* All channels of two pixels. */
typedef struct tt_v6m_pair {
    const int8_t *first;  /* window, [taps][channels] */
    const int8_t *second; /* window */
    const int8_t *weights;
    int32_t channel;
    const tt_channel *channels;
    int8_t *output;
    int32_t count;  /* of channels */
    int32_t bytes;  /* of a window */
    int32_t stride; /* from the first pixel's output to the second's */
    int32_t low;
    int32_t high;
    int32_t skip; /* taps that the first round leaves out, 9 a round */
    uint32_t entry;
} tt_v6m_pair;

void tt_v6m_depthwise(tt_v6m_pair *pair);

/* Products:                                 Outputs:
 *   r0, r1  windows, r2 weights               as TT_V6M_SCALE says
 *   r3      index, a pixel further each tap   r6   output
 *   r4, r5  of a window, of the weights       lr   lowest, r10 highest
 *   r6, r7  sums                              r11  from pixel to pixel
 *   r8      channels, r9 behind the last tap, r12 where the loop is entered
 */
#define TAP                                                                                        \
    "   ldrsb   r5, [r2, r3]\n"                                                                    \
    "   ldrsb   r4, [r0, r3]\n"                                                                    \
    "   muls    r4, r5\n"                                                                          \
    "   adds    r6, r6, r4\n"                                                                      \
    "   ldrsb   r4, [r1, r3]\n"                                                                    \
    "   muls    r4, r5\n"                                                                          \
    "   adds    r7, r7, r4\n"                                                                      \
    "   add     r3, r8\n"

/* clang-format off */
__asm(TT_V6M_FUNCTION("tt_v6m_depthwise")
    TT_V6M_ENTER
    "   ldr     r1, [r0, #24]\n"
    "   mov     r8, r1\n"
    "   ldr     r1, [r0, #28]\n"
    "   mov     r9, r1\n"
    "   ldr     r1, [r0, #32]\n"
    "   mov     r11, r1\n"
    "   ldr     r1, [r0, #36]\n"
    "   mov     lr, r1\n"
    "   ldr     r1, [r0, #40]\n"
    "   mov     r10, r1\n"
    "   ldr     r1, [r0, #44]\n"
    "   lsls    r1, r1, #4\n" /* a tap is 16 bytes of code */
    "   ldr     r2, =tt_v6m_depthwise_taps\n"
    "   adds    r1, r1, r2\n"
    "   str     r1, [r0, #48]\n"
    "1: ldr     r7, [sp]\n"
    "   ldr     r4, [r7, #48]\n"
    "   mov     r12, r4\n"
    "   ldmia   r7!, {r0, r1, r2, r3, r4}\n"
    "   ldr     r6, [r4]\n"
    "   movs    r7, r6\n"
    "   mov     pc, r12\n"
    ".thumb_func\n"
    "tt_v6m_depthwise_taps:\n"
    TAP
    TAP
    TAP
    TAP
    TAP
    TAP
    TAP
    TAP
    TAP
    "   cmp     r3, r9\n"
    "   bne     tt_v6m_depthwise_taps\n"
    "   push    {r6, r7}\n"
    "   movs    r3, #1\n"
    "   add     r9, r3\n"
    "   ldr     r0, [sp, #8]\n"
    "   ldr     r1, [r0, #12]\n"
    "   adds    r1, #1\n"
    "   str     r1, [r0, #12]\n"
    "   ldr     r6, [r0, #16]\n"
    "   ldmia   r6!, {r1, r4, r5, r7}\n"
    "   str     r6, [r0, #16]\n"
    "   mov     r12, r5\n"
    "   uxth    r5, r4\n"
    "   lsrs    r4, r4, #16\n"
    "   ldr     r6, [r0, #20]\n"
    "   adds    r1, r6, #1\n"
    "   str     r1, [r0, #20]\n"
    "   pop     {r0}\n"
    TT_V6M_SCALE
    TT_V6M_STORE("lr", "r10", "0")
    "   add     r6, r11\n"
    "   pop     {r0}\n"
    TT_V6M_SCALE
    TT_V6M_STORE("lr", "r10", "0")
    "   ldr     r7, [sp]\n"
    "   ldr     r1, [r7, #12]\n"
    "   cmp     r1, r8\n"
    "   beq     2f\n"
    "   b       1b\n"
    "2:\n"
    TT_V6M_LEAVE
    TT_V6M_END("tt_v6m_depthwise"));
/* clang-format on */

void tt_fast_depthwise_conv_2d(const tt_fast_convolution *p, const tt_band *band,
                               const int8_t *input, int8_t *output, void *scratch)
{
    tt_band r = tt_band_of(p, band);
    int32_t taps = p->kernel_height * p->kernel_width;
    int32_t bytes = taps * p->input_channels;
    int32_t pixels = (r.end - r.first) * p->output_width;
    int8_t *window[2] = {scratch, (int8_t *)scratch + TT_FAST_WORDS(bytes)};
    tt_v6m_pair pair = {
        .first = window[0],
        .weights = p->weights,
        .count = p->input_channels,
        .bytes = bytes,
        .low = p->activation_min,
        .high = p->activation_max,
        .skip = (9 - taps % 9) % 9,
    };
    tt_position at = {r.first, 0};
    for (int32_t pixel = 0; pixel < pixels; pixel += 2) {
        int32_t count = tt_min(pixels - pixel, 2);
        for (int32_t i = 0; i < count; i++) {
            tt_gather_window(p, r.input_first, input, at, window[i]);
            at = tt_next_position(p, at);
        }
        pair.second = window[count - 1];
        pair.stride = count == 2 ? p->output_channels : 0;
        pair.channel = 0;
        pair.channels = p->channels;
        pair.output = output;
        tt_v6m_depthwise(&pair);
        output += 2 * p->output_channels;
    }
}

#endif
