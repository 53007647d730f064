/* The kernels of inference: one function an operator, and the constants it needs as a struct that
 * the converter emits. The structs' fields have the names and the order of the dataclasses in
 * tinytrain/operators/.
 *
 * All activations are int8 (positions: int32), NHWC, batch 1; kernels whose name ends in _int16
 * take int16. Zero points lie in the activations' range, multipliers in [2^30, 2^31) or 0, shifts
 * in [-31, 30]. Rules and rounding: TensorFlow Lite Micro's reference kernels, in DESIGN.md under
 * "Arithmetic".
 *
 * Overlap. The arena is laid out so that an output may start with an input, or before it and end in
 * it, where nothing reads that input later. Every version of a kernel has to keep to the order that
 * the layout counts on, unless it reads all that it needs before it writes:
 *
 * - Convolutions, pools and tt_fully_connected write output pixels (there: rows) one after the
 *   other, row by row from the first. Until all channels of a pixel are written, in any order, its
 *   whole window may be read, but nothing before the first byte of this and all later windows. The
 *   distance from the output's start to the input's is computed for just this order, in
 *   tinytrain/operators/overlap.py.
 * - Kernels of which it is said below that the output may be an input write elements in order. Once
 *   an element is written, they read only later ones.
 *
 * In all other kernels output and inputs do not overlap.
 */
#ifndef TINYTRAIN_KERNELS_H
#define TINYTRAIN_KERNELS_H

#include <stdint.h>

#include "tinytrain/limits.h"

/* CONV_2D and DEPTHWISE_CONV_2D. I input channels, O output channels. */
typedef struct tt_convolution {
    int32_t input_height;
    int32_t input_width;
    int32_t input_channels;
    int32_t output_height;
    int32_t output_width;
    int32_t output_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t pad_top;  /* rows of padding above the input */
    int32_t pad_left; /* columns of padding left of the input */
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
    const int8_t *weights;     /* [O][kernel_height][kernel_width][I]; depthwise [kh][kw][O] */
    const int32_t *bias;       /* [O] */
    const int32_t *multiplier; /* [O] */
    const int8_t *shift;       /* [O] */
} tt_convolution;

/* input [input_height][input_width][I], output [output_height][output_width][O]. */
void tt_conv_2d(const tt_convolution *p, const int8_t *input, int8_t *output);

/* Output channel o reads input channel o / (O / I). */
void tt_depthwise_conv_2d(const tt_convolution *p, const int8_t *input, int8_t *output);

/* TRANSPOSE_CONV: input pixel y adds weight row k to output row y * stride_height - pad_top + k;
 * columns likewise. Dilations are 1. */
void tt_transpose_conv(const tt_convolution *p, const int8_t *input, int8_t *output);

/* int16 inputs and outputs with int8 weights; zero points are 0. Where wide_bias is not NULL, sums
 * have 64 bits and are rescaled by multipliers of 16 bits; else they have 32, convolution.bias and
 * multipliers of 32. */
typedef struct tt_convolution_int16 {
    tt_convolution convolution;
    const int64_t *wide_bias; /* [O] or NULL */
} tt_convolution_int16;

void tt_conv_2d_int16(const tt_convolution_int16 *p, const int16_t *input, int16_t *output);
void tt_depthwise_conv_2d_int16(const tt_convolution_int16 *p, const int16_t *input,
                                int16_t *output);

typedef struct tt_dense {
    int32_t rows; /* vectors that share the weights */
    int32_t input_depth;
    int32_t output_depth;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t activation_min;
    int32_t activation_max;
    const int8_t *weights;     /* [output_depth][input_depth] */
    const int32_t *bias;       /* [output_depth] */
    const int32_t *multiplier; /* [output_depth] */
    const int8_t *shift;       /* [output_depth] */
} tt_dense;

/* input [rows][input_depth], output [rows][output_depth]. */
void tt_fully_connected(const tt_dense *p, const int8_t *input, int8_t *output);

/* int16 inputs and outputs with int8 weights, as tt_convolution_int16. */
typedef struct tt_dense_int16 {
    tt_dense dense;
    const int64_t *wide_bias; /* [output_depth] or NULL */
} tt_dense_int16;

void tt_fully_connected_int16(const tt_dense_int16 *p, const int16_t *input, int16_t *output);

typedef struct tt_pooling {
    int32_t input_height;
    int32_t input_width;
    int32_t channels;
    int32_t output_height;
    int32_t output_width;
    int32_t filter_height;
    int32_t filter_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t activation_min;
    int32_t activation_max;
} tt_pooling;

