/* LOGISTIC and TANH of int16, portable. */
#include "sigmoid_table.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

#define LAST (TT_SIGMOID_ENTRIES - 1)

/* The input in steps of 1 / 12288. */
static int32_t argument(const tt_sigmoid *p, int32_t x)
{
    return p->shift > 0 ? tt_round_half_up(x * p->multiplier, p->shift) : x * p->multiplier;
}

/* sigmoid in Q0.(16 + bits) of a magnitude of which `bits` lie between two entries; `highest`
 * behind the last. */
static int32_t interpolate(int32_t magnitude, int32_t bits, int32_t highest)
{
    int32_t index = magnitude >> bits;
    if (index >= LAST) {
        return highest;
    }
    int32_t below = tt_sigmoid_table[index];
    int32_t above = tt_sigmoid_table[index + 1];
    int32_t fraction = magnitude - tt_shift_left_wrapping(index, bits);
    return tt_shift_left_wrapping(below, bits) + fraction * (above - below);
}

void tt_logistic_int16(const tt_sigmoid *p, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        int32_t x = argument(p, input[i]);
        int32_t y = interpolate(x < 0 ? -x : x, 9, 0x7FFF << 10);
        if (x < 0) {
            y = (1 << 25) - 1 - y;
        }
        output[i] = (int16_t)tt_round_half_up(y, 10);
    }
}

void tt_tanh_int16(const tt_sigmoid *p, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        int32_t x = argument(p, input[i]);
        int32_t y = interpolate(x < 0 ? -x : x, 8, 0xFFFF << 8) - (1 << 23);
        if (x < 0) {
            y = -y - 1;
        }
        output[i] = (int16_t)tt_round_half_up(y, 8);
    }
}
