/* Fast DEPTHWISE_CONV_2D with the vector extension: 16 channels of a pixel at a time, each tap
 * through a pointer of its own, which at the edges points to zero points. */
#include "mve.h"
#include "mve_window.h"

#if TT_KERNELS_MVE

#define TAPS 9 /* that there are registers for; missing ones have weights of 0 */
#define ROUND_UP(N) (((N) + TT_LANES - 1) / TT_LANES * TT_LANES)

/* What the assembly works on, and its order there. */
typedef struct job {
    uint32_t at[4];        /* addresses of channels 0, 4, 8 and 12 of a group, less a group */
    int8_t low[TT_LANES];  /* lowest output */
    int8_t high[TT_LANES]; /* highest output */
    uint32_t first[4];     /* `at` of the first group */
    const int8_t *taps[TAPS];
    int8_t *output;
    const int8_t *weights; /* [groups][TAPS][TT_LANES] */
    int32_t groups;
    int32_t pixels;
    int32_t step;        /* of the taps from behind a pixel to the next pixel */
    int32_t output_step; /* likewise */
    int32_t lanes;       /* a bit for each that there is */
} job;

/* Products of a tap, of 16 bits: those of even channels in q6, of odd ones in q5. */
#define TAP(LOAD, POINTER)                                                                         \
    LOAD " q5, [" POINTER "], #16\n\t"                                                             \
         "vldrb.8 q4, [r9], #16\n\t"                                                               \
         "vmullb.s8 q6, q4, q5\n\t"                                                                \
         "vmullt.s8 q5, q4, q5\n\t"

/* Adds those of another tap. There is no vector free for both its weights and its products: the
 * weights are loaded twice. */
#define ADD_TAP(LOAD, POINTER)                                                                     \
    LOAD " q7, [" POINTER "], #16\n\t"                                                             \
         "vldrb.8 q4, [r9]\n\t"                                                                    \
         "vmullb.s8 q4, q4, q7\n\t"                                                                \
         "vadd.i16 q6, q6, q4\n\t"                                                                 \
         "vldrb.8 q4, [r9], #16\n\t"                                                               \
         "vmullt.s8 q4, q4, q7\n\t"                                                                \
         "vadd.i16 q5, q5, q4\n\t"

/* Begins the sums with the products, or adds these to the sums. */
#define BEGIN_SUMS                                                                                 \
    "vmovlb.s16 q0, q6\n\t"                                                                        \
    "vmovlt.s16 q1, q6\n\t"                                                                        \
    "vmovlb.s16 q2, q5\n\t"                                                                        \
    "vmovlt.s16 q3, q5\n\t"
#define ADD_TO_SUMS                                                                                \
    "vmovlb.s16 q4, q6\n\t"                                                                        \
    "vadd.i32 q0, q0, q4\n\t"                                                                      \
    "vmovlt.s16 q6, q6\n\t"                                                                        \
    "vadd.i32 q1, q1, q6\n\t"                                                                      \
    "vmovlb.s16 q4, q5\n\t"                                                                        \
    "vadd.i32 q2, q2, q4\n\t"                                                                      \
    "vmovlt.s16 q5, q5\n\t"                                                                        \
    "vadd.i32 q3, q3, q5\n\t"

/* tt_channel_output, but for the clamp, with a channel a lane; START, ...: where these are. */
#define SCALE(SUMS, START, MULTIPLIER, ROUNDING, SHIFT)                                            \
    "vldrw.u32 q4, [q7, " START "\n\t"                                                             \
    "vadd.i32 " SUMS ", " SUMS ", q4\n\t"                                                          \
    "vldrw.u32 q4, [q7, " MULTIPLIER "]\n\t"                                                       \
    "vqrdmulh.s32 q5, " SUMS ", q4\n\t"                                                            \
    "vshr.s32 " SUMS ", " SUMS ", #31\n\t"                                                         \
    "vldrw.u32 q4, [q7, " ROUNDING "]\n\t"                                                         \
    "vadd.i32 " SUMS ", " SUMS ", q5\n\t"                                                          \
    "vldrw.u32 q5, [q7, " SHIFT "]\n\t"                                                            \
    "vadd.i32 " SUMS ", " SUMS ", q4\n\t"                                                          \
    "vneg.s32 q5, q5\n\t"                                                                          \
    "vshl.s32 " SUMS ", " SUMS ", q5\n\t"

