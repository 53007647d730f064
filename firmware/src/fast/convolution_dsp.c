/* Fast CONV_2D for the DSP extension: three pixels at a time. Their windows are widened into
 * columns, which the block multiplies with all channels' weights. */
#include "fast.h"

#if TT_KERNELS_DSP

#include <arm_acle.h>

#include "dsp.h"
#include "tinytrain/dsp_conv_2d_block.h"

#define PIXELS 3
#define WORDS_OF_TAPS (2 * PIXELS) /* of four taps, for all pixels */

/* As dsp_conv_2d_block.h has it. */
typedef void conv_block(const uint32_t *columns, const int8_t *weights, const tt_channel *channels,
                        int8_t *output, int32_t output_channels, const tt_channel *end,
                        uint32_t low, uint32_t high, const uint32_t *columns_end, int32_t depth);

void tt_dsp_conv_2d_any(void);
__asm("tt_dsp_conv_any_depth tt_dsp_conv_2d_any, 1\n");

typedef struct convolution {
    const tt_fast_convolution *p;
    const int8_t *input;
    int32_t input_first;
    int32_t input_row_bytes;
    int32_t row_bytes; /* of a window */
    int32_t depth;
    conv_block *block;
    uint32_t low; /* the activation's range */
    uint32_t high;
    uint32_t *columns;
    uint32_t *columns_end;
    int8_t *window; /* to put windows together in, and for outputs of less than three pixels */
} convolution;

/* Widens rows of words of four bytes into one pixel's places in the columns; returns the place
 * behind. There is at least one row; input rows are row_bytes apart.
 *
 * Registers: r0 to, r1 from, r2 words, r3 rows left, r4 bytes from a row's end to the next row, r5
 * words left, r6 to r9 words, r12 one's taps 1 and 3.
 */
uint32_t *tt_dsp_widen(uint32_t *to, const int8_t *from, int32_t words, int32_t rows,
                       int32_t row_bytes);

__asm("    .macro tt_dsp_widen_word word\n"
      "    sxtb16 r12, \\word, ror #8\n"
      "    sxtb16 \\word, \\word\n"
      "    strd \\word, r12, [r0], #24\n"
      "    .endm\n"

      "    tt_dsp_begin tt_dsp_widen\n"
      "    push {r4-r9}\n"
      "    ldr r4, [sp, #24]\n"
      "    sub r4, r4, r2, lsl #2\n"
      "1:  subs r5, r2, #4\n"
      "    blt 3f\n"
      "2:  ldr r6, [r1], #4\n"
      "    ldr r7, [r1], #4\n"
      "    ldr r8, [r1], #4\n"
      "    ldr r9, [r1], #4\n"
      "    tt_dsp_widen_word r6\n"
      "    tt_dsp_widen_word r7\n"
      "    tt_dsp_widen_word r8\n"
      "    tt_dsp_widen_word r9\n"
      "    subs r5, #4\n"
      "    bge 2b\n"
      "3:  adds r5, #4\n"
      "    beq 5f\n"
      "4:  ldr r6, [r1], #4\n"
      "    tt_dsp_widen_word r6\n"
      "    subs r5, #1\n"
      "    bne 4b\n"
      "5:  add r1, r4\n"
      "    subs r3, #1\n"
      "    bne 1b\n"
      "    pop {r4-r9}\n"
      "    bx lr\n"
      "    tt_dsp_end tt_dsp_widen\n");

static uint32_t *widen(uint32_t *to, const int8_t *from, int32_t words)
{
    return tt_dsp_widen(to, from, words, 1, 0);
}

/* Widens a window of three rows of nine bytes (3 x 3 pixels of a picture in three colours), and a
 * zero behind them.
 *
 * Registers: r0 to, r1 r3 r2 the window's rows (r2 at first bytes of an input row), r4 to r10
 * words, r12 one's taps 1 and 3.
 */
void tt_dsp_widen_nines(uint32_t *to, const int8_t *from, int32_t row_bytes);

__asm("    tt_dsp_begin tt_dsp_widen_nines\n"
      "    push {r4-r10}\n"
      "    add r3, r1, r2\n"
      "    add r2, r3, r2\n"
      "    ldr r4, [r1]\n"
      "    ldr r5, [r1, #4]\n"
      "    ldrb r6, [r1, #8]\n"
      "    ldr r12, [r3]\n"
      "    ldr r7, [r3, #3]\n"
      "    ldrh r8, [r3, #7]\n"
      "    ldrh r1, [r2]\n"
      "    ldr r9, [r2, #2]\n"
      "    ldr r10, [r2, #5]\n"
      "    orr r6, r6, r12, lsl #8\n"
      "    orr r8, r8, r1, lsl #16\n"
      "    lsr r10, r10, #8\n"
      "    tt_dsp_widen_word r4\n"
      "    tt_dsp_widen_word r5\n"
      "    tt_dsp_widen_word r6\n"
      "    tt_dsp_widen_word r7\n"
      "    tt_dsp_widen_word r8\n"
      "    tt_dsp_widen_word r9\n"
      "    tt_dsp_widen_word r10\n"
      "    pop {r4-r10}\n"
      "    bx lr\n"
      "    tt_dsp_end tt_dsp_widen_nines\n"
      "    .purgem tt_dsp_widen_word\n");

