/* The learning head's loops over features, in portable C. */
#include "row_loops.h"

#include "tinytrain/arithmetic.h"

#if !TT_ROW_LOOPS_DSP

void tt_center(const int8_t *features, int32_t zero_point, int32_t shift, int16_t *x,
               int16_t *raised, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int32_t value = features[i] - zero_point;
        x[i] = (int16_t)value;
        raised[i] = (int16_t)tt_shift_left_wrapping(value, shift);
    }
}

/* The two sums of a pair of rows. Apart from the loop over pairs, for a Cortex-M0 has registers for
 * just this. */
#if defined(__GNUC__)
__attribute__((noinline))
#endif
static void
multiply_pair(const int16_t *a, const int16_t *b, const int16_t *x, size_t count, int32_t sums[2])
{
    int32_t sum_a = 0;
    int32_t sum_b = 0;
    while (count > 0) {
        count--;
        int32_t value = x[count];
        sum_a += a[count] * value;
        sum_b += b[count] * value;
    }
    sums[0] = sum_a;
    sums[1] = sum_b;
}

void tt_multiply(const int16_t *w, size_t rows, const int16_t *x, size_t count, int32_t *sums)
{
    for (; rows >= 2u; rows -= 2u) {
        multiply_pair(w, w + count, x, count, sums);
        w += 2u * count;
        sums += 2;
    }
    if (rows > 0) {
        int32_t both[2]; /* of a last row without a neighbour */
        multiply_pair(w, w, x, count, both);
        sums[0] = both[0];
    }
}

void tt_descend(int16_t *w, const int16_t *raised, int32_t g, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int32_t value = w[i] - ((g * raised[i] + 0x8000) >> 16);
        if (value != (int16_t)value) {
            value = value < 0 ? INT16_MIN : INT16_MAX;
        }
        w[i] = (int16_t)value;
    }
}

void tt_descend_wide(int16_t *w, uint16_t *low, const int16_t *raised, int32_t g, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int32_t step = g * raised[i];
        uint32_t master = (uint32_t)w[i] << 16 | low[i];
        uint32_t next = master - (uint32_t)step;
        /* It overflows where the signs of master and step differ, and next has the step's. */
        if (((master ^ (uint32_t)step) & (master ^ next)) >> 31 != 0u) {
            next = step < 0 ? (uint32_t)INT32_MAX : (uint32_t)INT32_MIN;
        }
        w[i] = (int16_t)(next >> 16);
        low[i] = (uint16_t)next;
    }
}

#endif
