/* Fast CONV_2D for ARMv6-M. */
#include "gather.h"

#if TT_KERNELS_V6M

/* Two products a multiplication. With weights w0, w2 and window bytes x0, x2,
 *
 *   (w2 * 2^16 - w0) * (x2 - x0 * 2^16) = (w0 * x0 + w2 * x2) * 2^16 - w0 * x2   modulo 2^32
 *
 * and its upper half, rounded to nearest, is the sum of products: |w0 * x2| < 2^15, and the whole
 * lies in the int32 range for all int8 numbers: the sum is 2^15 only if all four are -128, and then
 * w0 * x2 is positive. The shift by 16 leaves the bit that rounds in the carry. (With plus instead
 * of minus, that case would overflow.)
 *
 * The windows of four pixels are packed so once for all channels: of every four taps the pixels'
 * words of taps 0 and 2, then those of 1 and 3. The weights are packed on the way, four a word; a
 * byte's sign is made to disappear by 128 + b, or 127 - b where the negative is wanted, each one
 * exclusive or.
 */

/* All channels of four pixels. */
typedef struct tt_v6m_block {
    const int8_t *packed;
    const int8_t *packed_end;
    const int8_t *weights; /* on a word, [count][4 * groups of taps] */
    const tt_channel *channels;
    int8_t *output;
    int32_t stride; /* from pixel to pixel of the output */
    int32_t count;
    int32_t low;
    int32_t high;
    int32_t odd; /* whether there is an odd number of groups */
} tt_v6m_block;

void tt_v6m_convolution(tt_v6m_block *block);

/* Packs a window into every fourth word from `packed`. */
void tt_v6m_pack(int8_t *packed, const int8_t *window, const int8_t *window_end);

/* r0 packed, r1 window, r2 16, r3 four taps, r4 two of them, r5 for the signs, r6 mask of two
 * bytes, r7 what the signs' change added, r12 end of the window. */
/* clang-format off */
__asm(TT_V6M_FUNCTION("tt_v6m_pack")
    "   push    {r4, r5, r6, r7, lr}\n"
    "   mov     r12, r2\n"
    "   movs    r2, #16\n"
    "   ldr     r5, =0x7f7f8080\n"
    "   ldr     r6, =0x00ff00ff\n"
    "   ldr     r7, =0x007f0080\n"
    "1: ldmia   r1!, {r3}\n"
    "   rors    r3, r2\n"
    "   eors    r3, r5\n"
    "   movs    r4, r6\n"
    "   ands    r4, r3\n"
    "   subs    r3, r3, r4\n"
    "   lsrs    r3, r3, #8\n"
    "   subs    r4, r4, r7\n"
    "   subs    r3, r3, r7\n"
    "   str     r4, [r0]\n"
    "   str     r3, [r0, #16]\n"
    "   adds    r0, #32\n"
    "   cmp     r1, r12\n"
    "   bne     1b\n"
    "   pop     {r4, r5, r6, r7, pc}\n"
    TT_V6M_END("tt_v6m_pack"));
/* clang-format on */

/* clang-format off */
/* Two taps of four pixels, their weights in r5. */
#define PAIR                                                                                       \
    "   ldmia   r0!, {r6, r7}\n"                                                                   \
    "   muls    r6, r5\n"                                                                          \
    "   asrs    r6, r6, #16\n"                                                                     \
    "   adcs    r1, r6\n"                                                                          \
    "   muls    r7, r5\n"                                                                          \
    "   asrs    r7, r7, #16\n"                                                                     \
    "   adcs    r2, r7\n"                                                                          \
    "   ldmia   r0!, {r6, r7}\n"                                                                   \
    "   muls    r6, r5\n"                                                                          \
    "   asrs    r6, r6, #16\n"                                                                     \
    "   adcs    r3, r6\n"                                                                          \
    "   muls    r7, r5\n"                                                                          \
    "   asrs    r7, r7, #16\n"                                                                     \
    "   adcs    r4, r7\n"

