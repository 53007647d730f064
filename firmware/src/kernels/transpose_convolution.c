/* TRANSPOSE_CONV, portable: each output gathers the input pixels that reach it, so that no buffer
 * of sums is needed. */
#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

/* The input positions that reach one output along an axis: [first, end). */
typedef struct reach {
    int32_t first;
    int32_t end;
} reach;

/* `place`: the output's position, padding included. Input position i reaches it through tap
 * place - i * stride, which has to lie in [0, kernel). */
static reach reach_of(int32_t place, int32_t size, int32_t kernel, int32_t stride)
{
    reach r;
    r.first = place < kernel ? 0 : (place - kernel) / stride + 1;
    r.end = tt_min(place / stride + 1, size);
    return r;
}

/* Letters: I input channels. */
static int32_t sum_reach(const tt_convolution *p, const int8_t *input, int32_t y, int32_t x,
                         const int8_t *filter)
{
    reach rows = reach_of(y, p->input_height, p->kernel_height, p->stride_height);
    reach columns = reach_of(x, p->input_width, p->kernel_width, p->stride_width);
    int32_t acc = 0;
    for (int32_t row = rows.first; row < rows.end; row++) {
        for (int32_t column = columns.first; column < columns.end; column++) {
            int32_t tap_row = y - row * p->stride_height;
            int32_t tap_column = x - column * p->stride_width;
            const int8_t *pixel =
                input + (ptrdiff_t)(row * p->input_width + column) * p->input_channels;
            const int8_t *weight =
                filter + (ptrdiff_t)(tap_row * p->kernel_width + tap_column) * p->input_channels;
            for (int32_t i = 0; i < p->input_channels; i++) {
                acc += weight[i] * (pixel[i] - p->input_zero_point);
            }
        }
    }
    return acc;
}

void tt_transpose_conv(const tt_convolution *p, const int8_t *input, int8_t *output)
{
    ptrdiff_t filter_size = (ptrdiff_t)p->kernel_height * p->kernel_width * p->input_channels;
    for (int32_t y = p->pad_top; y < p->pad_top + p->output_height; y++) {
        for (int32_t x = p->pad_left; x < p->pad_left + p->output_width; x++) {
            for (int32_t o = 0; o < p->output_channels; o++) {
                int32_t acc = p->bias[o] + sum_reach(p, input, y, x, p->weights + o * filter_size);
                *output++ = tt_requantize(acc, p->multiplier[o], p->shift[o], p->output_zero_point,
                                          p->activation_min, p->activation_max);
            }
        }
    }
}
