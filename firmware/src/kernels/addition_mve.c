/* The loop of ADD for the vector extension. */
#include "addition_loops.h"

#if TT_KERNELS_MVE

#include <arm_mve.h>

/* Four outputs. MBQM's roundings are (x + (x < 0 ? -1 : 0) + half) >> shift. Shifts and zeros of
 * `p` are negated. */
static inline int32x4_t sum_of(const tt_mve_addition *p, int32x4_t halved, int32x4_t other)
{
    int32x4_t raised = vmlasq_n_s32(other, vdupq_n_s32(p->one), p->zero);
    int32x4_t sum = vqrdmlahq_n_s32(vshrq_n_s32(raised, 31), raised, p->multiplier);
    sum = vrshlq_n_s32(sum, p->shift);
    sum = vmlaq_n_s32(vaddq_n_s32(sum, p->halved_zero), halved, p->halved_one);
    sum = vqrdmlahq_n_s32(vshrq_n_s32(sum, 31), sum, p->output_multiplier);
    sum = vshlq_r_s32(vaddq_n_s32(sum, p->output_rounding), p->output_shift);
    return vminq_s32(vmaxq_s32(sum, vdupq_n_s32(p->low)), vdupq_n_s32(p->high));
}

void tt_mve_add(const tt_mve_addition *given, const int8_t *halved, const int8_t *other,
                int8_t *output, int32_t count)
{
    tt_mve_addition p = *given;
    p.zero = -p.zero;
    p.shift = -p.shift;
    p.halved_zero = -p.halved_zero;
    p.output_shift = -p.output_shift;
    for (int32_t i = (int32_t)((uint32_t)count / 4u); i > 0; i--) {
        vstrbq_s32(output, sum_of(&p, vldrbq_s32(halved), vldrbq_s32(other)));
        halved += 4;
        other += 4;
        output += 4;
    }
    mve_pred16_t rest = vctp32q((uint32_t)count % 4u);
    vstrbq_p_s32(output, sum_of(&p, vldrbq_z_s32(halved, rest), vldrbq_z_s32(other, rest)), rest);
}

#endif
