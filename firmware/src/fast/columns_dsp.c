/* CONV_2D by columns, for the DSP extension: which windows, and how they are widened. */
#include "fast.h"

#if TT_KERNELS_DSP

#include "columns_dsp.h"
#include "dsp.h"

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

/* Words of what is outside of the input. */
static uint32_t *fill(const tt_columns *c, uint32_t *to, int32_t words)
{
    for (; words > 0; words--) {
        to[0] = c->outside[0];
        to[1] = c->outside[1];
        to += TT_WORDS_OF_TAPS;
    }
    return to;
}

static uint32_t *widen(const tt_columns *c, uint32_t *to, const int8_t *from, int32_t words)
{
    return c->kind->rows(to, from, words, 1, 0);
}

/* The part of a window's row that lies inside the input: [first, end) of its bytes. */
typedef struct span {
    int32_t first;
    int32_t end;
} span;

static span span_of(const tt_columns *c, int32_t in_x)
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
static const int8_t *row_at(const tt_columns *c, int32_t y, int32_t in_x)
{
    const tt_fast_convolution *p = c->p;
    return c->input + ((ptrdiff_t)(y - c->input_first) * p->input_width + in_x) * p->input_channels;
}

__attribute__((noinline)) static void column_by_rows(const tt_columns *c, span s, int32_t in_y,
                                                     int32_t in_x, uint32_t *to)
{
    const tt_fast_convolution *p = c->p;
    for (int32_t y = in_y; y < in_y + p->kernel_height; y++) {
        if (y < 0 || y >= p->input_height) {
            to = fill(c, to, c->row_bytes / 4);
            continue;
        }
        to = fill(c, to, s.first / 4);
        to = widen(c, to, row_at(c, y, in_x) + s.first, (s.end - s.first) / 4);
        to = fill(c, to, (c->row_bytes - s.end) / 4);
    }
}

__attribute__((noinline)) static void column_by_bytes(const tt_columns *c, span s, int32_t in_y,
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
    widen(c, to, c->window, (c->depth + 3) / 4);
}

/* A window inside the input. */
static void column_inside(const tt_columns *c, const int8_t *from, uint32_t *to)
{
    int32_t rows = c->p->kernel_height;
    if (c->row_bytes % 4 == 0) {
        c->kind->rows(to, from, c->row_bytes / 4, rows, c->input_row_bytes);
        return;
    }
    if (rows == 3 && c->row_bytes == 9) {
        c->kind->nines(to, from, c->input_row_bytes);
        return;
    }
    int8_t *window = tt_dsp_copy_rows(c->window, from, c->row_bytes, rows - 1, c->input_row_bytes);
    tt_copy_bytes(window, from + (ptrdiff_t)(rows - 1) * c->input_row_bytes, c->row_bytes);
    widen(c, to, c->window, (c->depth + 3) / 4);
}

static void make_column(const tt_columns *c, int32_t y, int32_t x, uint32_t *to)
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

/* By way of the columns, which are not in use yet. */
static void find_outside(tt_columns *c)
{
    int8_t *bytes = (int8_t *)(c->columns_end - 1);
    tt_fill_bytes(bytes, c->p->input_zero_point, 4);
    widen(c, c->columns, bytes, 1);
    c->outside[0] = c->columns[0];
    c->outside[1] = c->columns[1];
}

static tt_columns begin(const tt_columns_kind *kind, const tt_fast_convolution *p, const tt_band *r,
                        const int8_t *input, void *scratch)
{
    tt_columns c;
    c.kind = kind;
    c.p = p;
    c.input = input;
    c.input_first = r->input_first;
    c.input_row_bytes = p->input_width * p->input_channels;
    c.row_bytes = p->kernel_width * p->input_channels;
    c.depth = p->kernel_height * c.row_bytes;
    c.low = tt_four_times(p->activation_min);
    c.high = tt_four_times(p->activation_max);
    c.columns = scratch;
    c.columns_end = c.columns + (c.depth + 3) / 4 * TT_WORDS_OF_TAPS;
    c.window = (int8_t *)c.columns_end;
    /* Behind the window, where weights are multiplied that are not its own. */
    tt_store_word(c.window + (c.depth - 1) / 4 * 4, 0);
    find_outside(&c);
    return c;
}

/* A kernel of one pixel without stride: pixels lie in the order in which they are computed. */
static int32_t is_pointwise(const tt_fast_convolution *p)
{
    return p->kernel_height == 1 && p->kernel_width == 1 && p->stride_height == 1 &&
           p->stride_width == 1 && p->input_channels % 4 == 0;
}

static void pointwise_columns(const tt_columns *c, int32_t pixel, int32_t count)
{
    const int8_t *from = c->input + (ptrdiff_t)pixel * c->depth;
    for (int32_t i = 0; i < count; i++) {
        widen(c, c->columns + 2 * i, from, c->depth / 4);
        from += c->depth;
    }
}

/* Those of pixels that are not there: a block may look at a column's end. */
static void fill_columns(const tt_columns *c, int32_t first)
{
    for (int32_t i = first; i < TT_PIXELS; i++) {
        fill(c, c->columns + 2 * i, (c->depth + 3) / 4);
    }
}

void tt_dsp_convolve(const tt_columns_kind *kind, const tt_fast_convolution *p, const tt_band *band,
                     const int8_t *input, int8_t *output, void *scratch)
{
    tt_band r = tt_band_of(p, band);
    tt_columns c = begin(kind, p, &r, input, scratch);
    int32_t pointwise = is_pointwise(p);
    int32_t y = r.first;
    int32_t x = 0;
    int32_t first = (r.first - r.input_first) * p->output_width;
    int32_t left = (r.end - r.first) * p->output_width;
    for (; left > 0; left -= TT_PIXELS) {
        int32_t count = tt_min(left, TT_PIXELS);
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
        if (count == TT_PIXELS) {
            kind->multiply(&c, output);
            output += TT_PIXELS * p->output_channels;
        } else {
            fill_columns(&c, count);
            /* Behind the columns; the window has been used. */
            kind->multiply(&c, c.window);
            tt_copy_bytes(output, c.window, count * p->output_channels);
        }
    }
}

#endif
