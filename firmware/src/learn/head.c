/* The learning head: forward pass, softmax in base 2, the sparse update, and new classes.
 *
 * tinytrain/emulator/head.py computes the same bits; head.h says what the letters are.
 */
#include "tinytrain/head.h"

#include <stddef.h>
#include <string.h>

#include "head_constants.h"
#include "row_loops.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/crc32.h"
#include "tinytrain/status.h"

/* What the low bits of a new row are: half a unit of its weights. */
#define TT_LOW_HALF 0x8000u

void tt_head_load_factory(const tt_head_constants *constants, tt_rows *rows)
{
    size_t count = (size_t)constants->classes * constants->features;
    for (size_t i = 0; i < count; i++) {
        rows->weights[i] = (int16_t)(constants->weights[i] * (1 << TT_WEIGHT_FRACTION_BITS));
    }
    for (uint16_t row = 0; row < constants->classes; row++) {
        rows->bias[row] = constants->bias[row] * (1 << TT_WEIGHT_FRACTION_BITS);
    }
    rows->units = &constants->units;
    rows->classes = constants->classes;
}

static void fill_low(tt_head *head, uint16_t first, uint16_t end)
{
    size_t features = head->constants->features;
    if (head->low != NULL) {
        for (size_t i = first * features; i < end * features; i++) {
            head->low[i] = TT_LOW_HALF;
        }
    }
}

void tt_head_reset(tt_head *head)
{
    size_t capacity = head->constants->capacity;
    tt_head_load_factory(head->constants, &head->rows);
    fill_low(head, 0, (uint16_t)capacity);
    memset(head->logits, 0, capacity * sizeof *head->logits);
    memset(head->error, 0, capacity * sizeof *head->error);
    memset(head->probabilities, 0, capacity * sizeof *head->probabilities);
    head->power_sum = 0;
    head->rows_written = 0;
}

int32_t tt_head_init(tt_head *head, const tt_head_constants *constants, void *memory, size_t bytes)
{
    size_t capacity = constants->capacity;
    size_t features = constants->features;
    if (memory == NULL || (uintptr_t)memory % 4u != 0u ||
        bytes < TT_HEAD_BYTES(capacity, features, constants->wide)) {
        return TT_ERROR_MEMORY;
    }
    head->constants = constants;
    /* Words before halves, and of these what is read in pairs first. */
    head->rows.bias = memory;
    head->logits = head->rows.bias + capacity;
    head->error = head->logits + capacity;
    head->input = (int16_t *)(void *)(head->error + capacity);
    head->raised = head->input + features;
    head->rows.weights = head->raised + features;
    head->probabilities = (uint16_t *)head->rows.weights + capacity * features;
    head->written = head->probabilities + capacity;
    head->low = constants->wide != 0u ? head->written + capacity : NULL;
    tt_head_reset(head);
    return TT_OK;
}

void tt_head_load_input(tt_head *head, const int8_t *features)
{
    const tt_head_constants *k = head->constants;
    tt_center(features, k->feature_zero_point, 16 - head->rows.units->gradient_shift, head->input,
              head->raised, k->features);
}

/* The products of a row of more features than add up within 32 bits. */
static int64_t sum_long_row(const int16_t *w, const int16_t *x, size_t count)
{
    int64_t sum = 0;
    for (size_t start = 0; start < count; start += TT_EXACT_FEATURES) {
        size_t left = count - start;
        int32_t part;
        tt_multiply(w + start, 1, x + start, left < TT_EXACT_FEATURES ? left : TT_EXACT_FEATURES,
                    &part);
        sum += part;
    }
    return sum;
}

static inline int32_t logit(const tt_rows *rows, uint32_t row, int64_t sum)
{
    int64_t acc = tt_round_half_up_int64(sum + rows->bias[row], TT_WEIGHT_FRACTION_BITS);
    return tt_multiply_by_quantized_multiplier((int32_t)acc, rows->units->logit_multiplier[row],
                                               rows->units->logit_shift[row]);
}

