/* Fast CONV_2D with the vector extension: the windows of four pixels are laid side by side in the
 * scratch, and two output channels at a time take their sums over them. */
#include "mve.h"
#include "mve_window.h"

#if TT_KERNELS_MVE

#define PIXELS 4
#define GROUP (PIXELS * TT_LANES) /* bytes from a part of a window to its next part */

/* How the windows lie in the scratch: in parts of TT_LANES bytes, [part][pixel][TT_LANES]. Of the
 * first part only the first `head` bytes count, so that all others are full. */
typedef struct layout {
    int32_t head;  /* [1, TT_LANES] */
    int32_t parts; /* behind the first */
    int8_t *windows;
    int8_t *line; /* one window in a row, with room for TT_LANES - 1 bytes behind it */
} layout;

static layout layout_of(const tt_fast_convolution *p, int8_t *scratch)
{
    layout l;
    int32_t depth = p->kernel_height * p->kernel_width * p->input_channels;
    l.parts = (depth - 1) / TT_LANES;
    l.head = depth - l.parts * TT_LANES;
    l.windows = scratch;
    l.line = scratch + (l.parts + 1) * GROUP;
    return l;
}

/* A window in a row as one in parts. */
static inline void part(const layout *l, const int8_t *from, int8_t *to)
{
    vstrbq_s8(to, vldrbq_z_s8(from, vctp8q((uint32_t)l->head)));
    from += l->head;
    for (int32_t i = l->parts; i > 0; i--) {
        to += GROUP;
        vstrbq_s8(to, vldrbq_s8(from));
        from += TT_LANES;
    }
}

static void prepare(const tt_fast_convolution *p, const layout *l, const int8_t *input,
                    const tt_corner *c, int8_t *to)
{
    int32_t contiguous = p->kernel_height == 1 && c->top >= 0 && c->top < p->input_height &&
                         c->left >= 0 && c->left + p->kernel_width <= p->input_width;
    if (contiguous) {
        part(l, input + tt_pixel_at(p, c, c->top, c->left), to);
    } else if (p->input_channels % TT_LANES == 0) {
        tt_gather_window(p, input, c, to, GROUP);
    } else {
        tt_gather_window(p, input, c, l->line, TT_LANES);
        part(l, l->line, to);
    }
}

/* Sums of two channels, `even` and `odd`, over the four windows, without the start. */
typedef struct sums {
    int32x4_t even;
    int32x4_t odd;
} sums;

/* One part of the four windows: 128 products. */
#define PART                                                                                       \
    "vldrb.8 q0, [%[even]], #16\n\t"                                                               \
    "vldrb.8 q2, [%[x]], #16\n\t"                                                                  \
    "vmladava.s8 %[a0], q0, q2\n\t"                                                                \
    "vldrb.8 q1, [%[odd]], #16\n\t"                                                                \
    "vmladava.s8 %[b0], q1, q2\n\t"                                                                \
    "vldrb.8 q2, [%[x]], #16\n\t"                                                                  \
    "vmladava.s8 %[a1], q0, q2\n\t"                                                                \
    "vmladava.s8 %[b1], q1, q2\n\t"                                                                \
    "vldrb.8 q2, [%[x]], #16\n\t"                                                                  \
    "vmladava.s8 %[a2], q0, q2\n\t"                                                                \
    "vmladava.s8 %[b2], q1, q2\n\t"                                                                \
    "vldrb.8 q2, [%[x]], #16\n\t"                                                                  \
    "vmladava.s8 %[a3], q0, q2\n\t"                                                                \
    "vmladava.s8 %[b3], q1, q2\n\t"

/* Sums are in all the even registers, which is what vmladava takes; the link register is one of
 * them, so the loop cannot be a low-overhead one, and compilers that make it one spill. In odd
 * registers: even, odd, and two that hold the layout and the head's bytes, then x and the parts to
 * come. q0 and q1: weights, q2: x. */
