/* Fast DEPTHWISE_CONV_2D for ARMv6-M. */
#include "gather.h"

#if TT_KERNELS_V6M

enum {
    PAIR_TAPS = 9, /* of a round of the loop */
};

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
    int32_t skip; /* taps that the first round leaves out */
    uint32_t entry;
} tt_v6m_pair;

void tt_v6m_depthwise(tt_v6m_pair *pair);

/* clang-format off */
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

/* All channels of four neighbouring pixels, 3 x 3 with stride 1. */
typedef struct tt_v6m_strip {
    const int8_t *window[4]; /* in [3][columns][channels] */
    const int8_t *weights;
    int32_t channel;
    int32_t count;   /* of channels */
    int32_t row_end; /* from a row's last tap to the next row's first: (columns - 2) * channels */
    const tt_channel *channels;
    int8_t *output;
    int32_t low;
    int32_t high;
} tt_v6m_strip;

void tt_v6m_depthwise_strip(tt_v6m_strip *strip);

/* clang-format off */
/* One tap of four pixels. */
#define TAP_4                                                                                      \
    "   ldrsb   r7, [r4, r5]\n"                                                                    \
    "   ldrsb   r6, [r0, r5]\n"                                                                    \
    "   muls    r6, r7\n"                                                                          \
    "   add     r8, r6\n"                                                                          \
    "   ldrsb   r6, [r1, r5]\n"                                                                    \
    "   muls    r6, r7\n"                                                                          \
    "   add     r9, r6\n"                                                                          \
    "   ldrsb   r6, [r2, r5]\n"                                                                    \
    "   muls    r6, r7\n"                                                                          \
    "   add     r10, r6\n"                                                                         \
    "   ldrsb   r6, [r3, r5]\n"                                                                    \
    "   muls    r6, r7\n"                                                                          \
    "   add     r11, r6\n"

#define NEXT_TAP                                                                                   \
    "   add     r5, r12\n"

/* The index steps over what is between the strip's rows; weights have nothing there. */
#define NEXT_ROW                                                                                   \
    "   add     r5, lr\n"                                                                          \
    "   mov     r6, lr\n"                                                                          \
    "   subs    r4, r4, r6\n"                                                                      \
    "   add     r4, r12\n"

#define OUTPUT                                                                                     \
    "   pop     {r0}\n"                                                                            \
    TT_V6M_SCALE                                                                                   \
    TT_V6M_STORE("lr", "r9", "0")                                                                  \
    "   add     r6, r10\n"

/* Products:                                 Outputs:
 *   r0 to r3   windows                        as TT_V6M_SCALE says
 *   r4         weights                        r6   output
 *   r5         index                          lr   lowest, r9 highest
 *   r6, r7     of a window, of the weights    r10  from pixel to pixel
 *   r8 to r11  sums
 *   r12        from tap to tap, lr from row to row
 */
__asm(TT_V6M_FUNCTION("tt_v6m_depthwise_strip")
    TT_V6M_ENTER
    "1: ldr     r7, [sp]\n"
    "   ldmia   r7!, {r0, r1, r2, r3, r4, r5, r6}\n"
    "   mov     r12, r6\n"
    "   ldmia   r7!, {r6}\n"
    "   mov     lr, r6\n"
    "   ldr     r6, [r7]\n"
    "   ldr     r6, [r6]\n"
    "   mov     r8, r6\n"
    "   mov     r9, r6\n"
    "   mov     r10, r6\n"
    "   mov     r11, r6\n"
    TAP_4 NEXT_TAP TAP_4 NEXT_TAP TAP_4 NEXT_ROW
    TAP_4 NEXT_TAP TAP_4 NEXT_TAP TAP_4 NEXT_ROW
    TAP_4 NEXT_TAP TAP_4 NEXT_TAP TAP_4
    "   mov     r0, r8\n"
    "   mov     r1, r9\n"
    "   mov     r2, r10\n"
    "   mov     r3, r11\n"
    "   push    {r0, r1, r2, r3}\n"
    "   ldr     r0, [sp, #16]\n"
    "   ldr     r1, [r0, #20]\n"
    "   adds    r1, #1\n"
    "   str     r1, [r0, #20]\n"
    "   mov     r10, r12\n"
    "   ldr     r1, [r0, #40]\n"
    "   mov     lr, r1\n"
    "   ldr     r1, [r0, #44]\n"
    "   mov     r9, r1\n"
    "   ldr     r6, [r0, #32]\n"
    "   ldmia   r6!, {r1, r4, r5, r7}\n"
    "   str     r6, [r0, #32]\n"
    "   mov     r12, r5\n"
    "   uxth    r5, r4\n"
    "   lsrs    r4, r4, #16\n"
    "   ldr     r6, [r0, #36]\n"
    "   adds    r1, r6, #1\n"
    "   str     r1, [r0, #36]\n"
    OUTPUT
    OUTPUT
    OUTPUT
    OUTPUT
    "   ldr     r7, [sp]\n"
    "   ldr     r1, [r7, #20]\n"
    "   cmp     r1, r10\n"
    "   beq     2f\n"
    "   b       1b\n"
    "2:\n"
    TT_V6M_LEAVE
    TT_V6M_END("tt_v6m_depthwise_strip"));