static void long_logits(const tt_head *head, const tt_rows *rows)
{
    size_t features = head->constants->features;
    for (uint32_t row = 0; row < rows->classes; row++) {
        int64_t sum = sum_long_row(rows->weights + row * features, head->input, features);
        head->logits[row] = logit(rows, row, sum);
    }
}

static void short_logits(const tt_head *head, const tt_rows *rows)
{
    int32_t *logits = head->logits;
    tt_multiply(rows->weights, rows->classes, head->input, head->constants->features, logits);
    for (uint32_t row = 0; row < rows->classes; row++) {
        logits[row] = logit(rows, row, logits[row]);
    }
}

uint16_t tt_head_forward(tt_head *head, const tt_rows *rows)
{
    const int32_t *logits = head->logits;
    if (head->constants->features > TT_EXACT_FEATURES) {
        long_logits(head, rows);
    } else {
        short_logits(head, rows);
    }
    uint32_t best = 0;
    for (uint32_t row = 1; row < rows->classes; row++) {
        best = logits[row] > logits[best] ? row : best;
    }
    return (uint16_t)best;
}

uint16_t tt_head_classify(tt_head *head, const int8_t *features)
{
    tt_head_load_input(head, features);
    return tt_head_forward(head, &head->rows);
}

/* 2^-(difference / 1024) in Q15. */
static uint32_t power_of_two(uint32_t difference)
{
    uint32_t fraction = difference & ((1u << TT_LOGIT_FRACTION_BITS) - 1u);
    uint32_t whole = difference >> TT_LOGIT_FRACTION_BITS;
    return (uint32_t)tt_exp2_table[fraction >> (TT_LOGIT_FRACTION_BITS - TT_EXP2_INDEX_BITS)] >>
           (whole > 31u ? 31u : whole);
}

void tt_head_softmax(tt_head *head, uint16_t best, uint16_t classes)
{
    uint32_t sum = 0;
    for (uint16_t row = 0; row < classes; row++) {
        uint32_t power = power_of_two((uint32_t)head->logits[best] - (uint32_t)head->logits[row]);
        head->probabilities[row] = (uint16_t)power;
        sum += power;
    }
    for (uint16_t row = 0; row < classes; row++) {
        uint32_t power = head->probabilities[row];
        head->probabilities[row] = (uint16_t)((power << TT_PROBABILITY_BITS) / sum);
    }
    head->power_sum = sum;
}

int32_t tt_head_loss(const tt_head *head, uint16_t best, uint16_t label, uint16_t classes)
{
    if (label >= classes) {
        return 31 << TT_LOGIT_FRACTION_BITS;
    }
    int32_t difference = head->logits[best] - head->logits[label];
    return difference + tt_log2_q10(head->power_sum) -
           (TT_PROBABILITY_BITS << TT_LOGIT_FRACTION_BITS);
}

/* The errors: probabilities, and for the true row minus the sum of the others. */
static void compute_error(tt_head *head, uint16_t label)
{
    int32_t sum = 0;
    for (uint16_t row = 0; row < head->rows.classes; row++) {
        head->error[row] = head->probabilities[row];
        sum += head->error[row];
    }
    head->error[label] -= sum;
}

/* Sorts a row with an error into the `count` that are written, largest error first and equal ones
 * as they come; after the true row, which stays. Returns how many there are now. */
static uint32_t insert_row(tt_head *head, uint32_t row, uint32_t count)
{
    const int32_t *error = head->error;
    uint16_t *written = head->written;
    uint32_t place = count;
    if (count == head->constants->rows) {
        place--; /* the last one's, if it falls out */
        if (place == 0u || error[row] <= error[written[place]]) {
            return count;
        }
    }
    for (; place > 1u && error[written[place - 1u]] < error[row]; place--) {
        written[place] = written[place - 1u];
    }
    written[place] = (uint16_t)row;
    return count < head->constants->rows ? count + 1u : count;
}