static inline sums multiply(const layout *l, const int8_t *even, const int8_t *odd)
{
    const void *x = l;
    int32_t parts;
    int32_t a0, a1, a2, a3, b0, b1, b2, b3;
    __asm volatile("ldr %[parts], [%[x]]\n\t"
                   "vctp.8 %[parts]\n\t"
                   "vpstt\n\t"
                   "vldrbt.u8 q0, [%[even]]\n\t"
                   "vldrbt.u8 q1, [%[odd]]\n\t"
                   "add %[even], %[even], %[parts]\n\t"
                   "add %[odd], %[odd], %[parts]\n\t"
                   "ldrd %[parts], %[x], [%[x], #4]\n\t"
                   "vldrb.8 q2, [%[x]], #16\n\t"
                   "vmladav.s8 %[a0], q0, q2\n\t"
                   "vmladav.s8 %[b0], q1, q2\n\t"
                   "vldrb.8 q2, [%[x]], #16\n\t"
                   "vmladav.s8 %[a1], q0, q2\n\t"
                   "vmladav.s8 %[b1], q1, q2\n\t"
                   "vldrb.8 q2, [%[x]], #16\n\t"
                   "vmladav.s8 %[a2], q0, q2\n\t"
                   "vmladav.s8 %[b2], q1, q2\n\t"
                   "vldrb.8 q2, [%[x]], #16\n\t"
                   "vmladav.s8 %[a3], q0, q2\n\t"
                   "vmladav.s8 %[b3], q1, q2\n\t"
                   /* The parts two by two, behind an odd one; nothing in PART sets flags. */
                   "lsrs %[parts], %[parts], #1\n\t"
                   "bcc 1f\n\t" PART "1:\n\t"
                   "beq 3f\n"
                   "2:\n\t" PART PART "subs %[parts], %[parts], #1\n\t"
                   "bne 2b\n"
                   "3:\n\t"
                   : [x] "+r"(x), [even] "+r"(even), [odd] "+r"(odd), [parts] "=&r"(parts),
                     [a0] "=&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [a3] "=&Te"(a3),
                     [b0] "=&Te"(b0), [b1] "=&Te"(b1), [b2] "=&Te"(b2), [b3] "=&Te"(b3)
                   :
                   : "q0", "q1", "q2", "p0", "cc", "memory");
    sums s = {tt_lanes_of(a0, a1, a2, a3), tt_lanes_of(b0, b1, b2, b3)};
    return s;
}

static inline int32x4_t outputs(const tt_channel *channel, int32x4_t sums)
{
    return tt_scale_sums(channel, vaddq_n_s32(sums, channel->start));
}

/* The outputs of the first `count` windows, from which on nothing of the input is read. */
static void pixels(const tt_fast_convolution *p, const layout *l, int32_t count, int8_t *output)
{
    int32_t channels = p->output_channels;
    int32_t depth = l->head + l->parts * TT_LANES;
    int32x4_t low = vdupq_n_s32(p->activation_min);
    int32x4_t high = vdupq_n_s32(p->activation_max);
    uint32x4_t offsets = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)channels);
    mve_pred16_t present = vctp32q((uint32_t)count);
    const int8_t *weights = p->weights;
    const tt_channel *channel = p->channels;
    for (int32_t o = 0; o < channels; o += 2) {
        /* A last channel alone is its own neighbour. */
        int32_t next = o + 1 < channels;
        sums s = multiply(l, weights, weights + next * depth);
        int32x4_t even = outputs(channel, s.even);
        int32x4_t odd = outputs(channel + next, s.odd);
        even = vminq_s32(vmaxq_s32(even, low), high);
        odd = vminq_s32(vmaxq_s32(odd, low), high);
        vstrbq_scatter_offset_p_s32(output, offsets, even, present);
        vstrbq_scatter_offset_p_s32(output + next, offsets, odd, present);
        weights += 2 * depth;
        channel += 2;
        output += 2;
    }
}

void tt_fast_conv_2d(const tt_fast_convolution *p, const tt_rows *rows, const int8_t *input,
                     int8_t *output, void *scratch)
{
    tt_rows r = tt_rows_of(p, rows);
    layout l = layout_of(p, scratch);
    int32_t count = 0;
    for (int32_t y = r.first; y < r.end; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            tt_corner c = {y * p->stride_height - p->pad_top, x * p->stride_width - p->pad_left,
                           r.input_first};
            prepare(p, &l, input, &c, l.windows + count * TT_LANES);
            count++;
            if (count == PIXELS) {
                pixels(p, &l, count, output);
                output += PIXELS * p->output_channels;
                count = 0;
            }
        }
    }
    if (count > 0) {
        pixels(p, &l, count, output);
    }
}

#endif
