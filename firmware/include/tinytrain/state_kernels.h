/* The kernels of operators that hold state: their own variables come last, and are read and
 * written. Structs and rules as in kernels.h.
 */
#ifndef TINYTRAIN_STATE_KERNELS_H
#define TINYTRAIN_STATE_KERNELS_H

#include <stdint.h>

/* SVDF. U units, R rank, F = U * R filters, D input elements, M memory. */
typedef struct tt_svdf {
    int32_t units;
    int32_t rank;
    int32_t memory;
    int32_t input_depth;
    int32_t input_zero_point;
    int32_t state_zero_point; /* 0 where the state is int16 */
    int32_t output_zero_point;
    int32_t state_multiplier;
    int32_t state_shift;
    int32_t output_multiplier;
    int32_t output_shift;
    const int8_t *weights;    /* [F][D] */
    const void *time_weights; /* [F][M] of the state's type */
    const int32_t *bias;      /* [U] */
} tt_svdf;

/* input [D], output [U], state [F][M]: each filter's last M projections, the newest last. Sums over
 * time wrap at 32 bits. */
void tt_svdf_int8(const tt_svdf *p, const int8_t *input, int8_t *output, int8_t *state);
void tt_svdf_int16(const tt_svdf *p, const int8_t *input, int8_t *output, int16_t *state);

#endif