/* Copies rows of bytes behind one another; input rows are row_bytes apart. By words: what the last
 * word of a row has too much, the next row overwrites. Returns the place behind.
 *
 * Registers: r0 to, r1 from, r2 bytes, r3 rows left, r4 bytes from a row's end to the next row, r5
 * place in the row, r12 a word.
 */
int8_t *tt_dsp_copy_rows(int8_t *to, const int8_t *from, int32_t bytes, int32_t rows,
                         int32_t row_bytes);

__asm("    tt_dsp_begin tt_dsp_copy_rows\n"
      "    push {r4, r5}\n"
      "    ldr r4, [sp, #8]\n"
      "    b 3f\n"
      "1:  mov r5, #0\n"
      "2:  ldr r12, [r1, r5]\n"
      "    str r12, [r0, r5]\n"
      "    adds r5, #4\n"
      "    cmp r5, r2\n"
      "    blt 2b\n"
      "    add r0, r2\n"
      "    add r1, r4\n"
      "3:  subs r3, #1\n"
      "    bge 1b\n"
      "    pop {r4, r5}\n"
      "    bx lr\n"
      "    tt_dsp_end tt_dsp_copy_rows\n");

static uint32_t *fill(uint32_t *to, int32_t value, int32_t words)
{
    uint32_t pair = (uint32_t)(uint16_t)value * 0x00010001u;
    for (; words > 0; words--) {
        to[0] = pair;
        to[1] = pair;
        to += WORDS_OF_TAPS;
    }
    return to;
}

/* The part of a window's row that lies inside the input: [first, end) of its bytes. */
typedef struct span {
    int32_t first;
    int32_t end;
} span;

static span span_of(const convolution *c, int32_t in_x)
{
    const tt_fast_convolution *p = c->p;
    span s;
    s.first = tt_max(-in_x, 0) * p->input_channels;
    s.end = tt_min(p->input_width - in_x, p->kernel_width) * p->input_channels;
    /* Where the window lies beside the input, all of it is outside. */
    s.first = tt_min(s.first, c->row_bytes);
    s.end = tt_max(s.end, s.first);
    return s;
}

/* Where a window begins in row y of the input. */
static const int8_t *row_at(const convolution *c, int32_t y, int32_t in_x)
{
    const tt_fast_convolution *p = c->p;
    return c->input + ((ptrdiff_t)(y - c->input_first) * p->input_width + in_x) * p->input_channels;
}

__attribute__((noinline)) static void column_by_rows(const convolution *c, span s, int32_t in_y,
                                                     int32_t in_x, uint32_t *to)
{
    const tt_fast_convolution *p = c->p;
    for (int32_t y = in_y; y < in_y + p->kernel_height; y++) {
        if (y < 0 || y >= p->input_height) {
            to = fill(to, p->input_zero_point, c->row_bytes / 4);
            continue;
        }
        to = fill(to, p->input_zero_point, s.first / 4);
        to = widen(to, row_at(c, y, in_x) + s.first, (s.end - s.first) / 4);
        to = fill(to, p->input_zero_point, (c->row_bytes - s.end) / 4);
    }
}

__attribute__((noinline)) static void column_by_bytes(const convolution *c, span s, int32_t in_y,
                                                      int32_t in_x, uint32_t *to)
{
    const tt_fast_convolution *p = c->p;
    int8_t *window = c->window;
    for (int32_t y = in_y; y < in_y + p->kernel_height; y++) {
        int32_t outside = y < 0 || y >= p->input_height;
        if (outside || s.end - s.first < c->row_bytes) {
            tt_fill_bytes(window, p->input_zero_point, c->row_bytes);
        }
        if (!outside) {
            tt_copy_bytes(window + s.first, row_at(c, y, in_x) + s.first, s.end - s.first);
        }
        window += c->row_bytes;
    }
    widen(to, c->window, (c->depth + 3) / 4);
}

/* A window inside the input. */
static void column_inside(const convolution *c, const int8_t *from, uint32_t *to)
{
    int32_t rows = c->p->kernel_height;
    if (c->row_bytes % 4 == 0) {
        tt_dsp_widen(to, from, c->row_bytes / 4, rows, c->input_row_bytes);
        return;
    }
    if (rows == 3 && c->row_bytes == 9) {
        tt_dsp_widen_nines(to, from, c->input_row_bytes);
        return;
    }
    int8_t *window = tt_dsp_copy_rows(c->window, from, c->row_bytes, rows - 1, c->input_row_bytes);
    tt_copy_bytes(window, from + (ptrdiff_t)(rows - 1) * c->input_row_bytes, c->row_bytes);
    widen(to, c->window, (c->depth + 3) / 4);
}