/* All groups of the job's pixels.
 *
 * r0 to r8: taps; r9: weights; r10: output; r11: pixels to come; r12: job; lr: groups to come.
 * q0: sums of channels 0, 4, 8 and 12, q1: 2, 6, ...; q2: 1, 5, ...; q3: 3, 7, ..., as widening
 * sorts them; narrowing puts them back into order. q7: addresses of the channels' constants.
 * VPR: the lanes that there are. Two products, with no weight of -128, fit 16 bits. */
/* clang-format off: it would indent by what a macro happens to end with. */
#define RUN(LOAD, STORE)                                                                           \
    "push {r3-r11, lr}\n\t"                                                                        \
    "vpush {d8-d15}\n\t"                                                                           \
    "mov r12, r0\n\t"                                                                              \
    "ldr r1, [r12, #124]\n\t"                                                                      \
    "vmsr p0, r1\n\t"                                                                              \
    "ldr r10, [r12, #100]\n\t"                                                                     \
    "ldr r11, [r12, #112]\n\t"                                                                     \
    "add lr, r12, #64\n\t"                                                                         \
    "ldm lr, {r0-r8}\n"                                                                            \
    "1:\n\t"                                                                                       \
    "ldrd r9, lr, [r12, #104]\n\t"                                                                 \
    "vldrw.u32 q7, [r12, #48]\n\t"                                                                 \
    "vstrw.32 q7, [r12]\n"                                                                         \
    "2:\n\t" TAP(LOAD, "r0") ADD_TAP(LOAD, "r1") BEGIN_SUMS                                        \
    TAP(LOAD, "r2") ADD_TAP(LOAD, "r3") ADD_TO_SUMS TAP(LOAD, "r4") ADD_TAP(LOAD, "r5")            \
        ADD_TO_SUMS TAP(LOAD, "r6") ADD_TAP(LOAD, "r7") ADD_TO_SUMS TAP(LOAD, "r8") ADD_TO_SUMS    \
        "vldrw.u32 q7, [r12]\n\t" SCALE("q0", "#256]!", "#4", "#8", "#12")                         \
            SCALE("q1", "#32]", "#36", "#40", "#44") SCALE("q2", "#16]", "#20", "#24", "#28")      \
                SCALE("q3", "#48]", "#52", "#56", "#60") "vstrw.32 q7, [r12]\n\t"                  \
                                                         "vqmovnb.s32 q0, q0\n\t"                  \
                                                         "vqmovnt.s32 q0, q1\n\t"                  \
                                                         "vqmovnb.s32 q2, q2\n\t"                  \
                                                         "vqmovnt.s32 q2, q3\n\t"                  \
                                                         "vldrb.8 q4, [r12, #16]\n\t"              \
                                                         "vqmovnb.s16 q0, q0\n\t"                  \
                                                         "vqmovnt.s16 q0, q2\n\t"                  \
                                                         "vldrb.8 q5, [r12, #32]\n\t"              \
                                                         "vmax.s8 q0, q0, q4\n\t"                  \
                                                         "vmin.s8 q0, q0, q5\n\t" STORE            \
                                                         " q0, [r10], #16\n\t"                     \
                                                         "le lr, 2b\n\t"                           \
                                                         "ldrd r9, lr, [r12, #116]\n\t"            \
                                                         "add r10, r10, lr\n\t"                    \
                                                         "subs r11, r11, #1\n\t"                   \
                                                         "beq 4f\n\t"                              \
                                                         "cmp r9, #0\n\t"                          \
                                                         "beq 1b\n\t"                              \
                                                         "adds r0, r0, r9\n\t"                     \
                                                         "adds r1, r1, r9\n\t"                     \
                                                         "adds r2, r2, r9\n\t"                     \
                                                         "adds r3, r3, r9\n\t"                     \
                                                         "adds r4, r4, r9\n\t"                     \
                                                         "adds r5, r5, r9\n\t"                     \
                                                         "adds r6, r6, r9\n\t"                     \
                                                         "adds r7, r7, r9\n\t"                     \
                                                         "add r8, r8, r9\n\t"                      \
                                                         "b 1b\n"                                  \
                                                         "4:\n\t"                                  \
                                                         "vpop {d8-d15}\n\t"                       \
                                                         "pop {r3-r11, pc}\n\t"
