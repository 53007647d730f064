/* What the fast kernels of all instruction sets share. */
#ifndef TINYTRAIN_FAST_H
#define TINYTRAIN_FAST_H

#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/fast_kernels.h"

/* A sum as an output. floor((sum * m + 2^30 - [sum < 0] * 2^31 + rounding * 2^31) / 2^(31 +
 * shift)): both roundings of MBQM and the zero point at once. */
static inline int8_t tt_channel_output(const tt_channel *channel, int32_t sum, int32_t low,
                                       int32_t high)
{
    int32_t scaled = (int32_t)(((int64_t)sum * channel->multiplier + ((int64_t)1 << 30)) >> 31);
    int32_t rounded = (scaled + (sum >> 31) + channel->rounding) >> channel->shift;
    return (int8_t)tt_clamp(rounded, low, high);
}

/* The rows to compute; all where none are given. */
static inline tt_rows tt_rows_of(const tt_fast_convolution *p, const tt_rows *rows)
{
    tt_rows all = {0, 0, p->output_height};
    return rows == NULL ? all : *rows;
}

#endif
