/* The analytic head's loops over D features: in portable C, and for processors with the DSP
 * extension two at a time. */
#ifndef TINYTRAIN_LDA_LOOPS_H
#define TINYTRAIN_LDA_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN)

#include <arm_acle.h>
#include <string.h>

/* Two neighbours, the first in the low half; these processors load them from any address. */
static inline int16x2_t tt_neighbours(const int16_t *place)
{
    int16x2_t pair;
    memcpy(&pair, place, sizeof pair);
    return pair;
}

/* a . b, exactly. */
static inline int64_t tt_dot_int16(const int16_t *a, const int16_t *b, size_t count)
{
    int64_t sum = 0;
    const int16_t *end = a + (count & ~(size_t)7);
    while (a != end) {
        sum = __smlald(tt_neighbours(a), tt_neighbours(b), sum);
        sum = __smlald(tt_neighbours(a + 2), tt_neighbours(b + 2), sum);
        sum = __smlald(tt_neighbours(a + 4), tt_neighbours(b + 4), sum);
        sum = __smlald(tt_neighbours(a + 6), tt_neighbours(b + 6), sum);
        a += 8;
        b += 8;
    }
    for (size_t i = 0; i < (count & 7u); i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* sums[i] += factor values[i], within 32 bits; factor an int16. */
static inline void tt_add_multiple(int32_t *sums, int32_t factor, const int16_t *values,
                                   size_t count)
{
    const int32_t *end = sums + (count & ~(size_t)7);
    while (sums != end) {
        for (size_t i = 0; i < 8; i += 2) {
            int16x2_t pair = tt_neighbours(values + i);
            sums[i] = __smlabb(pair, factor, sums[i]);
            sums[i + 1] = __smlatb(pair, factor, sums[i + 1]);
        }
        sums += 8;
        values += 8;
    }
    for (size_t i = 0; i < (count & 7u); i++) {
        sums[i] += factor * values[i];
    }
}

#else

/* a . b, exactly. */
static inline int64_t tt_dot_int16(const int16_t *a, const int16_t *b, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* sums[i] += factor values[i], within 32 bits; factor an int16. */
static inline void tt_add_multiple(int32_t *sums, int32_t factor, const int16_t *values,
                                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sums[i] += factor * values[i];
    }
}

#endif

#endif
