/* The learning head: forward pass, softmax in base 2, and the sparse update.
 *
 * Letters: C classes, D features. tinytrain/emulator/head.py computes the same bits.
 */
#include "tinytrain/head.h"

#include <stddef.h>

#include "head_constants.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/crc32.h"
#include "tinytrain/status.h"

static void load_row(tt_head *head, uint16_t row)
{
    size_t depth = head->constants->features;
    for (size_t i = row * depth; i < (row + 1u) * depth; i++) {
        int32_t weight = tt_max(head->constants->weights[i], -127);
        head->forward_weights[i] = (int8_t)weight;
        head->master_weights[i] = (int16_t)(weight * (1 << TT_MASTER_FRACTION_BITS));
    }
    head->master_bias[row] = head->constants->bias[row] * (1 << TT_MASTER_FRACTION_BITS);
}

void tt_head_reset(tt_head *head)
{
    for (uint16_t row = 0; row < head->constants->classes; row++) {
        load_row(head, row);
        head->logits[row] = 0;
        head->error[row] = 0;
        head->probabilities[row] = 0;
    }
    head->rows_written = 0;
}

int32_t tt_head_init(tt_head *head, const tt_head_constants *constants, void *memory, size_t bytes)
{
    size_t classes = constants->classes;
    size_t features = constants->features;
    if (memory == NULL || (uintptr_t)memory % 4u != 0u ||
        bytes < TT_HEAD_BYTES(classes, features)) {
        return TT_ERROR_MEMORY;
    }
    head->constants = constants;
    /* Widest items first, so that everything is aligned. */
    head->master_bias = memory;
    head->logits = head->master_bias + classes;
    head->error = head->logits + classes;
    head->master_weights = (int16_t *)(void *)(head->error + classes);
    head->input = head->master_weights + classes * features;
    head->probabilities = (uint16_t *)(void *)(head->input + features);
    head->written = head->probabilities + classes;
    head->forward_weights = (int8_t *)(void *)(head->written + classes);
    tt_head_reset(head);
    return TT_OK;
}

static void load_input(tt_head *head, const int8_t *features)
{
    for (uint16_t i = 0; i < head->constants->features; i++) {
        head->input[i] = (int16_t)(features[i] - head->constants->feature_zero_point);
    }
}

static void compute_logits(tt_head *head)
{
    const tt_head_constants *k = head->constants;
    const int8_t *weights = head->forward_weights;
    for (uint16_t row = 0; row < k->classes; row++) {
        int32_t acc = tt_round_half_up(head->master_bias[row], TT_MASTER_FRACTION_BITS);
        for (uint16_t i = 0; i < k->features; i++) {
            acc += weights[i] * head->input[i];
        }
        head->logits[row] =
            tt_multiply_by_quantized_multiplier(acc, k->logit_multiplier[row], k->logit_shift[row]);
        weights += k->features;
    }
}

/* The class of the largest logit; ties go to the lowest. */
static uint16_t best_class(const tt_head *head)
{
    uint16_t best = 0;
    for (uint16_t row = 1; row < head->constants->classes; row++) {
        if (head->logits[row] > head->logits[best]) {
            best = row;
        }
    }
    return best;
}

uint16_t tt_head_classify(tt_head *head, const int8_t *features)
{
    load_input(head, features);
    compute_logits(head);
    return best_class(head);
}

/* 2^-(difference / 1024) in Q15. */
static uint32_t power_of_two(uint32_t difference)
{
    uint32_t fraction = difference & ((1u << TT_LOGIT_FRACTION_BITS) - 1u);
    uint32_t whole = difference >> TT_LOGIT_FRACTION_BITS;
    return (uint32_t)tt_exp2_table[fraction >> (TT_LOGIT_FRACTION_BITS - TT_EXP2_INDEX_BITS)] >>
           (whole > 31u ? 31u : whole);
}

/* Probabilities in Q15 from the logits; `best` is the class of the largest. */
static void compute_probabilities(tt_head *head, uint16_t best)
{
    uint32_t sum = 0;
    for (uint16_t row = 0; row < head->constants->classes; row++) {
        uint32_t power = power_of_two((uint32_t)head->logits[best] - (uint32_t)head->logits[row]);
        head->probabilities[row] = (uint16_t)power;
        sum += power;
    }
    for (uint16_t row = 0; row < head->constants->classes; row++) {
        uint32_t power = head->probabilities[row];
        head->probabilities[row] = (uint16_t)((power << TT_PROBABILITY_BITS) / sum);
    }
}

