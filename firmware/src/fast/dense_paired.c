/* Fast FULLY_CONNECTED whose weights lie in pairs for the DSP extension. */
#include "fast.h"

#if TT_KERNELS_DSP

#include "dsp.h"

/* As dsp_paired_block.h has it. */
typedef void paired_block(const uint32_t *columns, const int8_t *weights,
                          const tt_channel *channels, int8_t *output, const tt_channel *end,
                          uint32_t low, uint32_t high, const uint32_t *columns_end);

/* Of each four inputs, in 16 bits: -(256 * even + odd + 128) - 1, and odd + 128. */
static uint32_t *pair_inputs(const int8_t *input, int32_t depth, uint32_t *columns)
{
    for (const int8_t *end = input + depth; input != end; input += 4) {
        uint32_t word = tt_load_word(input) ^ 0x80008000u;
        uint32_t odd = (word >> 8) & 0x00FF00FFu;
        *columns++ = ~(((word & 0x00FF00FFu) << 8) | odd);
        *columns++ = odd;
    }
    return columns;
}

void tt_fast_fully_connected_paired(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                                    void *scratch)
{
    uint32_t *columns = scratch;
    paired_block *block = (paired_block *)p->block;
    for (int32_t row = 0; row < p->rows; row++) {
        uint32_t *end = pair_inputs(input, p->input_depth, columns);
        block(columns, p->weights, p->channels, output, p->channels + p->output_depth,
              tt_four_times(p->activation_min), tt_four_times(p->activation_max), end);
        input += p->input_depth;
        output += p->output_depth;
    }
}

#else

void tt_fast_fully_connected_paired(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                                    void *scratch)
{
    tt_fast_fully_connected(p, input, output, scratch);
}

#endif
