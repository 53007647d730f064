/* Fast FULLY_CONNECTED for the DSP extension: groups of channels that share the activations. */
#include "dense.h"

#if TT_KERNELS_DSP

#include "dsp.h"
#include "tinytrain/dsp_dense_block.h"

/* Channels that the block for any depth takes together. */
#define TOGETHER 4

/* As dsp_dense_block.h has it. */
typedef void dense_block(const int8_t *input, const int8_t *weights, const tt_channel *channels,
                         int8_t *output, const tt_channel *end, uint32_t low, uint32_t high,
                         const int8_t *words_end, const int8_t *input_end, int32_t depth);

void tt_dsp_dense_any(void);
__asm("tt_dsp_dense_any_depth tt_dsp_dense_any, 1\n");

/* Channels [first, first + count), a multiple of what the block takes together. */
static void multiply(const tt_fast_dense *p, dense_block *block, const int8_t *input,
                     int8_t *output, int32_t first, int32_t count)
{
    int32_t depth = p->input_depth;
    const tt_channel *channels = p->channels + first;
    block(input, p->weights + (ptrdiff_t)first * depth, channels, output + first, channels + count,
          tt_four_times(p->activation_min), tt_four_times(p->activation_max), input + depth / 4 * 4,
          input + depth, depth);
}

/* Where channels are left that make no group, they are taken in one with those before them. */
static void multiply_vector(const tt_fast_dense *p, const int8_t *input, int8_t *output)
{
    dense_block *any = (dense_block *)tt_dsp_dense_any;
    int32_t depth = p->output_depth;
    int32_t together = TT_DSP_DENSE_TOGETHER(p->input_depth);
    int32_t done = 0;
    if (p->block != NULL && depth >= together) {
        dense_block *block = (dense_block *)p->block;
        done = depth / together * together;
        multiply(p, block, input, output, 0, done);
        if (depth - done > TOGETHER) {
            multiply(p, block, input, output, depth - together, together);
            done = depth;
        }
    }
    int32_t rest = (depth - done) / TOGETHER * TOGETHER;
    if (rest > 0) {
        multiply(p, any, input, output, done, rest);
        done += rest;
    }
    if (done < depth && depth >= TOGETHER) {
        multiply(p, any, input, output, depth - TOGETHER, TOGETHER);
        done = depth;
    }
    for (; done < depth; done++) {
        output[done] = tt_dense_output(p, input, done);
    }
}

void tt_fast_fully_connected(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                             void *scratch)
{
    (void)scratch;
    tt_each_vector(p, input, output, multiply_vector);
}

#endif
