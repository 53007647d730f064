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

/* UNIDIRECTIONAL_SEQUENCE_LSTM. T time steps, D input elements, S units; 4 gates: input, forget,
 * cell, output. */
typedef struct tt_lstm {
    int32_t time_steps;
    int32_t input_depth;
    int32_t units;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t cell_clip;       /* the cell state stays within +-cell_clip; 32768: no limit */
    int32_t tanh_multiplier; /* cell state to the units of tt_tanh_q15 */
    int32_t tanh_shift;
    int32_t cell_multiplier; /* product of two gates to cell state */
    int32_t cell_shift;
    int32_t output_multiplier; /* product of gate and tanh of the cell state to output */
    int32_t output_shift;
    const int8_t *weights;               /* [4][S][D] */
    const int8_t *recurrent_weights;     /* [4][S][S] */
    const int32_t *bias;                 /* [4][S] */
    const int32_t *multiplier;           /* [4] sums of weights * input to Q3.12 */
    const int8_t *shift;                 /* [4] */
    const int32_t *recurrent_multiplier; /* [4] the same for weights * hidden state */
    const int8_t *recurrent_shift;       /* [4] */
} tt_lstm;

/* input [T][D], output [T][S], hidden [S], cell [S]; the hidden state is the last output. */
void tt_lstm_int8(const tt_lstm *p, const int8_t *input, int8_t *output, int8_t *hidden,
                  int16_t *cell);

#endif
