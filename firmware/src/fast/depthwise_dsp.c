/* Fast DEPTHWISE_CONV_2D for the DSP extension. Where windows lie inside the input, three pixels at
 * a time by the layer's block; else pixel by pixel, through pointers to the window's taps. */
#include "fast.h"

#if TT_KERNELS_DSP

#include "dsp.h"
#include "tinytrain/dsp_depthwise_block.h"

#define PIXELS 3

/* As dsp_depthwise_block.h has it. */
typedef void depthwise_block(const void *input, const int8_t *weights, const tt_channel *channels,
                             int8_t *output, int32_t input_row_bytes, const tt_channel *end,
                             uint32_t low, uint32_t high, const int8_t *weights_end);

/* For all layers: one pixel, four channels at a time; end - channels is a multiple of four.
 *
 * Registers: r0 pointers to taps, r1 weights, r2 offset of the channel, r3 channels of the output,
 * r4 to r7 sums, r8 r9 weights, r10 r11 inputs, r12 end of the pointers that come by threes, lr of
 * all. At the end: r0 channel, r8 to r11 its constants; then r8 output.
 */
void tt_dsp_depthwise_pixel(const int8_t *const *taps, const int8_t *weights,
                            const tt_channel *channels, int8_t *output, int32_t output_channels,
                            const int8_t *const *threes_end, const int8_t *const *taps_end,
                            uint32_t low, uint32_t high, const tt_channel *end);

__asm("    .macro tt_dsp_pixel_one_tap\n"
      "    ldr r10, [r0], #4\n"
      "    ldr r8, [r1]\n"
      "    ldr r10, [r10, r2]\n"
      "    add r1, r3\n"
      "    sxtb16 r9, r8, ror #8\n"
      "    sxtb16 r8, r8\n"
      "    sxtb16 r11, r10, ror #8\n"
      "    sxtb16 r10, r10\n"
      "    smlabb r4, r8, r10, r4\n"
      "    smlabb r5, r9, r11, r5\n"
      "    smlatt r6, r8, r10, r6\n"
      "    smlatt r7, r9, r11, r7\n"
      "    .endm\n"

      "    .macro tt_dsp_pixel_one_output sum\n"
      "    ldm r0!, {r8, r9, r10, r11}\n"
      "    tt_dsp_output \\sum, r9, r10, r11, r8\n"
      "    .endm\n"

      /* Offsets from sp. */
      "    .set .Ltt_pixel_taps, 0\n"
      "    .set .Ltt_pixel_weights, 4\n"
      "    .set .Ltt_pixel_channel, 8\n"
      "    .set .Ltt_pixel_output, 12\n"
      "    .set .Ltt_pixel_output_channels, 52\n"
      "    .set .Ltt_pixel_threes_end, 56\n"
      "    .set .Ltt_pixel_taps_end, 60\n"
      "    .set .Ltt_pixel_low, 64\n"
      "    .set .Ltt_pixel_end, 72\n"

      "    tt_dsp_begin tt_dsp_depthwise_pixel\n"
      "    push {r0-r11, lr}\n"
      "    mov r0, r2\n"
      "    mov r2, #0\n"
      "    ldr r3, [sp, #.Ltt_pixel_output_channels]\n"
      "    ldr r12, [sp, #.Ltt_pixel_threes_end]\n"
      "    ldr lr, [sp, #.Ltt_pixel_taps_end]\n"
      "1:  ldr r4, [r0]\n"
      "    ldr r5, [r0, #16]\n"
      "    ldr r6, [r0, #32]\n"
      "    ldr r7, [r0, #48]\n"
      "    ldr r0, [sp, #.Ltt_pixel_taps]\n"
      "    ldr r1, [sp, #.Ltt_pixel_weights]\n"
      "    add r1, r2\n"
      "    b 3f\n"
      "2:  tt_dsp_pixel_one_tap\n"
      "    tt_dsp_pixel_one_tap\n"
      "    tt_dsp_pixel_one_tap\n"
      "3:  cmp r0, r12\n"
      "    bne 2b\n"
      "    b 5f\n"
      "4:  tt_dsp_pixel_one_tap\n"
      "5:  cmp r0, lr\n"
      "    bne 4b\n"
      "    ldr r0, [sp, #.Ltt_pixel_channel]\n"
      "    tt_dsp_pixel_one_output r4\n"
      "    tt_dsp_pixel_one_output r5\n"
      "    tt_dsp_pixel_one_output r6\n"
      "    tt_dsp_pixel_one_output r7\n"
      "    str r0, [sp, #.Ltt_pixel_channel]\n"
      "    ldr r8, [sp, #.Ltt_pixel_output]\n"
      "    ldr r9, [sp, #.Ltt_pixel_low]\n"
      "    ldr r10, [sp, #(.Ltt_pixel_low + 4)]\n"
      "    bfi r4, r5, #8, #8\n"
      "    bfi r6, r7, #8, #8\n"
      "    bfi r4, r6, #16, #16\n"
      "    tt_dsp_clamp r4, r9, r10, r11\n"
      "    ldr r9, [sp, #.Ltt_pixel_end]\n"
      "    str r4, [r8, r2]\n"
      "    adds r2, #4\n"
      "    cmp r0, r9\n"
      "    bne 1b\n"
      "    add sp, #16\n"
      "    pop {r4-r11, pc}\n"
      "    tt_dsp_end tt_dsp_depthwise_pixel\n"
      "    .purgem tt_dsp_pixel_one_tap\n"
      "    .purgem tt_dsp_pixel_one_output\n");

