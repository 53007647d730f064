/* The analytic head's loops over D features: in portable C, and for processors with the DSP
 * extension two at a time.
 *
 * tt_dot_int16: a . b, exactly. tt_add_outer: adds the products of all pairs of values to the rows
 * of a lower triangle, within 32 bits.
 */
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

/* Adds the products of the values of two rows, a and b, with those of the columns before both, and
 * the three of the corner. `row` is even.
 *
 * Half of the work is loads and stores. Two words go at once, which compilers do here now and then
 * only, and a column's value is loaded once for both rows. */
static inline void tt_add_outer_rows(int32_t *a, int32_t *b, const int16_t *values, size_t row)
{
    const int16x2_t factors = tt_neighbours(values + row);
    for (const int16_t *end = values + row; values != end; values += 2) {
        int32_t first, second, third, fourth;
        __asm("ldrd %[first], %[second], [%[a]]\n\t"
              "ldrd %[third], %[fourth], [%[b]]\n\t"
              "smlabb %[first], %[columns], %[factors], %[first]\n\t"
              "smlatb %[second], %[columns], %[factors], %[second]\n\t"
              "smlabt %[third], %[columns], %[factors], %[third]\n\t"
              "smlatt %[fourth], %[columns], %[factors], %[fourth]\n\t"
              "strd %[first], %[second], [%[a]], #8\n\t"
              "strd %[third], %[fourth], [%[b]], #8"
              : [a] "+r"(a), [b] "+r"(b), [first] "=&r"(first), [second] "=&r"(second),
                [third] "=&r"(third), [fourth] "=&r"(fourth)
              : [columns] "r"(tt_neighbours(values)), [factors] "r"(factors)
              : "memory");
    }
    a[0] = __smlabb(factors, factors, a[0]);
    b[0] = __smlabt(factors, factors, b[0]);
    b[1] = __smlatt(factors, factors, b[1]);
}

static inline void tt_add_outer(int32_t *triangle, const int16_t *values, size_t count)
{
    for (size_t row = 0; row + 2 <= count; row += 2) {
        tt_add_outer_rows(triangle, triangle + row + 1, values, row);
        triangle += 2 * row + 3;
    }
    if ((count & 1u) != 0u) {
        for (size_t i = 0; i < count; i++) {
            triangle[i] += values[count - 1] * values[i];
        }
    }
}

#else

static inline int64_t tt_dot_int16(const int16_t *a, const int16_t *b, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static inline void tt_add_outer(int32_t *triangle, const int16_t *values, size_t count)
{
    for (size_t row = 0; row < count; row++) {
        for (size_t i = 0; i <= row; i++) {
            *triangle++ += values[row] * values[i];
        }
    }
}

#endif

#endif