/* Four taps, their weights in r6 with the signs changed. */
#define FOUR                                                                                       \
    "   ldr     r5, =0x00ff00ff\n"                                                                 \
    "   ands    r5, r6\n"                                                                          \
    "   subs    r6, r6, r5\n"                                                                      \
    "   mov     r12, r6\n"                                                                         \
    "   add     r5, r11\n"                                                                         \
    PAIR                                                                                           \
    "   mov     r5, r12\n"                                                                         \
    "   lsrs    r5, r5, #8\n"                                                                      \
    "   add     r5, r11\n"                                                                         \
    PAIR

/* Four taps: 41 instructions for 16 products. */
#define GROUP                                                                                      \
    "   mov     r5, r8\n"                                                                          \
    "   ldmia   r5!, {r6}\n"                                                                       \
    "   mov     r8, r5\n"                                                                          \
    "   ldr     r5, =0x80807f7f\n"                                                                 \
    "   eors    r6, r5\n"                                                                          \
    FOUR

/* Eight taps: 80 instructions for 32 products. */
#define GROUPS                                                                                     \
    "   mov     r5, r8\n"                                                                          \
    "   ldmia   r5!, {r6, r7}\n"                                                                   \
    "   mov     r8, r5\n"                                                                          \
    "   ldr     r5, =0x80807f7f\n"                                                                 \
    "   eors    r6, r5\n"                                                                          \
    "   eors    r7, r5\n"                                                                          \
    "   mov     r9, r7\n"                                                                          \
    FOUR                                                                                           \
    "   mov     r6, r9\n"                                                                          \
    FOUR

/* One pixel's output, from the stack. */
#define OUTPUT                                                                                     \
    "   pop     {r0}\n"                                                                            \
    TT_V6M_SCALE                                                                                   \
    TT_V6M_STORE("lr", "r9", "0")                                                                       \
    "   add     r6, r10\n"

/* Products:                                 Outputs:
 *   r0        packed windows, lr their end    as TT_V6M_SCALE says
 *   r1 to r4  sums                            r6   output
 *   r5        two weights                     lr   lowest, r9 highest
 *   r6, r7    two taps of two pixels
 *   r8        weights, r9 the next four
 *   r10       from pixel to pixel of the output
 *   r11       minus what the signs' change added
 *   r12       weights of taps 1 and 3
 */
__asm(TT_V6M_FUNCTION("tt_v6m_convolution")
    TT_V6M_ENTER
    "   ldr     r1, [r0, #8]\n"
    "   mov     r8, r1\n"
    "   ldr     r1, [r0, #20]\n"
    "   mov     r10, r1\n"
    "   ldr     r1, =-0x0080007f\n"
    "   mov     r11, r1\n"
    "1: ldr     r7, [sp]\n"
    "   ldr     r0, [r7]\n"
    "   ldr     r5, [r7, #4]\n"
    "   mov     lr, r5\n"
    "   ldr     r6, [r7, #12]\n"
    "   ldr     r1, [r6]\n"
    "   movs    r2, r1\n"
    "   movs    r3, r1\n"
    "   movs    r4, r1\n"
    "   ldr     r5, [r7, #36]\n"
    "   cmp     r5, #0\n"
    "   beq     2f\n"
    GROUP
    "   cmp     r0, lr\n"
    "   beq     3f\n"
    "2:\n"
    GROUPS
    "   cmp     r0, lr\n"
    "   bne     2b\n"
    "3:\n"
    "   push    {r1, r2, r3, r4}\n"
    "   ldr     r0, [sp, #16]\n"
    "   ldr     r1, [r0, #28]\n"
    "   mov     lr, r1\n"
    "   ldr     r1, [r0, #32]\n"
    "   mov     r9, r1\n"
    "   ldr     r6, [r0, #12]\n"
    "   ldmia   r6!, {r1, r4, r5, r7}\n"
    "   str     r6, [r0, #12]\n"
    "   mov     r12, r5\n"
    "   uxth    r5, r4\n"
    "   lsrs    r4, r4, #16\n"
    "   ldr     r6, [r0, #16]\n"
    "   adds    r1, r6, #1\n"
    "   str     r1, [r0, #16]\n"
    OUTPUT
    OUTPUT
    OUTPUT
    OUTPUT
    "   ldr     r7, [sp]\n"
    "   ldr     r1, [r7, #24]\n"
    "   subs    r1, #1\n"
    "   str     r1, [r7, #24]\n"
    "   beq     4f\n"
    "   b       1b\n"
    "4:\n"
    TT_V6M_LEAVE
    TT_V6M_END("tt_v6m_convolution"));
