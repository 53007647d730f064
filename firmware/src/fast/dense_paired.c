/* Fast FULLY_CONNECTED whose weights lie in pairs for the DSP extension. */
#include "fast.h"

#if TT_KERNELS_DSP

#include "dsp.h"

/* Channels of a group of most of them. */
#define TOGETHER 8u

/* As dsp_paired_block.h has it. */
typedef void paired_block(const uint32_t *columns, const int8_t *weights,
                          const tt_channel *channels, int8_t *output, const int8_t *eights_end,
                          uint32_t low, uint32_t high);

/* Of each four inputs, in 16 bits: -(256 * even + odd + 128) - 1, and odd + 128; the last one's
 * sign is the end. Gives what is behind the inputs. */
static const int8_t *pair_inputs(const int8_t *input, int32_t depth, uint32_t *columns)
{
    uint32_t signs = 0x80008000u;
    uint32_t even;
    uint32_t odd;
    __asm volatile(
        "1:  ldr %[odd], [%[input]], #4\n"
        "    eor %[odd], %[odd], %[signs]\n"
        "    rev16 %[even], %[odd]\n"
        "    mvn %[even], %[even]\n"
        "    uxtb16 %[odd], %[odd], ror #8\n"
        "    strd %[even], %[odd], [%[columns]], #8\n"
        "    cmp %[input], %[end]\n"
        "    bne 1b"
        : [input] "+r"(input), [columns] "+r"(columns), [even] "=&r"(even), [odd] "=&r"(odd)
        : [signs] "r"(signs), [end] "r"(input + depth)
        : "cc", "memory");
    columns[-1] = odd | 0x80000000u;
    return input;
}

void tt_fast_fully_connected_paired(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                                    void *scratch)
{
    paired_block *block = (paired_block *)p->block;
    uint32_t eights = (uint32_t)p->output_depth / TOGETHER * TOGETHER;
    for (int32_t row = 0; row < p->rows; row++) {
        input = pair_inputs(input, p->input_depth, scratch);
        block(scratch, p->weights, p->channels, output, output + eights,
              tt_four_times(p->activation_min), tt_four_times(p->activation_max));
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