typedef struct depthwise {
    const tt_fast_convolution *p;
    const int8_t *input;
    int32_t input_first;
    int32_t taps;
    depthwise_block *block; /* NULL where it cannot take the layer */
    uint32_t low;           /* the activation's range */
    uint32_t high;
    const int8_t **pointers; /* to the taps of a window */
    int8_t *outside;         /* a pixel outside of the input */
    int8_t *outputs;         /* of three pixels */
} depthwise;

static int32_t is_blocked(const tt_fast_convolution *p)
{
    return p->block != NULL && p->kernel_width <= TT_DSP_DEPTHWISE_WIDTH &&
           p->output_channels <= TT_DSP_DEPTHWISE_CHANNELS && p->output_channels % 4 == 0;
}

static depthwise begin(const tt_fast_convolution *p, const tt_band *r, const int8_t *input,
                       void *scratch)
{
    depthwise d;
    d.p = p;
    d.input = input;
    d.input_first = r->input_first;
    d.taps = p->kernel_height * p->kernel_width;
    d.block = is_blocked(p) ? (depthwise_block *)p->block : NULL;
    d.low = tt_four_times(p->activation_min);
    d.high = tt_four_times(p->activation_max);
    d.pointers = scratch;
    d.outside = (int8_t *)(d.pointers + d.taps);
    d.outputs = d.outside + (p->input_channels + 3) / 4 * 4;
    tt_fill_bytes(d.outside, p->input_zero_point, p->input_channels);
    return d;
}

static const int8_t *input_at(const depthwise *d, int32_t y, int32_t x)
{
    ptrdiff_t pixel = (ptrdiff_t)(y - d->input_first) * d->p->input_width + x;
    return d->input + pixel * d->p->input_channels;
}

/* Of a window that lies inside the input. */
static void point_inside(const depthwise *d, const int8_t *row)
{
    const tt_fast_convolution *p = d->p;
    const int8_t **pointer = d->pointers;
    ptrdiff_t next_row = (ptrdiff_t)(p->input_width - p->kernel_width) * p->input_channels;
    for (int32_t y = p->kernel_height; y > 0; y--) {
        for (int32_t x = p->kernel_width; x > 0; x--) {
            *pointer++ = row;
            row += p->input_channels;
        }
        row += next_row;
    }
}

