/* int16 sigmoid and tanh by one table: the twin of tinytrain/sigmoid.py.
 *
 * `multiplier` and `shift` scale the input to units of 1/(3 * 4096): x * multiplier / 2^shift,
 * which has to stay within 32 bits; shift in [0, 30]. An input in Q3.12 has 3 and 0.
 */
#ifndef TINYTRAIN_SIGMOID_H
#define TINYTRAIN_SIGMOID_H

#include <stdint.h>

/* 1 / (1 + e^-x) in Q0.15. */
int16_t tt_sigmoid_q15(int16_t x, int32_t multiplier, int32_t shift);

/* tanh(x) in Q0.15. */
int16_t tt_tanh_q15(int16_t x, int32_t multiplier, int32_t shift);

#endif
