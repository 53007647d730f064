/* The loops of ADD for processors with an extension, over operands of one shape.
 *
 * One operand, that with the larger scale, is only halved, which is exact, as it is raised by some
 * bits before. Shifts are at least 1. The output may be an operand.
 */
#ifndef TINYTRAIN_ADDITION_LOOPS_H
#define TINYTRAIN_ADDITION_LOOPS_H

#include <stdint.h>

#include "tinytrain/instruction_set.h"

#if TT_KERNELS_DSP

/* output[i] = ((halved[i] << 19) + scaled) * output_multiplier, scaled alike, where scaled =
 * ((other[i] << 21) - zero) * multiplier * 2^-32, added to `rounding` and shifted to the right. */
typedef struct tt_dsp_addition {
    int32_t zero;
    int32_t multiplier;
    int32_t rounding;
    int32_t shift;
    int32_t output_multiplier;
    int32_t output_rounding;
    int32_t output_shift;
} tt_dsp_addition;

void tt_dsp_add(const tt_dsp_addition *p, const int8_t *halved, const int8_t *other, int8_t *output,
                int32_t count);

#elif TT_KERNELS_MVE

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

void tt_mve_add(const tt_mve_addition *p, const int8_t *halved, const int8_t *other, int8_t *output,
                int32_t count);

#endif

#endif