/* clang-format on */

#define UNNAMED __attribute__((unused))
__attribute__((naked, noipa)) static void run_whole(UNNAMED job *j)
{
    __asm volatile(RUN("vldrb.u8", "vstrb.8"));
}
__attribute__((naked, noipa)) static void run_masked(UNNAMED job *j)
{
    __asm volatile(RUN("vpst\n\tvldrbt.u8", "vpst\n\tvstrbt.8"));
}

/* A layer of at most TAPS taps. Layers of few channels have several pixels in a group: `together`
 * pixels that lie side by side. */
typedef struct small {
    job job;
    int32_t lanes; /* channels of a group */
    int32_t together;
    int32_t rest; /* channels behind the whole groups; the last 16 are done once more for them */
    const int8_t *rest_weights;
    const int8_t *outside; /* zero points */
} small;

/* The weights of TT_LANES channels, tap by tap; returns whether all are above -128. */
static int32_t copy_weights(const tt_fast_convolution *p, const int8_t *from, uint8x16_t lanes,
                            int8_t *to)
{
    int32_t taps = p->kernel_height * p->kernel_width;
    int8x16_t lowest = vdupq_n_s8(0);
    for (int32_t t = 0; t < TAPS; t++) {
        int8x16_t w = vdupq_n_s8(0);
        if (t < taps) {
            w = vldrbq_gather_offset_s8(from + t * p->output_channels, lanes);
        }
        lowest = vminq_s8(lowest, w);
        vstrbq_s8(to + t * TT_LANES, w);
    }
    return vminvq_s8(INT8_MAX, lowest) > INT8_MIN;
}

static void set_channels(small *s, const tt_channel *channels)
{
    for (uint32_t i = 0; i < 4; i++) {
        s->job.first[i] = (uint32_t)(uintptr_t)channels + (4 * i - TT_LANES) * sizeof(tt_channel);
    }
}

/* Few channels: each lane's constants and weights are those of its channel. */
static int32_t prepare_few(const tt_fast_convolution *p, small *s, int8_t *scratch)
{
    tt_channel *channels = (tt_channel *)(void *)scratch;
    uint8_t lanes[TT_LANES];
    for (int32_t i = 0; i < TT_LANES; i++) {
        lanes[i] = (uint8_t)(i % p->output_channels);
        channels[i] = p->channels[lanes[i]];
    }
    set_channels(s, channels);
    scratch += TT_LANES * sizeof(tt_channel);
    s->job.weights = scratch;
    s->lanes = p->output_channels;
    s->together = p->stride_width == 1 ? TT_LANES / p->output_channels : 1;
    s->rest = 0;
    s->job.groups = 1;
    return copy_weights(p, p->weights, vldrbq_u8(lanes), scratch);
}

static int32_t prepare_many(const tt_fast_convolution *p, small *s, int8_t *scratch)
{
    int32_t channels = p->output_channels;
    int32_t fit = 1;
    uint8x16_t lanes = vidupq_n_u8(0, 1);
    set_channels(s, p->channels);
    s->job.weights = scratch;
    s->lanes = TT_LANES;
    s->together = 1;
    s->job.groups = channels / TT_LANES;
    s->rest = channels % TT_LANES;
    for (int32_t o = 0; o + TT_LANES <= channels; o += TT_LANES) {
        fit &= copy_weights(p, p->weights + o, lanes, scratch);
        scratch += TAPS * TT_LANES;
    }
    s->rest_weights = scratch;
    if (s->rest > 0) {
        fit &= copy_weights(p, p->weights + channels - TT_LANES, lanes, scratch);
    }
    return fit;
}

/* Whether the layer can be done so. */
static int32_t prepare(const tt_fast_convolution *p, small *s, int8_t *scratch)
{
    int32_t channels = ROUND_UP(p->output_channels);
    tt_fill(scratch, TT_LANES, channels, vdupq_n_s8((int8_t)p->input_zero_point));
    s->outside = scratch;
    scratch += channels;
    vstrbq_s8(s->job.low, vdupq_n_s8((int8_t)p->activation_min));
    vstrbq_s8(s->job.high, vdupq_n_s8((int8_t)p->activation_max));
    return p->output_channels < TT_LANES ? prepare_few(p, s, scratch) : prepare_many(p, s, scratch);
}