/* clang-format on */

/* What a call works with. */
typedef struct work {
    const tt_fast_convolution *p;
    int32_t depth;
    int8_t *packed;
    int8_t *window;        /* one, or one channel's weights; zeros fill its last word */
    const int8_t *weights; /* rows that begin on a word, or NULL */
} work;

/* The outputs of the four packed pixels. */
static void convolve_block(const work *w, int8_t *output)
{
    const tt_fast_convolution *p = w->p;
    int32_t groups = (w->depth + 3) / 4;
    tt_v6m_block block = {
        .packed = w->packed,
        .packed_end = w->packed + 32 * groups,
        .weights = w->weights,
        .channels = p->channels,
        .output = output,
        .stride = p->output_channels,
        .count = p->output_channels,
        .low = p->activation_min,
        .high = p->activation_max,
        .odd = groups % 2,
    };
    if (w->weights != NULL) {
        tt_v6m_convolution(&block);
        return;
    }
    for (int32_t o = 0; o < p->output_channels; o++) {
        tt_v6m_copy(w->window, p->weights + o * w->depth, w->depth);
        block.weights = w->window;
        block.count = 1;
        tt_v6m_convolution(&block);
    }
}

/* The outputs of one pixel. */
static void convolve_pixel(const work *w, const int8_t *window, int8_t *output)
{
    const tt_fast_convolution *p = w->p;
    tt_fast_dense dense = {
        .rows = 1,
        .input_depth = w->depth,
        .output_depth = p->output_channels,
        .activation_min = p->activation_min,
        .activation_max = p->activation_max,
        .weights = p->weights,
        .channels = p->channels,
    };
    tt_v6m_multiply(&dense, window, output);
}

/* Packs a window as pixel `number` of four. */
static void pack(const work *w, const int8_t *window, int32_t number)
{
    if (((uintptr_t)window | (uint32_t)w->depth) % 4 != 0 && window != w->window) {
        tt_v6m_copy(w->window, window, w->depth);
        window = w->window;
    }
    tt_v6m_pack(w->packed + 4 * number, window, window + TT_FAST_WORDS(w->depth));
}

/* Rows of weights that begin on words: the layer's, or copies where there is scratch for them. */
static const int8_t *rows_on_words(const tt_fast_convolution *p, int32_t depth, int8_t *copies)
{
    if (depth % 4 == 0) {
        return p->weights;
    }
    if (TT_V6M_COPIED_WEIGHTS(depth, p->output_channels) == 0) {
        return NULL;
    }
    for (int32_t o = 0; o < p->output_channels; o++) {
        tt_v6m_copy(copies + o * TT_FAST_WORDS(depth), p->weights + o * depth, depth);
    }
    return copies;
}

void tt_fast_conv_2d(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                     int8_t *output, void *scratch)
{
    tt_band r = tt_band_of(p, band);
    int32_t depth = p->kernel_height * p->kernel_width * p->input_channels;
    int32_t words = TT_FAST_WORDS(depth);
    int8_t *window = (int8_t *)scratch + 8 * words;
    work w = {p, depth, scratch, window, rows_on_words(p, depth, window + words)};
    memset(window + words - 4, 0, 4);
    int32_t pixels = (r.end - r.first) * p->output_width;
    int32_t blocks_end = pixels / 4 * 4;
    tt_position at = {r.first, 0};
    for (int32_t pixel = 0; pixel < pixels; pixel++) {
        const int8_t *found = tt_window_of(p, r.input_first, input, at, window);
        if (pixel >= blocks_end) {
            convolve_pixel(&w, found, output);
            output += p->output_channels;
        } else {
            pack(&w, found, pixel % 4);
            if (pixel % 4 == 3) {
                convolve_block(&w, output);
                output += 4 * p->output_channels;
            }
        }
        at = tt_next_position(p, at);
    }
}

#endif
