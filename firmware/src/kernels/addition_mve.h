/* ADD with the vector extension. */
#ifndef TINYTRAIN_ADDITION_MVE_H
#define TINYTRAIN_ADDITION_MVE_H

#include "tinytrain/instruction_set.h"
#include "tinytrain/kernels.h"

#if TT_KERNELS_MVE

/* tt_add for operands of one shape, with scales as they come from a converter; returns 0, with
 * nothing done, for others. */
int32_t tt_add_mve(const tt_addition *p, const int8_t *input1, const int8_t *input2,
                   int8_t *output);

#endif

#endif