/* Points the taps to a window's pixels. */
static void set_taps(const tt_fast_convolution *p, small *s, const tt_place *w, const int8_t *input,
                     int32_t input_first)
{
    const int8_t **tap = s->job.taps;
    const int8_t *outside = s->outside;
    int32_t channels = p->output_channels;
    int32_t width = p->kernel_width;
    int32_t pitch = p->input_width * channels;
    ptrdiff_t at = (ptrdiff_t)(w->top - input_first) * pitch + w->left * channels;
    for (int32_t row = 0; row < p->kernel_height; row++) {
        int32_t row_inside = row >= w->first_row && row < w->end_row;
        int32_t first = row_inside ? w->first_column : width;
        int32_t end = row_inside ? w->end_column : width;
        ptrdiff_t pixel = at + first * channels;
        int32_t column = 0;
        for (; column < first; column++) {
            *tap++ = outside;
        }
        for (; column < end; column++) {
            *tap++ = input + pixel;
            pixel += channels;
        }
        for (; column < width; column++) {
            *tap++ = outside;
        }
        at += pitch;
    }
    while (tap < s->job.taps + TAPS) {
        *tap++ = s->job.taps[0];
    }
}

/* `count` pixels, whose windows lie alike in the input. */
static void run_pixels(const tt_fast_convolution *p, small *s, int32_t count, int32_t together,
                       int8_t *output)
{
    int32_t channels = p->output_channels;
    int32_t lanes = s->lanes * together;
    int32_t done = s->job.groups * lanes;
    s->job.lanes = (int32_t)((1u << lanes) - 1u);
    s->job.pixels = count;
    s->job.step = together * p->stride_width * channels - s->job.groups * TT_LANES;
    s->job.output_step = done - s->job.groups * TT_LANES;
    s->job.output = output;
    if (lanes == TT_LANES) {
        run_whole(&s->job);
    } else {
        run_masked(&s->job);
    }
}

/* The rest of one pixel's channels. */
static void run_rest(const tt_fast_convolution *p, const small *s, int8_t *output)
{
    small last = *s;
    int32_t from = p->output_channels - TT_LANES;
    for (int32_t t = 0; t < TAPS; t++) {
        last.job.taps[t] += from;
    }
    set_channels(&last, p->channels + from);
    last.job.weights = s->rest_weights;
    last.job.groups = 1;
    run_pixels(p, &last, 1, 1, output + from);
}

/* The pixels from here to the end of the row whose windows are inside; at least this one. */
static int32_t alike(const tt_fast_convolution *p, const tt_place *w, int32_t x)
{
    int32_t room = p->input_width - p->kernel_width - w->left;
    if (w->end_row - w->first_row < p->kernel_height || w->first_column > 0 || room < 0) {
        return 1;
    }
    return tt_min(room / p->stride_width + 1, p->output_width - x);
}

static void small_kernel(const tt_fast_convolution *p, small *s, tt_band r, const int8_t *input,
                         int8_t *output)
{
    tt_place w;
    for (int32_t y = r.first; y < r.end; y++) {
        tt_place_row(p, &w, y);
        for (int32_t x = 0; x < p->output_width;) {
            tt_place_column(p, &w, x);
            set_taps(p, s, &w, input, r.input_first);
            int32_t pixels = s->rest > 0 ? 1 : alike(p, &w, x);
            int32_t together = pixels < s->together ? 1 : s->together;
            run_pixels(p, s, pixels / together, together, output);
            if (s->rest > 0) {
                run_rest(p, s, output);
            }
            pixels = pixels / together * together;
            output += pixels * p->output_channels;
            x += pixels;
        }
    }
}

/* Sums of 16 channels, as vmullb and vmovlb pick their lanes: lane i of even_even is channel 4 * i,
 * of odd_even 4 * i + 1, of even_odd 4 * i + 2, of odd_odd 4 * i + 3. */
typedef struct sums {
    int32x4_t even_even;
    int32x4_t even_odd;
    int32x4_t odd_even;
    int32x4_t odd_odd;
} sums;

