/* Fast CONV_2D with the vector extension: the windows of four pixels are laid side by side in the
 * scratch, and two output channels at a time take their sums over them. */
#include "mve.h"
#include "mve_window.h"

#if TT_KERNELS_MVE

#define PIXELS 4
#define GROUP (PIXELS * TT_LANES) /* bytes from a part of a window to its next part */

/* The most channels that four pixels' outputs can be apart, for offsets of 16 bits. */
#define MOST_CHANNELS (UINT16_MAX / PIXELS)

/* How the windows lie in the scratch: in parts of TT_LANES bytes, [part][pixel][TT_LANES]. All
 * parts are full but the first, which ends with the lanes of `present`. Laid out for assembly. */
typedef struct layout {
    int8_t *windows;
    int32_t parts;   /* behind the first */
    int32_t absent;  /* lanes of the first part, [0, TT_LANES) */
    int32_t depth;   /* bytes from one channel's weights to the next one's */
    int32_t present; /* a bit a lane of the first part */
    const tt_channel *end;
    int32_t low;
    int32_t high;
    uint16_t offsets[2 * PIXELS]; /* of the outputs: of both channels of a pixel, pixel by pixel */
    int8_t *line;                 /* a window in a row, with room for a vector behind it */
} layout;

static void lay_out(const tt_fast_convolution *p, int8_t *scratch, layout *l)
{
    l->depth = p->kernel_height * p->kernel_width * p->input_channels;
    l->parts = (l->depth - 1) / TT_LANES;
    l->absent = (l->parts + 1) * TT_LANES - l->depth;
    l->present = 0xffff & (int32_t)(0xffffu << l->absent);
    l->low = p->activation_min;
    l->high = p->activation_max;
    l->windows = scratch;
    l->line = scratch + (l->parts + 1) * GROUP;
}

/* A window in a row as one in parts, of which the first has `head` bytes. */
static inline void divide(int32_t head, int32_t parts, const int8_t *from, int8_t *to)
{
    mve_pred16_t lanes = vctp8q((uint32_t)head);
    vstrbq_p_s8(to + (TT_LANES - head), vldrbq_z_s8(from, lanes), lanes);
    from += head;
    for (int32_t i = parts; i > 0; i--) {
        to += GROUP;
        vstrbq_s8(to, vldrbq_s8(from));
        from += TT_LANES;
    }
}

/* What stays the same from window to window; a copy by value, since the compiler has to take it
 * that any byte that is written changes what a pointer leads to. */
typedef struct shape {
    int32_t rows;
    int32_t width; /* bytes of a window's row */
    int32_t pitch; /* bytes of an input row */
    int32_t head;  /* bytes of the first part */
    int32_t parts;
    int8_t *line;
} shape;

/* A window that lies inside the input. */
static inline void prepare_inside(shape s, const int8_t *from, int8_t *to)
{
    if (s.rows == 1) {
        divide(s.head, s.parts, from, to);
    } else if (s.width % TT_LANES == 0) {
        for (int32_t row = s.rows; row > 0; row--) {
            const int8_t *a = from;
            for (int32_t i = s.width / TT_LANES; i > 0; i--) {
                vstrbq_s8(to, vldrbq_s8(a));
                a += TT_LANES;
                to += GROUP;
            }
            from += s.pitch;
        }
    } else {
        tt_copy_rows(from, s.pitch, s.line, s.width, TT_LANES, s.width, s.rows);
        divide(s.head, s.parts, s.line, to);
    }
}

/* One that does not. */
static void prepare_edge(const tt_fast_convolution *p, const shape *s, const tt_place *w,
                         const int8_t *from, int8_t *to)
{
    if (p->input_channels % TT_LANES == 0) {
        tt_copy_window(p, w, from, to, GROUP);
    } else {
        tt_copy_window(p, w, from, s->line, TT_LANES);
        divide(s->head, s->parts, s->line, to);
    }
}

/* 128 products of a part: the next of the weights at r1 and r3 and of the windows at r9. */
#define PART(MULTIPLY)                                                                             \
    "vldrb.8 q2, [r9], #16\n\t" MULTIPLY " r0, q0, q2\n\t" MULTIPLY " r2, q1, q2\n\t"              \
    "vldrb.8 q2, [r9], #16\n\t" MULTIPLY " r4, q0, q2\n\t" MULTIPLY " r6, q1, q2\n\t"              \
    "vldrb.8 q2, [r9], #16\n\t" MULTIPLY " r8, q0, q2\n\t" MULTIPLY " r10, q1, q2\n\t"             \
    "vldrb.8 q2, [r9], #16\n\t" MULTIPLY " r12, q0, q2\n\t" MULTIPLY " lr, q1, q2\n\t"
#define NEXT_PART                                                                                  \
    "vldrb.8 q0, [r1], #16\n\t"                                                                    \
    "vldrb.8 q1, [r3], #16\n\t" PART("vmladava.s8")

