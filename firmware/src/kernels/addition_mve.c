/* ADD of operands of one shape with the vector extension. */
#include "addition_mve.h"

#if TT_KERNELS_MVE

#include <arm_mve.h>

/* What turns a pair of inputs into an output. One of both operands, that with the larger scale, is
 * only halved, which is exact, as it is raised by some bits before. */
typedef struct rescaling {
    int32_t one;  /* of the other operand: 2^bits that it is raised by */
    int32_t zero; /* minus its zero point, raised so, too */
    int32_t multiplier;
    int32_t shift;      /* to the left */
    int32_t halved_one; /* the same of the halved operand, halved */
    int32_t halved_zero;
    int32_t output_multiplier;
    int32_t output_rounding; /* with the zero point */
    int32_t output_shift;    /* to the left */
    int32_t low;
    int32_t high;
} rescaling;

static int32_t is_halved(int32_t multiplier, int32_t shift)
{
    return multiplier == (int32_t)1 << 30 && shift == 0;
}

/* Four outputs. MBQM's roundings are (x + (x < 0 ? -1 : 0) + half) >> shift, for a shift of at
 * least 1. */
static inline int32x4_t sum_of(const rescaling *r, int32x4_t other, int32x4_t halved)
{
    int32x4_t raised = vmlasq_n_s32(other, vdupq_n_s32(r->one), r->zero);
    int32x4_t sum = vqrdmlahq_n_s32(vshrq_n_s32(raised, 31), raised, r->multiplier);
    sum = vrshlq_n_s32(sum, r->shift);
    sum = vmlaq_n_s32(vaddq_n_s32(sum, r->halved_zero), halved, r->halved_one);
    sum = vqrdmlahq_n_s32(vshrq_n_s32(sum, 31), sum, r->output_multiplier);
    sum = vshlq_r_s32(vaddq_n_s32(sum, r->output_rounding), r->output_shift);
    return vminq_s32(vmaxq_s32(sum, vdupq_n_s32(r->low)), vdupq_n_s32(r->high));
}

static void add(const rescaling *given, const int8_t *other, const int8_t *halved, int32_t count,
                int8_t *output)
{
    rescaling r = *given;
    for (int32_t i = (int32_t)((uint32_t)count / 4u); i > 0; i--) {
        vstrbq_s32(output, sum_of(&r, vldrbq_s32(other), vldrbq_s32(halved)));
        other += 4;
        halved += 4;
        output += 4;
    }
    mve_pred16_t rest = vctp32q((uint32_t)count % 4u);
    vstrbq_p_s32(output, sum_of(&r, vldrbq_z_s32(other, rest), vldrbq_z_s32(halved, rest)), rest);
}

int32_t tt_add_mve(const tt_addition *p, const int8_t *input1, const int8_t *input2, int8_t *output)
{
    const tt_broadcast *plan = &p->broadcast;
    int32_t first_halved = is_halved(p->input1_multiplier, p->input1_shift);
    int32_t multiplier = first_halved ? p->input2_multiplier : p->input1_multiplier;
    int32_t shift = first_halved ? p->input2_shift : p->input1_shift;
    int32_t zero = first_halved ? p->input2_zero_point : p->input1_zero_point;
    int32_t halved_zero = first_halved ? p->input1_zero_point : p->input2_zero_point;
    int32_t raised = p->left_shift;
    if (is_halved(multiplier, shift)) { /* both: the same with another bit */
        raised++;
        shift--;
    }
    if (plan->dimensions != 1 || plan->strides1[0] != 1 || plan->strides2[0] != 1 ||
        !(first_halved || is_halved(p->input2_multiplier, p->input2_shift)) || shift > -1 ||
        p->output_shift > -1 || p->output_shift < -22 || p->left_shift < 1 || p->left_shift > 20) {
        return 0;
    }
    rescaling r;
    r.one = (int32_t)1 << raised;
    r.zero = -zero * r.one;
    r.multiplier = multiplier;
    r.shift = shift;
    r.halved_one = (int32_t)1 << (p->left_shift - 1);
    r.halved_zero = -halved_zero * r.halved_one;
    r.output_multiplier = p->output_multiplier;
    r.output_rounding = (2 * p->output_zero_point + 1) * ((int32_t)1 << (-p->output_shift - 1));
    r.output_shift = p->output_shift;
    r.low = p->activation_min;
    r.high = p->activation_max;
    add(&r, first_halved ? input2 : input1, first_halved ? input1 : input2, plan->extents[0],
        output);
    return 1;
}

#endif
