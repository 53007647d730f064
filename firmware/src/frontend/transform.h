/* The real Fourier transform in integers. Rules: firmware/FRONTEND.md, section 2.
 *
 * z: [points] int32, as points / 2 complex numbers (real, imaginary). A sample pair v[2i], v[2i +
 * 1] of |v| <= 2^30 is put at complex place tt_transform_place(); tt_transform_run leaves there the
 * transform divided by `points`.
 */
#ifndef TINYTRAIN_TRANSFORM_H
#define TINYTRAIN_TRANSFORM_H

#include "tinytrain/frontend.h"

/* The place of the next pair of samples, after `place`; that of the first is 0. */
static inline uint32_t tt_transform_next_place(uint32_t place, uint32_t pairs)
{
    uint32_t bit = pairs >> 1;
    while ((place & bit) != 0u) {
        place ^= bit;
        bit >>= 1;
    }
    return place | bit;
}

/* In place. z[0] is then the (real) value at frequency 0, z[1] that at points / 2; z[2k], z[2k + 1]
 * real and imaginary part of frequency k. */
void tt_transform_run(const tt_transform *transform, int32_t *z);

/* x x, for |x| < 2^31. */
static inline uint64_t tt_transform_square(int32_t x)
{
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
    /* A machine that multiplies words to words: halves, without a call. */
    uint32_t magnitude = x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
    uint32_t high = magnitude >> 16;
    uint32_t low = magnitude & 65535u;
    return ((uint64_t)(high * high) << 32) + ((uint64_t)(high * low) << 17) + low * low;
#else
    return (uint64_t)((int64_t)x * x);
#endif
}

/* Squared magnitude at frequency k, 0 < k < points / 2. */
static inline uint64_t tt_transform_power(const int32_t *z, uint32_t k)
{
    return tt_transform_square(z[2u * k]) + tt_transform_square(z[2u * k + 1u]);
}

#endif