/* Outputs of four pixels, of the channels from `channels` to the layout's end, two by two.
 *
 * r0, r4, r8, r12: sums of the first channel, a pixel each; r2, r6, r10, lr: of the second. These
 * are all the even registers, which vmladava needs, and so the loop cannot be a low-overhead one.
 * r1, r3: weights of both; r5: channels; r7: output; r9: windows; r11: parts to come; [sp]: layout.
 * q0, q1: weights, then sums of both; q2: window; q5: lowest, q6: highest output; q7: offsets.
 * VPR: the lanes present in the first part. */
#define UNNAMED __attribute__((unused))
__attribute__((naked, noipa)) static void outputs(UNNAMED const layout *l,
                                                  UNNAMED const int8_t *weights,
                                                  UNNAMED const tt_channel *channels,
                                                  UNNAMED int8_t *output)
{
    __asm volatile("push {r0, r4-r11, lr}\n\t"
                   "vpush {d8-d15}\n\t"
                   "sub sp, #8\n\t"
                   "str r0, [sp]\n\t"
                   "mov r5, r2\n\t"
                   "mov r7, r3\n\t"
                   "ldrd r2, r4, [r0, #8]\n\t"
                   "subs r1, r1, r2\n\t"
                   "adds r3, r1, r4\n\t"
                   "ldr r2, [r0, #16]\n\t"
                   "vmsr p0, r2\n\t"
                   "ldrd r2, r4, [r0, #24]\n\t"
                   "vdup.16 q5, r2\n\t"
                   "vdup.16 q6, r4\n\t"
                   "add r2, r0, #32\n\t"
                   "vldrh.16 q7, [r2]\n\t"
                   "ldrd r9, r11, [r0]\n"
                   "1:\n\t"
                   "vpstt\n\t"
                   "vldrbt.u8 q0, [r1], #16\n\t"
                   "vldrbt.u8 q1, [r3], #16\n\t" PART("vmladav.s8")
                   /* The others two by two, behind an odd one; nothing in a part sets flags. */
                   "lsrs r11, r11, #1\n\t"
                   "bcc 2f\n\t" NEXT_PART "2:\n\t"
                   "beq 4f\n"
                   "3:\n\t" NEXT_PART NEXT_PART "subs r11, r11, #1\n\t"
                   "bne 3b\n"
                   "4:\n\t"
                   "vmov q0[2], q0[0], r0, r8\n\t"
                   "vmov q0[3], q0[1], r4, r12\n\t"
                   "vmov q1[2], q1[0], r2, r10\n\t"
                   "vmov q1[3], q1[1], r6, lr\n\t"
                   /* Of both channels: start, multiplier, rounding, shift. */
                   "ldm r5!, {r0, r2, r4, r6, r8, r10, r12, lr}\n\t"
                   "vadd.i32 q0, q0, r0\n\t"
                   "vadd.i32 q1, q1, r8\n\t"
                   "vshr.s32 q2, q0, #31\n\t"
                   "vshr.s32 q3, q1, #31\n\t"
                   "vqrdmlah.s32 q2, q0, r2\n\t"
                   "vqrdmlah.s32 q3, q1, r10\n\t"
                   "vadd.i32 q2, q2, r4\n\t"
                   "rsb r6, r6, #0\n\t"
                   "vadd.i32 q3, q3, r12\n\t"
                   "rsb lr, lr, #0\n\t"
                   "vshl.s32 q2, r6\n\t"
                   "vshl.s32 q3, lr\n\t"
                   "vqmovnb.s32 q4, q2\n\t"
                   "ldr r0, [sp]\n\t"
                   "vqmovnt.s32 q4, q3\n\t"
                   "ldrd r2, r4, [r0, #8]\n\t"
                   "vmax.s16 q4, q4, q5\n\t"
                   "sub r1, r3, r2\n\t"
                   "vmin.s16 q4, q4, q6\n\t"
                   "adds r3, r1, r4\n\t"
                   "vstrb.16 q4, [r7, q7]\n\t"
                   "adds r7, #2\n\t"
                   "ldrd r9, r11, [r0]\n\t"
                   "ldr r2, [r0, #20]\n\t"
                   "cmp r5, r2\n\t"
                   "blo 1b\n\t"
                   "add sp, #8\n\t"
                   "vpop {d8-d15}\n\t"
                   "pop {r0, r4-r11, pc}\n\t");
}

/* Makes the windows behind the first `count` copies of the last one of these. */
static void repeat(const layout *l, int32_t count)
{
    for (int32_t i = 0; i <= l->parts; i++) {
        int8_t *part = l->windows + i * GROUP;
        int8x16_t last = vldrbq_s8(part + (count - 1) * TT_LANES);
        for (int32_t pixel = count; pixel < PIXELS; pixel++) {
            vstrbq_s8(part + pixel * TT_LANES, last);
        }
    }
}

