/* UNIDIRECTIONAL_SEQUENCE_LSTM, portable. */
#include <string.h>

#include "tinytrain/arithmetic.h"
#include "tinytrain/sigmoid.h"
#include "tinytrain/state_kernels.h"

enum {
    INPUT_GATE,
    FORGET_GATE,
    CELL_GATE,
    OUTPUT_GATE,
};

/* Of a gate's sum, Q3.12, to the units of the table of sigmoid. */
#define GATE_MULTIPLIER 3

static int16_t saturate(int32_t x)
{
    return (int16_t)tt_clamp(x, INT16_MIN, INT16_MAX);
}

static int16_t rescale(int32_t x, int32_t multiplier, int32_t shift)
{
    return saturate(tt_multiply_by_quantized_multiplier(x, multiplier, shift));
}

static int32_t weighted_sum(const int8_t *weights, const int8_t *x, int32_t zero_point,
                            int32_t count)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += weights[i] * (x[i] - zero_point);
    }
    return sum;
}

/* What enters the sigmoid or tanh of a gate, Q3.12. */
static int16_t gate_sum(const tt_lstm *p, int32_t gate, int32_t unit, const int8_t *input,
                        const int8_t *hidden)
{
    int32_t row = gate * p->units + unit;
    int32_t seen = p->bias[row] + weighted_sum(p->weights + row * p->input_depth, input,
                                               p->input_zero_point, p->input_depth);
    int32_t remembered =
        weighted_sum(p->recurrent_weights + row * p->units, hidden, p->output_zero_point, p->units);
    return saturate(rescale(seen, p->multiplier[gate], p->shift[gate]) +
                    rescale(remembered, p->recurrent_multiplier[gate], p->recurrent_shift[gate]));
}

static int16_t sigmoid_gate(const tt_lstm *p, int32_t gate, int32_t unit, const int8_t *input,
                            const int8_t *hidden)
{
    return tt_sigmoid_q15(gate_sum(p, gate, unit, input, hidden), GATE_MULTIPLIER, 0);
}

static int16_t next_cell(const tt_lstm *p, int32_t unit, const int8_t *input, const int8_t *hidden,
                         int16_t cell)
{
    int32_t keep = sigmoid_gate(p, FORGET_GATE, unit, input, hidden);
    int32_t take = sigmoid_gate(p, INPUT_GATE, unit, input, hidden);
    int32_t candidate =
        tt_tanh_q15(gate_sum(p, CELL_GATE, unit, input, hidden), GATE_MULTIPLIER, 0);
    /* A product with a gate in Q0.15, times 2^-15. */
    int32_t kept = rescale(keep * cell, (int32_t)1 << 30, -14);
    int32_t added = rescale(take * candidate, p->cell_multiplier, p->cell_shift);
    return (int16_t)tt_clamp(saturate(kept + added), -p->cell_clip, p->cell_clip);
}

/* One time step. The new hidden state stays in `output` until every unit has seen the old one. */
static void step(const tt_lstm *p, const int8_t *input, int8_t *output, const int8_t *hidden,
                 int16_t *cell)
{
    for (int32_t unit = 0; unit < p->units; unit++) {
        int32_t show = sigmoid_gate(p, OUTPUT_GATE, unit, input, hidden);
        cell[unit] = next_cell(p, unit, input, hidden, cell[unit]);
        int32_t shown = tt_tanh_q15(cell[unit], p->tanh_multiplier, p->tanh_shift) * show;
        output[unit] = tt_requantize(shown, p->output_multiplier, p->output_shift,
                                     p->output_zero_point, INT8_MIN, INT8_MAX);
    }
}

void tt_lstm_int8(const tt_lstm *p, const int8_t *input, int8_t *output, int8_t *hidden,
                  int16_t *cell)
{
    for (int32_t t = 0; t < p->time_steps; t++) {
        step(p, input, output, hidden, cell);
        memcpy(hidden, output, (size_t)p->units);
        input += p->input_depth;
        output += p->units;
    }
}