static void make_column(const convolution *c, int32_t y, int32_t x, uint32_t *to)
{
    const tt_fast_convolution *p = c->p;
    int32_t in_y = y * p->stride_height - p->pad_top;
    int32_t in_x = x * p->stride_width - p->pad_left;
    /* A word of a row of a single byte would reach over the next row. */
    if (in_y >= 0 && in_y + p->kernel_height <= p->input_height && in_x >= 0 &&
        in_x + p->kernel_width <= p->input_width && c->row_bytes > 1) {
        column_inside(c, row_at(c, in_y, in_x), to);
        return;
    }
    span s = span_of(c, in_x);
    /* Every piece of a row is whole words. */
    if (((c->row_bytes | s.first | s.end) & 3) == 0) {
        column_by_rows(c, s, in_y, in_x, to);
    } else {
        column_by_bytes(c, s, in_y, in_x, to);
    }
}

/* The only channel of three pixels, which makes no pair. */
static void multiply_one(const convolution *c, int8_t *output)
{
    const tt_fast_convolution *p = c->p;
    for (int32_t pixel = 0; pixel < PIXELS; pixel++) {
        const int8_t *weights = p->weights;
        int32_t sum = p->channels->start;
        for (const uint32_t *x = c->columns + 2 * pixel; x < c->columns_end; x += WORDS_OF_TAPS) {
            uint32_t word = tt_load_word(weights);
            sum = __smlad((int16x2_t)__sxtb16((int8x4_t)word), (int16x2_t)x[0], sum);
            word = word >> 8 | word << 24;
            sum = __smlad((int16x2_t)__sxtb16((int8x4_t)word), (int16x2_t)x[1], sum);
            weights += 4;
        }
        output[pixel] = tt_channel_output(p->channels, sum, p->activation_min, p->activation_max);
    }
}

/* All channels of three pixels. */
static void multiply(const convolution *c, int8_t *output)
{
    const tt_fast_convolution *p = c->p;
    int32_t channels = p->output_channels;
    if (channels == 1) {
        multiply_one(c, output);
        return;
    }
    int32_t pairs = channels / 2 * 2;
    c->block(c->columns, p->weights, p->channels, output, channels, p->channels + pairs, c->low,
             c->high, c->columns_end, c->depth);
    if (channels > pairs) {
        /* The last channel with the one before, once more. */
        int32_t first = channels - 2;
        c->block(c->columns, p->weights + (ptrdiff_t)first * c->depth, p->channels + first,
                 output + first, channels, p->channels + channels, c->low, c->high, c->columns_end,
                 c->depth);
    }
}

static convolution begin(const tt_fast_convolution *p, const tt_band *r, const int8_t *input,
                         void *scratch)
{
    convolution c;
    c.p = p;
    c.input = input;
    c.input_first = r->input_first;
    c.input_row_bytes = p->input_width * p->input_channels;
    c.row_bytes = p->kernel_width * p->input_channels;
    c.depth = p->kernel_height * c.row_bytes;
    c.block = (conv_block *)(p->block == NULL ? tt_dsp_conv_2d_any : p->block);
    c.low = tt_four_times(p->activation_min);
    c.high = tt_four_times(p->activation_max);
    c.columns = scratch;
    c.columns_end = c.columns + (c.depth + 3) / 4 * WORDS_OF_TAPS;
    c.window = (int8_t *)c.columns_end;
    /* Behind the window, where weights are multiplied that are not its own. */
    tt_store_word(c.window + (c.depth - 1) / 4 * 4, 0);
    return c;
}

/* A kernel of one pixel without stride: pixels lie in the order in which they are computed. */
static int32_t is_pointwise(const tt_fast_convolution *p)
{
    return p->kernel_height == 1 && p->kernel_width == 1 && p->stride_height == 1 &&
           p->stride_width == 1 && p->input_channels % 4 == 0;
}

static void pointwise_columns(const convolution *c, int32_t pixel, int32_t count)
{
    const int8_t *from = c->input + (ptrdiff_t)pixel * c->depth;
    for (int32_t i = 0; i < count; i++) {
        widen(c->columns + 2 * i, from, c->depth / 4);
        from += c->depth;
    }
}

void tt_fast_conv_2d(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                     int8_t *output, void *scratch)
{
    tt_band r = tt_band_of(p, band);
    convolution c = begin(p, &r, input, scratch);
    int32_t pointwise = is_pointwise(p);
    int32_t y = r.first;
    int32_t x = 0;
    int32_t first = (r.first - r.input_first) * p->output_width;
    int32_t left = (r.end - r.first) * p->output_width;
    for (; left > 0; left -= PIXELS) {
        int32_t count = tt_min(left, PIXELS);
        if (pointwise) {
            pointwise_columns(&c, first, count);
            first += count;
        } else {
            for (int32_t i = 0; i < count; i++) {
                make_column(&c, y, x, c.columns + 2 * i);
                x++;
                if (x == p->output_width) {
                    x = 0;
                    y++;
                }
            }
        }
        if (count == PIXELS) {
            multiply(&c, output);
            output += PIXELS * p->output_channels;
        } else {
            /* Behind the columns; the window has been used. */
            multiply(&c, c.window);
            tt_copy_bytes(output, c.window, count * p->output_channels);
        }
    }
}

#endif
