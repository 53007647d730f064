/* int16 sigmoid and tanh, as TensorFlow Lite's reference/integer_ops defines them. */
#include "tinytrain/sigmoid.h"

#include "sigmoid_table.h"

static int32_t scale(int16_t x, int32_t multiplier, int32_t shift)
{
    int32_t rounding = shift > 0 ? (int32_t)1 << (shift - 1) : 0;
    return (x * multiplier + rounding) >> shift;
}

/* The table at position / 2^bits, times 2^bits; `beyond` past its end. */
static int32_t interpolate(int32_t position, int32_t bits, int32_t beyond)
{
    int32_t step = position >> bits;
    if (step >= TT_SIGMOID_ENTRIES - 1) {
        return beyond;
    }
    int32_t fraction = position - (step << bits);
    int32_t low = tt_sigmoid_table[step];
    return (low << bits) + fraction * (tt_sigmoid_table[step + 1] - low);
}

int16_t tt_sigmoid_q15(int16_t x, int32_t multiplier, int32_t shift)
{
    int32_t scaled = scale(x, multiplier, shift);
    int32_t half = (int32_t)1 << 9;
    if (scaled >= 0) {
        return (int16_t)((interpolate(scaled, 9, 0x7fff << 10) + half) >> 10);
    }
    int32_t one = (int32_t)1 << 25;
    return (int16_t)((one - interpolate(-scaled, 9, 0x7fff << 10) + half - 1) >> 10);
}

int16_t tt_tanh_q15(int16_t x, int32_t multiplier, int32_t shift)
{
    int32_t scaled = scale(x, multiplier, shift);
    int32_t middle = (int32_t)1 << 23;
    int32_t half = (int32_t)1 << 7;
    if (scaled >= 0) {
        return (int16_t)((interpolate(scaled, 8, 0xffff << 8) - middle + half) >> 8);
    }
    return (int16_t)((middle - interpolate(-scaled, 8, 0xffff << 8) + half - 1) >> 8);
}
