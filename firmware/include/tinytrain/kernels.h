/* The kernels of inference: one function an operator, and the constants it needs as a struct that
 * the converter emits. The structs' fields have the names and the order of the dataclasses in
 * tinytrain/operators/.
 *
 * All activations are int8, NHWC, batch 1. Zero points lie in [-128, 127], multipliers in
 * [2^30, 2^31) or 0, shifts in [-31, 30]. Rules and rounding: TensorFlow Lite Micro's reference
 * kernels, in DESIGN.md under "Arithmetic".
 */
#ifndef TINYTRAIN_KERNELS_H
#define TINYTRAIN_KERNELS_H

#include <stdint.h>

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

typedef struct tt_addition {
    int32_t elements;
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
} tt_addition;

/* The output may be either input. */
void tt_add(const tt_addition *p, const int8_t *input1, const int8_t *input2, int8_t *output);

typedef struct tt_average {
    int32_t outer;
    int32_t reduced; /* elements averaged */
    int32_t inner;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} tt_average;

/* input [outer][reduced][inner], output [outer][inner]. */
void tt_mean(const tt_average *p, const int8_t *input, int8_t *output);

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

#endif
