/* The loop of ADD for the DSP extension. */
#ifndef TINYTRAIN_ADD_DSP_H
#define TINYTRAIN_ADD_DSP_H

#include <stdint.h>

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

/* The output may be an operand. */
void tt_dsp_add(const tt_dsp_addition *p, const int8_t *halved, const int8_t *other, int8_t *output,
                int32_t count);

#endif