/* clang-format on */

enum {
    STRIP = 4,             /* pixels */
    STRIP_COLUMNS = 4 + 2, /* of the input: three rows of them take as much as two windows */
};

/* What a call works with. */
typedef struct work {
    const tt_fast_convolution *p;
    const int8_t *input;
    int32_t input_first;
    int8_t *scratch;
} work;

static void convolve_strip(const work *w, tt_position at, int8_t *output)
{
    const tt_fast_convolution *p = w->p;
    int32_t channels = p->input_channels;
    int8_t *first = w->scratch;
    tt_gather_strip(p, w->input_first, w->input, at, STRIP_COLUMNS, first);
    tt_v6m_strip strip = {
        .window = {first, first + channels, first + 2 * channels, first + 3 * channels},
        .weights = p->weights,
        .count = channels,
        .row_end = (STRIP_COLUMNS - 2) * channels,
        .channels = p->channels,
        .output = output,
        .low = p->activation_min,
        .high = p->activation_max,
    };
    tt_v6m_depthwise_strip(&strip);
}

/* The pixel `at` and, where `count` is 2, the one after it. */
static void convolve_pair(const work *w, tt_position at, int32_t count, int8_t *output)
{
    const tt_fast_convolution *p = w->p;
    int32_t taps = p->kernel_height * p->kernel_width;
    int32_t bytes = taps * p->input_channels;
    int8_t *second = w->scratch;
    tt_gather_window(p, w->input_first, w->input, at, w->scratch);
    if (count == 2) {
        second += TT_FAST_WORDS(bytes);
        tt_gather_window(p, w->input_first, w->input, tt_next_position(p, at), second);
    }
    tt_v6m_pair pair = {
        .first = w->scratch,
        .second = second,
        .weights = p->weights,
        .channels = p->channels,
        .output = output,
        .count = p->input_channels,
        .bytes = bytes,
        .stride = count == 2 ? p->input_channels : 0,
        .low = p->activation_min,
        .high = p->activation_max,
        .skip = (PAIR_TAPS - taps % PAIR_TAPS) % PAIR_TAPS,
    };
    tt_v6m_depthwise(&pair);
}

void tt_fast_depthwise_conv_2d(const tt_fast_convolution *p, const tt_band *band,
                               const int8_t *input, int8_t *output, void *scratch)
{
    tt_band r = tt_band_of(p, band);
    work w = {p, input, r.input_first, scratch};
    int32_t strips = p->kernel_height == 3 && p->kernel_width == 3 && p->stride_width == 1;
    int32_t pixels = (r.end - r.first) * p->output_width;
    tt_position at = {r.first, 0};
    while (pixels > 0) {
        int32_t count = tt_min(pixels, 2);
        if (strips && at.x + STRIP <= p->output_width) {
            convolve_strip(&w, at, output);
            count = STRIP;
        } else {
            convolve_pair(&w, at, count, output);
        }
        output += count * p->input_channels;
        pixels -= count;
        at.x += count;
        while (at.x >= p->output_width) {
            at.x -= p->output_width;
            at.y++;
        }
    }
}

#endif
