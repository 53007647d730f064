/* Fast kernels of inference, for the layers that take most of the time. The converter chooses them
 * where their conditions hold; the results are the bytes of the kernels in kernels.h.
 *
 * Each function has a body for each instruction set (TT_KERNELS_DSP, TT_KERNELS_MVE,
 * TT_KERNELS_V6M) and one in portable C, all of which read the same constants; the compiler's
 * target picks one.
 *
 * Conditions, checked at conversion: no dilation; every sum of a window, with the start, lies
 * within
 * (-2^30, 2^30) for any input; every channel's factor is below one half (`shift` is at least 1).
 * Weights begin on a word, and up to 3 bytes behind the last may be read.
 *
 * Scratch: memory that a call works in, from the caller, on a word, of the size that the macros
 * below give for the target. Its content before and after a call does not matter.
 *
 * Overlap: as in kernels.h. These kernels count in whole pixels, too; one that writes several
 * pixels at once has read all their windows before.
 */
#ifndef TINYTRAIN_FAST_KERNELS_H
#define TINYTRAIN_FAST_KERNELS_H

#include <stdint.h>

#include "tinytrain/instruction_set.h"

/* Of an array that is read by words. */
#if defined(__GNUC__)
#define TT_ON_WORD __attribute__((aligned(4)))
#else
#define TT_ON_WORD
#endif

/* An output channel's way from a sum to an output. */
typedef struct tt_channel {
    int32_t start;      /* bias - input zero point * sum of the channel's weights */
    int32_t multiplier; /* [2^30, 2^31), or 0 for a channel that never leaves the zero point */
    int32_t rounding;   /* (2 * output zero point + 1) * 2^(shift - 1) */
    int32_t shift;      /* to the right, [1, 22] */
} tt_channel;

/* Which rows of an output to compute: [first, end). `input` of the call begins with row input_first
 * of the layer's input, and has all rows that the windows need; `output` begins with row `first`.
 */
typedef struct tt_band {
    int32_t input_first;
    int32_t first;
    int32_t end;
} tt_band;

/* An inner loop made for a layer's shape by a macro of fast_blocks.h. What it is called with is
 * known to the kernel of the same instruction set only. */
typedef void tt_block(void);

/* CONV_2D, and DEPTHWISE_CONV_2D with as many output as input channels. */
typedef struct tt_fast_convolution {
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
    int32_t pad_top;
    int32_t pad_left;
    int32_t input_zero_point; /* what lies around the input */
    int32_t activation_min;
    int32_t activation_max;
    const int8_t *weights;      /* [O][kernel_height][kernel_width][I]; depthwise [kh][kw][O] */
    const tt_channel *channels; /* [O] */
    tt_block *block;            /* NULL: the loops of the kernel itself */
} tt_fast_convolution;

/* band: NULL for all rows. input [input_height][input_width][I], output
 * [output_height][output_width][O]. scratch: TT_FAST_CONV_2D_SCRATCH, TT_FAST_DEPTHWISE_SCRATCH
 * bytes. */
void tt_fast_conv_2d(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                     int8_t *output, void *scratch);
/* The same as the first, for at least two output channels. With the DSP extension weights and
 * starts are in pairs (tinytrain/variants/paired.py), and block is not NULL. */
void tt_fast_conv_2d_paired(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                            int8_t *output, void *scratch);
void tt_fast_depthwise_conv_2d(const tt_fast_convolution *p, const tt_band *band,
                               const int8_t *input, int8_t *output, void *scratch);

typedef struct tt_fast_dense {
    int32_t rows; /* vectors that share the weights */
    int32_t input_depth;
    int32_t output_depth;
    int32_t activation_min;
    int32_t activation_max;
    const int8_t *weights;      /* [output_depth][input_depth] */
    const tt_channel *channels; /* [output_depth] */
    tt_block *block;            /* NULL: the loops of the kernel itself */
} tt_fast_dense;

/* FULLY_CONNECTED. input [rows][input_depth], output [rows][output_depth]; scratch:
 * TT_FAST_DENSE_SCRATCH bytes. */
void tt_fast_fully_connected(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                             void *scratch);

/* The same; input_depth is a multiple of 4. With the DSP extension weights are in pairs, weights
 * and channels in an order of their own (tinytrain/variants/paired.py), and block is not NULL.
 * scratch: TT_FAST_DENSE_PAIRED_SCRATCH. */
void tt_fast_fully_connected_paired(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                                    void *scratch);

/* Bytes of scratch. DEPTH: weights of an output channel; CHANNELS: of the output; TAPS: of a
 * depthwise kernel. All are constant expressions of at least 4. */
#define TT_FAST_WORDS(BYTES) (((BYTES) + 3) / 4 * 4)
#if TT_KERNELS_DSP
/* Two int16 for each input. */
#define TT_FAST_DENSE_PAIRED_SCRATCH(DEPTH, CHANNELS) (2 * (DEPTH))
#include "tinytrain/dsp_scratch.h"
#elif TT_KERNELS_MVE
#include "tinytrain/mve_scratch.h"
#elif TT_KERNELS_V6M
#include "tinytrain/v6m_scratch.h"
#else
/* Two windows. */
#define TT_FAST_CONV_2D_SCRATCH(DEPTH, CHANNELS) (2 * TT_FAST_WORDS(DEPTH))
#define TT_FAST_DEPTHWISE_SCRATCH(TAPS, CHANNELS) TT_FAST_WORDS((TAPS) * (CHANNELS))
#define TT_FAST_DENSE_SCRATCH(DEPTH, CHANNELS) 4
#endif
#if !TT_KERNELS_DSP
#define TT_FAST_DENSE_PAIRED_SCRATCH(DEPTH, CHANNELS) TT_FAST_DENSE_SCRATCH(DEPTH, CHANNELS)
#endif

#endif
