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

void tt_multiply(const int16_t *w, size_t rows, const int16_t *x, size_t count, int32_t *sums)
{
    for (; rows > 0; rows -= 2u) {
        /* A last row without a neighbour is its own. */
        const int16_t *next = rows > 1u ? w + count : w;
        int32_t sum_a = 0;
        int32_t sum_b = 0;
        for (size_t i = 0; i < count; i++) {
            int32_t value = x[i];
            sum_a += w[i] * value;
            sum_b += next[i] * value;
        }
        *sums++ = sum_a;
        if (rows == 1u) {
            return;
        }
        *sums++ = sum_b;
        w = next + count;
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
