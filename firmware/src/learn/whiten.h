/* Whitening: differences of features in standard deviations (firmware/LEARNING.md, section 4). */
#ifndef TINYTRAIN_WHITEN_H
#define TINYTRAIN_WHITEN_H

#include <stddef.h>
#include <stdint.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/lda.h"

static inline int32_t tt_saturate_int16(int32_t x)
{
    return tt_clamp(x, INT16_MIN, INT16_MAX);
}

/* u in Q10 of feature i, `away` Q7 from the origin or from a mean. */
static inline int16_t tt_whiten(const tt_lda_constants *k, size_t i, int32_t away)
{
    int32_t product = tt_saturate_int16(away) * k->whitening[i];
    return (int16_t)tt_saturate_int16(tt_round_half_up(product, k->whitening_shift));
}

#endif