/* The errors: probabilities, and for the true row minus the sum of the others. */
static void compute_error(tt_head *head, uint16_t label)
{
    int32_t sum = 0;
    for (uint16_t row = 0; row < head->constants->classes; row++) {
        head->error[row] = head->probabilities[row];
        sum += row == label ? 0 : head->error[row];
    }
    head->error[label] = -sum;
}

static int is_chosen(const tt_head *head, uint16_t row)
{
    for (uint16_t i = 0; i < head->rows_written; i++) {
        if (head->written[i] == row) {
            return 1;
        }
    }
    return 0;
}

/* The row of largest error that is not chosen yet, ties to the lowest; C where none has any. */
static uint16_t next_row(const tt_head *head)
{
    uint16_t best = head->constants->classes;
    int32_t largest = 0;
    for (uint16_t row = 0; row < head->constants->classes; row++) {
        if (head->error[row] > largest && !is_chosen(head, row)) {
            largest = head->error[row];
            best = row;
        }
    }
    return best;
}

/* Which rows this step writes: the true one first, then by error; none for a skipped step. */
static void choose_rows(tt_head *head, uint16_t label)
{
    const tt_head_constants *k = head->constants;
    head->rows_written = 0;
    if (-head->error[label] <= k->tau) {
        return;
    }
    head->written[head->rows_written++] = label;
    while (head->rows_written < k->rows) {
        uint16_t row = next_row(head);
        if (row == k->classes) {
            return;
        }
        head->written[head->rows_written++] = row;
    }
}

static void write_row(tt_head *head, uint16_t row)
{
    const tt_head_constants *k = head->constants;
    int16_t *master = head->master_weights + (size_t)row * k->features;
    int8_t *forward = head->forward_weights + (size_t)row * k->features;
    int32_t g = tt_multiply_by_quantized_multiplier(head->error[row], k->gradient_multiplier[row],
                                                    k->gradient_multiplier_shift[row]);
    g = tt_clamp(g, -TT_GRADIENT_LIMIT, TT_GRADIENT_LIMIT);
    for (uint16_t i = 0; i < k->features; i++) {
        if (head->input[i] != 0) {
            int32_t change = tt_round_half_up(g * head->input[i], k->gradient_shift);
            int32_t weight = tt_clamp(master[i] - change, -TT_MASTER_LIMIT, TT_MASTER_LIMIT);
            master[i] = (int16_t)weight;
            forward[i] = (int8_t)tt_round_half_up(weight, TT_MASTER_FRACTION_BITS);
        }
    }
    /* Both terms stay within 2^30, so the difference stays within int32. */
    int32_t bias = head->master_bias[row] -
                   tt_multiply_by_quantized_multiplier(head->error[row], k->bias_multiplier[row],
                                                       k->bias_multiplier_shift[row]);
    head->master_bias[row] = tt_clamp(bias, -TT_BIAS_LIMIT, TT_BIAS_LIMIT);
}

int32_t tt_head_learn(tt_head *head, const int8_t *features, uint16_t label)
{
    if (label >= head->constants->classes) {
        return TT_ERROR_LABEL;
    }
    uint16_t predicted = tt_head_classify(head, features);
    compute_probabilities(head, predicted);
    compute_error(head, label);
    choose_rows(head, label);
    for (uint16_t i = 0; i < head->rows_written; i++) {
        write_row(head, head->written[i]);
    }
    return predicted;
}

static uint32_t fold16(uint32_t crc, uint16_t value)
{
    uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    return tt_crc32(crc, bytes, sizeof bytes);
}

static uint32_t fold32(uint32_t crc, uint32_t value)
{
    return fold16(fold16(crc, (uint16_t)value), (uint16_t)(value >> 16));
}

static uint32_t fold_row(uint32_t crc, const tt_head *head, uint16_t row)
{
    const int16_t *master = head->master_weights + (size_t)row * head->constants->features;
    crc = fold16(crc, row);
    for (uint16_t i = 0; i < head->constants->features; i++) {
        crc = fold16(crc, (uint16_t)master[i]);
    }
    return fold32(crc, (uint32_t)head->master_bias[row]);
}

uint32_t tt_head_trace(const tt_head *head, uint32_t crc)
{
    for (uint16_t row = 0; row < head->constants->classes; row++) {
        crc = fold32(crc, (uint32_t)head->logits[row]);
    }
    for (uint16_t row = 0; row < head->constants->classes; row++) {
        crc = fold16(crc, head->probabilities[row]);
    }
    crc = fold16(crc, head->rows_written);
    for (uint16_t i = 0; i < head->rows_written; i++) {
        crc = fold_row(crc, head, head->written[i]);
    }
    return crc;
}
