/* What the fast kernels share that use the vector extension (MVE). */
#ifndef TINYTRAIN_FAST_MVE_H
#define TINYTRAIN_FAST_MVE_H

#include "fast.h"

#if TT_KERNELS_MVE

#include <arm_mve.h>

#define TT_LANES 16 /* bytes of a vector */

/* The ways of four channels from sums to outputs, a channel a lane; see tt_channel. */
typedef struct tt_four_channels {
    int32x4_t start;
    int32x4_t multiplier;
    int32x4_t rounding;
    int32x4_t shift; /* to the left */
} tt_four_channels;

/* Channels 0, distance, 2 * distance and 3 * distance, of which there are those whose lanes are in
 * `present`. */
static inline tt_four_channels tt_load_channels(const tt_channel *channels, uint32_t distance,
                                                mve_pred16_t present)
{
    tt_four_channels four;
    uint32x4_t at = vmulq_n_u32(vidupq_n_u32(0, 1), distance * (uint32_t)sizeof(tt_channel));
    four.start = vldrwq_gather_offset_z_s32(&channels->start, at, present);
    four.multiplier = vldrwq_gather_offset_z_s32(&channels->multiplier, at, present);
    four.rounding = vldrwq_gather_offset_z_s32(&channels->rounding, at, present);
    four.shift = vnegq_s32(vldrwq_gather_offset_z_s32(&channels->shift, at, present));
    return four;
}

/* Sums without the start, as outputs that are not yet clamped. */
static inline int32x4_t tt_scale_lanes(const tt_four_channels *four, int32x4_t sums)
{
    int32x4_t sum = vaddq_s32(sums, four->start);
    int32x4_t scaled = vaddq_s32(vqrdmulhq_s32(sum, four->multiplier), vshrq_n_s32(sum, 31));
    return vshlq_s32(vaddq_s32(scaled, four->rounding), four->shift);
}

#endif

#endif