__attribute__((noinline)) static void point_to_taps(const depthwise *d, int32_t in_y, int32_t in_x)
{
    const tt_fast_convolution *p = d->p;
    const int8_t **pointer = d->pointers;
    for (int32_t y = in_y; y < in_y + p->kernel_height; y++) {
        const int8_t *row = input_at(d, y, 0);
        int32_t inside = y >= 0 && y < p->input_height;
        for (int32_t x = in_x; x < in_x + p->kernel_width; x++) {
            *pointer++ = inside && x >= 0 && x < p->input_width
                             ? row + (ptrdiff_t)x * p->input_channels
                             : d->outside;
        }
    }
}

/* A channel that makes no four with others. */
static int8_t output_of(const depthwise *d, int32_t o)
{
    const tt_fast_convolution *p = d->p;
    const int8_t *weights = p->weights + o;
    int32_t sum = p->channels[o].start;
    for (int32_t tap = 0; tap < d->taps; tap++) {
        sum += d->pointers[tap][o] * *weights;
        weights += p->output_channels;
    }
    return tt_channel_output(&p->channels[o], sum, p->activation_min, p->activation_max);
}

static void one_pixel(const depthwise *d, int32_t in_y, int32_t in_x, int8_t *output)
{
    const tt_fast_convolution *p = d->p;
    int32_t fours = p->output_channels / 4 * 4;
    if (in_y >= 0 && in_y + p->kernel_height <= p->input_height && in_x >= 0 &&
        in_x + p->kernel_width <= p->input_width) {
        point_inside(d, input_at(d, in_y, in_x));
    } else {
        point_to_taps(d, in_y, in_x);
    }
    if (d->block != NULL) {
        d->block(d->pointers, p->weights, p->channels, output, 0, p->channels + fours, d->low,
                 d->high, NULL);
    } else if (fours > 0) {
        tt_dsp_depthwise_pixel(d->pointers, p->weights, p->channels, output, p->output_channels,
                               d->pointers + d->taps / 3 * 3, d->pointers + d->taps, d->low,
                               d->high, p->channels + fours);
    }
    for (int32_t o = fours; o < p->output_channels; o++) {
        output[o] = output_of(d, o);
    }
}

/* Outputs go by way of the scratch: they may lie on windows that are still read. */
static void three_pixels(const depthwise *d, int32_t in_y, int32_t in_x, int8_t *output)
{
    const tt_fast_convolution *p = d->p;
    int32_t channels = p->output_channels;
    const int8_t *first = input_at(d, in_y, in_x);
    int32_t row_bytes = p->input_width * channels;
    int32_t apart =
        (uintptr_t)output + (uint32_t)(PIXELS * channels) <= (uintptr_t)first ||
        (uintptr_t)output >= (uintptr_t)first + (uint32_t)(p->kernel_height * row_bytes);
    d->block(first, p->weights, p->channels, apart ? output : d->outputs, row_bytes,
             p->channels + channels, d->low, d->high, p->weights + (ptrdiff_t)d->taps * channels);
    if (!apart) {
        tt_copy_bytes(output, d->outputs, PIXELS * channels);
    }
}

void tt_fast_depthwise_conv_2d(const tt_fast_convolution *p, const tt_band *band,
                               const int8_t *input, int8_t *output, void *scratch)
{
    tt_band r = tt_band_of(p, band);
    depthwise d = begin(p, &r, input, scratch);
    int32_t by_threes = d.block != NULL && p->stride_width == 1;
    for (int32_t y = r.first; y < r.end; y++) {
        int32_t in_y = y * p->stride_height - p->pad_top;
        int32_t inside = by_threes && in_y >= 0 && in_y + p->kernel_height <= p->input_height;
        int32_t count;
        for (int32_t x = 0; x < p->output_width; x += count) {
            int32_t in_x = x * p->stride_width - p->pad_left;
            if (inside && in_x >= 0 && in_x + p->kernel_width + PIXELS - 1 <= p->input_width) {
                count = PIXELS;
                three_pixels(&d, in_y, in_x, output);
            } else {
                count = 1;
                one_pixel(&d, in_y, in_x, output);
            }
            output += count * p->output_channels;
        }
    }
}

#endif
