/* Operators that move elements and compute nothing: TRANSPOSE, STRIDED_SLICE, PAD, MIRROR_PAD,
 * RESIZE_NEAREST_NEIGHBOR, CONCATENATION and SPLIT, portable. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tinytrain/kernels.h"
#include "tinytrain/limits.h"

/* A run of one element, the commonest, does without a call. */
static void copy_run(uint8_t *output, const uint8_t *input, int32_t run)
{
    if (run == 1) {
        *output = *input;
    } else {
        memcpy(output, input, (size_t)run);
    }
}

void tt_strided_copy(const tt_strides *p, const void *input, void *output)
{
    int32_t index[TT_MAX_RANK] = {0};
    const uint8_t *from = (const uint8_t *)input + p->input_offset;
    uint8_t *to = (uint8_t *)output + p->output_offset;
    int32_t axis = 0;
    memset(output, p->fill_value, (size_t)p->fill_bytes);
    while (axis >= 0) {
        copy_run(to, from, p->run);
        /* On to the next index, as a counter of `rank` digits; past its end, axis is -1. */
        for (axis = p->rank - 1; axis >= 0 && index[axis] + 1 == p->extent[axis]; axis--) {
            from -= (ptrdiff_t)index[axis] * p->input_stride[axis];
            to -= (ptrdiff_t)index[axis] * p->output_stride[axis];
            index[axis] = 0;
        }
        if (axis >= 0) {
            index[axis]++;
            from += p->input_stride[axis];
            to += p->output_stride[axis];
        }
    }
}

void tt_gather(const tt_positions *p, const void *input, void *output)
{
    int32_t index[TT_MAX_RANK] = {0};
    uint8_t *to = output;
    int32_t axis = 0;
    while (axis >= 0) {
        const uint8_t *from = input;
        const int32_t *table = p->offset;
        for (int32_t i = 0; i < p->rank; i++) {
            from += table[index[i]];
            table += p->extent[i];
        }
        copy_run(to, from, p->run);
        to += p->run;
        for (axis = p->rank - 1; axis >= 0 && index[axis] + 1 == p->extent[axis]; axis--) {
            index[axis] = 0;
        }
        if (axis >= 0) {
            index[axis]++;
        }
    }
}

void tt_concatenate(const tt_parts *p, const void *const *inputs, void *output)
{
    uint8_t *to = output;
    for (int32_t row = 0; row < p->outer; row++) {
        for (int32_t i = 0; i < p->parts; i++) {
            const uint8_t *from = inputs[i];
            memcpy(to, from + (ptrdiff_t)row * p->bytes[i], (size_t)p->bytes[i]);
            to += p->bytes[i];
        }
    }
}

void tt_split(const tt_parts *p, const void *input, void *const *outputs)
{
    const uint8_t *from = input;
    for (int32_t row = 0; row < p->outer; row++) {
        for (int32_t i = 0; i < p->parts; i++) {
            uint8_t *to = outputs[i];
            memcpy(to + (ptrdiff_t)row * p->bytes[i], from, (size_t)p->bytes[i]);
            from += p->bytes[i];
        }
    }
}