/* Windows count only the positions inside the input. */
void tt_average_pool_2d(const tt_pooling *p, const int8_t *input, int8_t *output);
void tt_max_pool_2d(const tt_pooling *p, const int8_t *input, int8_t *output);

/* How two operands are stretched to a common shape. Neighbouring dimensions that both operands walk
 * alike are one, so that operands of the same shape have one dimension. */
typedef struct tt_broadcast {
    int32_t dimensions;      /* [1, TT_MAX_RANK] */
    const int32_t *extents;  /* [dimensions] of the output, outermost first */
    const int32_t *strides1; /* [dimensions] elements from a position to the next; 0 repeats */
    const int32_t *strides2; /* [dimensions] the same for the second operand */
} tt_broadcast;

/* In all kernels of two operands the output may be an input of its size. */

typedef struct tt_addition {
    int32_t left_shift; /* bits that both inputs are raised by before they are rescaled */
    int32_t input1_zero_point;
    int32_t input1_multiplier;
    int32_t input1_shift;
    int32_t input2_zero_point;
    int32_t input2_multiplier;
    int32_t input2_shift;
    int32_t output_zero_point;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t activation_min;
    int32_t activation_max;
    tt_broadcast broadcast;
} tt_addition;

void tt_add(const tt_addition *p, const int8_t *input1, const int8_t *input2, int8_t *output);
/* The first `count` elements alone, of operands of one shape. */
void tt_add_elements(const tt_addition *p, const int8_t *input1, const int8_t *input2,
                     int8_t *output, int32_t count);
void tt_sub(const tt_addition *p, const int8_t *input1, const int8_t *input2, int8_t *output);
void tt_add_int16(const tt_addition *p, const int16_t *input1, const int16_t *input2,
                  int16_t *output);
void tt_sub_int16(const tt_addition *p, const int16_t *input1, const int16_t *input2,
                  int16_t *output);

typedef struct tt_multiplication {
    int32_t input1_zero_point;
    int32_t input2_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t activation_min;
    int32_t activation_max;
    tt_broadcast broadcast;
} tt_multiplication;

void tt_mul(const tt_multiplication *p, const int8_t *input1, const int8_t *input2, int8_t *output);
void tt_mul_int16(const tt_multiplication *p, const int16_t *input1, const int16_t *input2,
                  int16_t *output);

/* MAXIMUM and MINIMUM: inputs and output have the same scale and zero point. */
typedef struct tt_extremum {
    tt_broadcast broadcast;
} tt_extremum;

void tt_maximum(const tt_extremum *p, const int8_t *input1, const int8_t *input2, int8_t *output);
void tt_minimum(const tt_extremum *p, const int8_t *input1, const int8_t *input2, int8_t *output);

/* Every function of one byte: ABS, HARD_SWISH, LEAKY_RELU, LOGISTIC, RELU, RELU6, TANH, QUANTIZE
 * between int8 and uint8. */
typedef struct tt_table {
    int32_t elements;
    const void *values; /* [256] bytes: the outputs of the inputs 0, 1, ..., 255 as raw bytes */
} tt_table;

/* input and output [elements]; the output may be the input. */
void tt_lookup(const tt_table *p, const void *input, void *output);

/* LOGISTIC and TANH of int16, interpolated in a table of sigmoid. Outputs are Q0.15. */
typedef struct tt_sigmoid {
    int32_t elements;
    int32_t multiplier; /* [0, 32767]: input * multiplier / 2^shift is in steps of 1 / 12288 */
    int32_t shift;      /* [0, 30] */
} tt_sigmoid;

/* The output may be the input. */
void tt_logistic_int16(const tt_sigmoid *p, const int16_t *input, int16_t *output);
void tt_tanh_int16(const tt_sigmoid *p, const int16_t *input, int16_t *output);

/* PRELU: x where it is positive, else x * alpha. The output may be an input of its size. */
typedef struct tt_parametric {
    int32_t input_zero_point;
    int32_t alpha_zero_point;
    int32_t output_zero_point;
    int32_t positive_multiplier;
    int32_t positive_shift;
    int32_t negative_multiplier;
    int32_t negative_shift;
    tt_broadcast broadcast; /* of the input and alpha */
} tt_parametric;

void tt_prelu(const tt_parametric *p, const int8_t *input, const int8_t *alpha, int8_t *output);

/* QUANTIZE where a side has 16 bits. */
typedef struct tt_rescaling {
    int32_t elements;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} tt_rescaling;

