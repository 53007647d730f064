/* What the fast kernels of all instruction sets share. */
#ifndef TINYTRAIN_FAST_H
#define TINYTRAIN_FAST_H

#include <stddef.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/fast_kernels.h"

/* A sum as an output. */
static inline int8_t tt_channel_output(const tt_channel *channel, int32_t sum, int32_t low,
                                       int32_t high)
{
    int32_t output =
        tt_requantize_once(sum, channel->multiplier, channel->rounding, channel->shift);
    return (int8_t)tt_clamp(output, low, high);
}

/* The rows to compute; all where none are given. */
static inline tt_band tt_band_of(const tt_fast_convolution *p, const tt_band *band)
{
    tt_band all = {0, 0, p->output_height};
    return band == NULL ? all : *band;
}

#endif