/* Over the window at x, whose rows are `pitch` bytes apart, of the channels that are present. */
static inline sums multiply(const tt_fast_convolution *p, const int8_t *x, ptrdiff_t pitch,
                            const int8_t *weights, mve_pred16_t present)
{
    int32_t channels = p->output_channels;
    int32x4_t none = vdupq_n_s32(0);
    sums s = {none, none, none, none};
    for (int32_t row = 0; row < p->kernel_height; row++) {
        const int8_t *tap = x;
        for (int32_t column = p->kernel_width; column > 0; column--) {
            int8x16_t w = vldrbq_z_s8(weights, present);
            int8x16_t v = vldrbq_z_s8(tap, present);
            int16x8_t even = vmullbq_int_s8(w, v);
            int16x8_t odd = vmulltq_int_s8(w, v);
            s.even_even = vaddq_s32(s.even_even, vmovlbq_s16(even));
            s.even_odd = vaddq_s32(s.even_odd, vmovltq_s16(even));
            s.odd_even = vaddq_s32(s.odd_even, vmovlbq_s16(odd));
            s.odd_odd = vaddq_s32(s.odd_odd, vmovltq_s16(odd));
            weights += channels;
            tap += channels;
        }
        x += pitch;
    }
    return s;
}

/* The lanes of 4 * i + first, of `left` channels. */
static inline int32x4_t scale(const tt_channel *channels, int32_t first, int32_t left,
                              int32x4_t sums)
{
    mve_pred16_t present = vctp32q((uint32_t)((left - first + 3) / 4));
    tt_four_channels four = tt_load_channels(channels + first, 4, present);
    return tt_scale_lanes(&four, sums);
}

/* Narrowing puts the channels back into order. */
static inline int8x16_t narrow(const tt_channel *channels, int32_t left, const sums *s)
{
    int16x8_t even = vdupq_n_s16(0);
    int16x8_t odd = vdupq_n_s16(0);
    int8x16_t all = vdupq_n_s8(0);
    even = vqmovnbq_s32(even, scale(channels, 0, left, s->even_even));
    even = vqmovntq_s32(even, scale(channels, 2, left, s->even_odd));
    odd = vqmovnbq_s32(odd, scale(channels, 1, left, s->odd_even));
    odd = vqmovntq_s32(odd, scale(channels, 3, left, s->odd_odd));
    return vqmovntq_s16(vqmovnbq_s16(all, even), odd);
}

/* One output pixel of any kernel, from the window at x. */
static void pixel(const tt_fast_convolution *p, const int8_t *x, ptrdiff_t pitch, int8_t *output)
{
    int8x16_t low = vdupq_n_s8((int8_t)p->activation_min);
    int8x16_t high = vdupq_n_s8((int8_t)p->activation_max);
    for (int32_t o = 0; o < p->output_channels; o += TT_LANES) {
        int32_t left = tt_min(p->output_channels - o, TT_LANES);
        mve_pred16_t present = vctp8q((uint32_t)left);
        sums s = multiply(p, x + o, pitch, p->weights + o, present);
        int8x16_t out = narrow(p->channels + o, left, &s);
        vstrbq_p_s8(output + o, vminq_s8(vmaxq_s8(out, low), high), present);
    }
}

/* Kernels of any size, and weights of -128. */
static void any_kernel(const tt_fast_convolution *p, tt_band r, const int8_t *input, int8_t *output,
                       int8_t *window)
{
    int32_t channels = p->output_channels;
    tt_place w;
    for (int32_t y = r.first; y < r.end; y++) {
        tt_place_row(p, &w, y);
        for (int32_t x = 0; x < p->output_width; x++) {
            tt_place_column(p, &w, x);
            const int8_t *from = tt_place_pixel(p, &w, input, r.input_first);
            if (tt_place_inside(p, &w)) {
                pixel(p, from, (ptrdiff_t)p->input_width * channels, output);
            } else {
                tt_copy_window(p, &w, from, window, TT_LANES);
                pixel(p, window, (ptrdiff_t)p->kernel_width * channels, output);
            }
            output += channels;
        }
    }
}

void tt_fast_depthwise_conv_2d(const tt_fast_convolution *p, const tt_band *band,
                               const int8_t *input, int8_t *output, void *scratch)
{
    tt_band r = tt_band_of(p, band);
    small s;
    if (p->kernel_height * p->kernel_width <= TAPS && prepare(p, &s, scratch)) {
        small_kernel(p, &s, r, input, output);
    } else {
        any_kernel(p, r, input, output, scratch);
    }
}

#endif
