/* The loop of ADD for the vector extension. */
#ifndef TINYTRAIN_ADD_MVE_H
#define TINYTRAIN_ADD_MVE_H

#include <stdint.h>

/* One operand, that with the larger scale, is only halved, which is exact, as it is raised by some
 * bits before. Shifts are at least 1. */
typedef struct tt_mve_addition {
    int32_t one;  /* of the other operand: 2^bits that it is raised by */
    int32_t zero; /* its zero point, raised so, too */
    int32_t multiplier;
    int32_t shift;
    int32_t halved_one; /* the same of the halved operand, halved */
    int32_t halved_zero;
    int32_t output_multiplier;
    int32_t output_rounding; /* with the zero point */
    int32_t output_shift;
    int32_t low;
    int32_t high;
} tt_mve_addition;

/* The output may be an operand. */
void tt_mve_add(const tt_mve_addition *p, const int8_t *halved, const int8_t *other, int8_t *output,
                int32_t count);

#endif