void tt_rescale_int8_to_int16(const tt_rescaling *p, const int8_t *input, int16_t *output);
void tt_rescale_int16_to_int8(const tt_rescaling *p, const int16_t *input, int8_t *output);

/* The output may be the input. */
void tt_rescale_int16(const tt_rescaling *p, const int16_t *input, int16_t *output);

/* QUANTIZE from and DEQUANTIZE to float32: a model's own float edges, and the only floating point
 * of inference. real = scale * (quantized - zero_point). */
typedef struct tt_edge {
    int32_t elements;
    float scale;
    int32_t zero_point;
} tt_edge;

/* input / scale, rounded to nearest with ties away from zero, plus the zero point, saturated; not
 * a number gives the lowest value. */
void tt_quantize_int8(const tt_edge *p, const float *input, int8_t *output);
void tt_quantize_int16(const tt_edge *p, const float *input, int16_t *output);
void tt_dequantize_int8(const tt_edge *p, const int8_t *input, float *output);
void tt_dequantize_int16(const tt_edge *p, const int16_t *input, float *output);

/* Extents of an input whose axes are kept and reduced in turn:
 * input [outer][reduced1][middle][reduced2][inner], output [outer][middle][inner]. */
typedef struct tt_reduction {
    int32_t outer;
    int32_t reduced1;
    int32_t middle;
    int32_t reduced2;
    int32_t inner;
} tt_reduction;

void tt_reduce_max(const tt_reduction *p, const int8_t *input, int8_t *output);

typedef struct tt_sum {
    tt_reduction extents;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} tt_sum;

/* SUM, and MEAN, whose multiplier holds the division. */
void tt_reduce_sum(const tt_sum *p, const int8_t *input, int8_t *output);

typedef struct tt_search {
    int32_t outer;
    int32_t depth;
    int32_t inner;
} tt_search;

/* Position of the maximum, of the first where there are several.
 * input [outer][depth][inner], output [outer][inner]. */
void tt_arg_max(const tt_search *p, const int8_t *input, int32_t *output);

typedef struct tt_normalization {
    int32_t rows;
    int32_t depth; /* [1, 4095] */
    int32_t multiplier;
    int32_t shift;          /* [0, 31] */
    int32_t difference_min; /* differences to the maximum below this give probability 0 */
} tt_normalization;

/* input and output [rows][depth]; the output may be the input. Probabilities p give
 * round(256 p) - 128. */
void tt_softmax(const tt_normalization *p, const int8_t *input, int8_t *output);

typedef struct tt_stretch {
    int32_t bytes;
} tt_stretch;

/* Copies; input and output may overlap. */
void tt_copy(const tt_stretch *p, const void *input, void *output);

/* The kernels from here on move bytes of elements of any type. Output and input must not overlap.
 * Offsets, strides and runs are in bytes. */

typedef struct tt_strides {
    int32_t run;                  /* bytes that lie side by side in input and output */
    int32_t rank;                 /* [1, 6] */
    int32_t input_offset;         /* of the first run */
    int32_t output_offset;        /* of the first run */
    int32_t fill_bytes;           /* bytes of the output that are set before copying */
    int32_t fill_value;           /* to this, in [-128, 127] */
    const int32_t *extent;        /* [rank], outermost axis first */
    const int32_t *input_stride;  /* [rank], may be negative */
    const int32_t *output_stride; /* [rank] */
} tt_strides;

/* TRANSPOSE, STRIDED_SLICE, PAD, PADV2: copies a run for every index over the axes. */
void tt_strided_copy(const tt_strides *p, const void *input, void *output);

typedef struct tt_positions {
    int32_t run;
    int32_t rank;          /* [1, 6] */
    const int32_t *extent; /* [rank], of the output, outermost axis first */
    const int32_t *offset; /* [extent[0]], then [extent[1]], ...: offsets into the input */
} tt_positions;

/* MIRROR_PAD, RESIZE_NEAREST_NEIGHBOR: for every index, one after the other, the run at the sum of
 * the axes' offsets. */
void tt_gather(const tt_positions *p, const void *input, void *output);

typedef struct tt_parts {
    int32_t outer;        /* rows of the whole */
    int32_t parts;        /* parts of each row */
    const int32_t *bytes; /* [parts], of a part in one row */
} tt_parts;

/* inputs [parts], each [outer][bytes[i]]; output [outer][sum of bytes]. */
void tt_concatenate(const tt_parts *p, const void *const *inputs, void *output);

/* input [outer][sum of bytes]; outputs [parts], each [outer][bytes[i]]. */
void tt_split(const tt_parts *p, const void *input, void *const *outputs);

#endif