static void choose_rows(tt_head *head, uint16_t label)
{
    uint32_t classes = head->rows.classes;
    uint32_t count = 0;
    if (-head->error[label] > head->constants->tau) {
        head->written[count++] = label;
        for (uint32_t row = 0; row < classes; row++) {
            if (head->error[row] > 0) {
                count = insert_row(head, row, count);
            }
        }
    }
    head->rows_written = (uint16_t)count;
}

static void write_row(tt_head *head, size_t row)
{
    const tt_units *units = head->rows.units;
    size_t features = head->constants->features;
    int16_t *weights = head->rows.weights + row * features;
    int32_t error = head->error[row];
    int32_t g = tt_multiply_by_quantized_multiplier(error, units->gradient_multiplier[row],
                                                    units->gradient_multiplier_shift[row]);
    g = tt_clamp(g, -TT_GRADIENT_LIMIT, TT_GRADIENT_LIMIT);
    if (head->low != NULL) {
        tt_descend_wide(weights, head->low + row * features, head->raised, g, features);
    } else {
        tt_descend(weights, head->raised, g, features);
    }
    /* Both terms stay within 2^30, so the difference stays within int32. */
    int32_t bias = head->rows.bias[row] -
                   tt_multiply_by_quantized_multiplier(error, units->bias_multiplier[row],
                                                       units->bias_multiplier_shift[row]);
    head->rows.bias[row] = tt_clamp(bias, -TT_BIAS_LIMIT, TT_BIAS_LIMIT);
}

void tt_head_step(tt_head *head, uint16_t label)
{
    compute_error(head, label);
    choose_rows(head, label);
    for (uint32_t i = 0; i < head->rows_written; i++) {
        write_row(head, head->written[i]);
    }
}

int32_t tt_head_learn(tt_head *head, const int8_t *features, uint16_t label)
{
    if (label >= head->rows.classes) {
        return TT_ERROR_LABEL;
    }
    uint16_t predicted = tt_head_classify(head, features);
    tt_head_softmax(head, predicted, head->rows.classes);
    tt_head_step(head, label);
    return predicted;
}

int32_t tt_head_add_class(tt_head *head)
{
    tt_rows *rows = &head->rows;
    size_t features = head->constants->features;
    uint16_t added = rows->classes;
    if (added == head->constants->capacity) {
        return TT_ERROR_FULL;
    }
    for (size_t i = 0; i < features; i++) {
        int32_t sum = 0;
        for (uint16_t row = 0; row < added; row++) {
            sum += rows->weights[row * features + i];
        }
        rows->weights[added * features + i] = (int16_t)tt_divide_rounded(sum, added);
    }
    int64_t sum = 0;
    for (uint16_t row = 0; row < added; row++) {
        sum += rows->bias[row];
    }
    rows->bias[added] = (int32_t)tt_divide_rounded(sum, added);
    rows->classes++;
    fill_low(head, added, rows->classes);
    return added;
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
    size_t features = head->constants->features;
    crc = fold16(crc, row);
    for (size_t i = row * features; i < (row + 1u) * features; i++) {
        crc = fold16(crc, (uint16_t)head->rows.weights[i]);
    }
    for (size_t i = row * features; head->low != NULL && i < (row + 1u) * features; i++) {
        crc = fold16(crc, head->low[i]);
    }
    return fold32(crc, (uint32_t)head->rows.bias[row]);
}

uint32_t tt_head_trace(const tt_head *head, uint32_t crc)
{
    for (uint16_t row = 0; row < head->rows.classes; row++) {
        crc = fold32(crc, (uint32_t)head->logits[row]);
    }
    for (uint16_t row = 0; row < head->rows.classes; row++) {
        crc = fold16(crc, head->probabilities[row]);
    }
    crc = fold16(crc, head->rows_written);
    for (uint16_t i = 0; i < head->rows_written; i++) {
        crc = fold_row(crc, head, head->written[i]);
    }
    return crc;
}