/* Where the outputs of `count` pixels go; those of copies to those of the last. */
static void set_offsets(layout *l, int32_t count, int32_t channels)
{
    for (int32_t i = 0; i < PIXELS; i++) {
        int32_t first = tt_min(i, count - 1) * channels;
        l->offsets[2 * i] = (uint16_t)first;
        l->offsets[2 * i + 1] = (uint16_t)(first + (channels > 1));
    }
}

/* The outputs of the windows; nothing of the input is read from here on. */
static void all_outputs(const tt_fast_convolution *p, layout *l, int8_t *output)
{
    int32_t channels = p->output_channels;
    if (channels > 1) {
        int32_t last = channels - 2;
        l->end = p->channels + channels - channels % 2;
        outputs(l, p->weights, p->channels, output);
        if (channels % 2 != 0) {
            l->end = p->channels + channels;
            outputs(l, p->weights + (ptrdiff_t)last * l->depth, p->channels + last, output + last);
        }
    } else {
        tt_channel twice[2] = {p->channels[0], p->channels[0]};
        l->depth = 0;
        l->end = twice + 2;
        outputs(l, p->weights, twice, output);
    }
}

/* The outputs of the first `count` windows, the others of which are not there. */
static void last_outputs(const tt_fast_convolution *p, layout *l, int32_t count, int8_t *output)
{
    if (count > 0) {
        repeat(l, count);
        set_offsets(l, count, p->output_channels);
        all_outputs(p, l, output);
    }
}

/* Windows of one pixel each, which lie one behind the other as the outputs do. */
static void pointwise(const tt_fast_convolution *p, layout *l, int32_t count, const int8_t *input,
                      int8_t *output)
{
    int32_t channels = p->input_channels;
    int32_t parts = l->parts;
    int32_t head = TT_LANES - l->absent;
    int8_t *to = l->windows;
    for (; count >= PIXELS; count -= PIXELS) {
        divide(head, parts, input, to);
        divide(head, parts, input + channels, to + TT_LANES);
        divide(head, parts, input + 2 * channels, to + 2 * TT_LANES);
        divide(head, parts, input + 3 * channels, to + 3 * TT_LANES);
        all_outputs(p, l, output);
        input += PIXELS * channels;
        output += PIXELS * p->output_channels;
    }
    for (int32_t i = 0; i < count; i++) {
        divide(head, parts, input + i * channels, to + i * TT_LANES);
    }
    last_outputs(p, l, count, output);
}

static int32_t is_pointwise(const tt_fast_convolution *p)
{
    return p->kernel_height == 1 && p->kernel_width == 1 && p->stride_height == 1 &&
           p->stride_width == 1 && p->pad_top == 0 && p->pad_left == 0 &&
           p->output_height == p->input_height && p->output_width == p->input_width;
}

static shape shape_of(const tt_fast_convolution *p, const layout *l)
{
    shape s = {p->kernel_height,
               p->kernel_width * p->input_channels,
               p->input_width * p->input_channels,
               TT_LANES - l->absent,
               l->parts,
               l->line};
    return s;
}

/* `pixels` at a time. */
static void windows(const tt_fast_convolution *p, layout *l, tt_band r, int32_t pixels,
                    const int8_t *input, int8_t *output)
{
    int32_t count = 0;
    int32_t most_left = p->input_width - p->kernel_width;
    shape s = shape_of(p, l);
    int8_t *to = l->windows;
    tt_place w;
    for (int32_t y = r.first; y < r.end; y++) {
        tt_place_row(p, &w, y);
        int32_t rows_inside = w.end_row - w.first_row == s.rows;
        ptrdiff_t row = (ptrdiff_t)(w.top - r.input_first) * s.pitch;
        for (int32_t x = 0; x < p->output_width; x++) {
            int32_t left = x * p->stride_width - p->pad_left;
            if (rows_inside && left >= 0 && left <= most_left) {
                prepare_inside(s, input + row + left * p->input_channels, to);
            } else {
                tt_place_column(p, &w, x);
                prepare_edge(p, &s, &w, tt_place_pixel(p, &w, input, r.input_first), to);
            }
            to += TT_LANES;
            count++;
            if (count == pixels) {
                if (pixels < PIXELS) {
                    repeat(l, count);
                }
                all_outputs(p, l, output);
                output += pixels * p->output_channels;
                to = l->windows;
                count = 0;
            }
        }
    }
    last_outputs(p, l, count, output);
}

void tt_fast_conv_2d(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                     int8_t *output, void *scratch)
{
    tt_band r = tt_band_of(p, band);
    layout l;
    lay_out(p, scratch, &l);
    int32_t pixels = p->output_channels > MOST_CHANNELS ? 1 : PIXELS;
    set_offsets(&l, pixels, p->output_channels);
    if (pixels == PIXELS && is_pointwise(p)) {
        int32_t skipped = (r.first - r.input_first) * p->input_width * p->input_channels;
        pointwise(p, &l, (r.end - r.first) * p->output_width, input + skipped, output);
    } else {
        windows(p, &l, r, pixels, input, output);
    }
}

#endif
