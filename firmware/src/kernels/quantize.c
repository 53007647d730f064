/* QUANTIZE and DEQUANTIZE, portable. */
#include "tinytrain/arithmetic.h"
#include "tinytrain/kernels.h"

static int32_t rescale(const tt_rescaling *p, int32_t x)
{
    int32_t scaled =
        tt_multiply_by_quantized_multiplier(x - p->input_zero_point, p->multiplier, p->shift);
    return scaled + p->output_zero_point;
}

void tt_rescale_int8_to_int16(const tt_rescaling *p, const int8_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = (int16_t)tt_clamp(rescale(p, input[i]), INT16_MIN, INT16_MAX);
    }
}

void tt_rescale_int16_to_int8(const tt_rescaling *p, const int16_t *input, int8_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = (int8_t)tt_clamp(rescale(p, input[i]), INT8_MIN, INT8_MAX);
    }
}

void tt_rescale_int16(const tt_rescaling *p, const int16_t *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = (int16_t)tt_clamp(rescale(p, input[i]), INT16_MIN, INT16_MAX);
    }
}

/* Beyond this many steps everything saturates, whatever the zero point. */
#define FURTHEST 65536.0f

/* Truncation and remainder are exact up to FURTHEST, so no library function is needed to round. */
static int32_t quantize(const tt_edge *p, float x)
{
    float steps = x / p->scale;
    if (!(steps > -FURTHEST)) {
        return (int32_t)-FURTHEST;
    }
    if (steps > FURTHEST) {
        return (int32_t)FURTHEST;
    }
    int32_t whole = (int32_t)steps;
    float rest = steps - (float)whole;
    if (rest >= 0.5f) {
        whole++;
    }
    if (rest <= -0.5f) {
        whole--;
    }
    return whole + p->zero_point;
}

void tt_quantize_int8(const tt_edge *p, const float *input, int8_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = (int8_t)tt_clamp(quantize(p, input[i]), INT8_MIN, INT8_MAX);
    }
}

void tt_quantize_int16(const tt_edge *p, const float *input, int16_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = (int16_t)tt_clamp(quantize(p, input[i]), INT16_MIN, INT16_MAX);
    }
}

void tt_dequantize_int8(const tt_edge *p, const int8_t *input, float *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = p->scale * (float)(input[i] - p->zero_point);
    }
}

void tt_dequantize_int16(const tt_edge *p, const int16_t *input, float *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = p->scale * (float)(input[i] - p->zero_point);
    }
}
