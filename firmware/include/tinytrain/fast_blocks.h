/* Inner loops made for one layer's shape, for the fast kernels; a converted model instantiates
 * those that it needs, at file scope, and puts them into its layers' `block`.
 *
 * TT_BLOCK_CONV_2D(NAME, DEPTH, CLAMPED, SPEED), TT_BLOCK_DEPTHWISE(NAME, KERNEL_HEIGHT,
 * KERNEL_WIDTH, CHANNELS, CLAMPED, SPEED), TT_BLOCK_DENSE(NAME, DEPTH, CLAMPED, SPEED) and
 * TT_BLOCK_DENSE_PAIRED(NAME, ROUND, WORDS, CHANNELS, UNIFORM, RELU, CLAMPED) and
 * TT_BLOCK_CONV_2D_PAIRED(NAME, ROUND, WORDS, RELU, CLAMPED) define it; all arguments but the name
 * are integer literals. CLAMPED is 1 where the activation clamps to less than the int8 range, SPEED
 * where to unroll further at the cost of code. TT_BLOCK(NAME) is its address, or NULL where the
 * instruction set needs none.
 *
 * The last two serve many shapes. ROUND: the words of four inputs that a round of the loop takes;
 * WORDS: those of the depth that fill no round; of a convolution without the first, and where there
 * are rounds, one of them more. CHANNELS: those of the layer; where there are 8 and more, 8 and
 * those that fill no 8. UNIFORM: 1 where all channels have the same multiplier, rounding and shift.
 * RELU: 1 where the activation begins at the output's zero point.
 */
#ifndef TINYTRAIN_FAST_BLOCKS_H
#define TINYTRAIN_FAST_BLOCKS_H

#include <stddef.h>

#include "tinytrain/fast_kernels.h"

#if TT_KERNELS_DSP
#include "tinytrain/dsp_conv_2d_block.h"
#include "tinytrain/dsp_conv_2d_paired_block.h"
#include "tinytrain/dsp_dense_block.h"
#include "tinytrain/dsp_depthwise_block.h"
#include "tinytrain/dsp_paired_block.h"
#else
/* Something that a semicolon may follow. */
#define TT_BLOCK_CONV_2D(NAME, DEPTH, CLAMPED, SPEED) typedef int NAME##_unused
#define TT_BLOCK_DEPTHWISE(NAME, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS, CLAMPED, SPEED)            \
    typedef int NAME##_unused
#define TT_BLOCK_CONV_2D_PAIRED(NAME, ROUND, WORDS, RELU, CLAMPED) typedef int NAME##_unused
#define TT_BLOCK_DENSE(NAME, DEPTH, CLAMPED, SPEED) typedef int NAME##_unused
#define TT_BLOCK_DENSE_PAIRED(NAME, ROUND, WORDS, CHANNELS, UNIFORM, RELU, CLAMPED)                \
    typedef int NAME##_unused
#define TT_BLOCK(NAME) NULL
#endif

#endif
