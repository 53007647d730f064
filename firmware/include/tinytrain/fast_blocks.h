/* Inner loops made for one layer's shape, for the fast kernels; a converted model instantiates
 * those that it needs, at file scope, and puts them into its layers' `block`.
 *
 * TT_BLOCK_CONV_2D(NAME, DEPTH, CLAMPED, SPEED), TT_BLOCK_DEPTHWISE(NAME, KERNEL_HEIGHT,
 * KERNEL_WIDTH, CHANNELS, CLAMPED, SPEED), TT_BLOCK_DENSE(NAME, DEPTH, CLAMPED, SPEED) and
 * TT_BLOCK_DENSE_PAIRED of the same define it; all arguments but the name are integer literals, the
 * last two 0 or 1: whether the activation clamps to less than the int8 range, and whether to unroll
 * further at the cost of code. TT_BLOCK(NAME) is its address, or NULL where the instruction set
 * needs none.
 */
#ifndef TINYTRAIN_FAST_BLOCKS_H
#define TINYTRAIN_FAST_BLOCKS_H

#include <stddef.h>

#include "tinytrain/fast_kernels.h"

#if TT_KERNELS_DSP
#include "tinytrain/dsp_conv_2d_block.h"
#include "tinytrain/dsp_dense_block.h"
#include "tinytrain/dsp_depthwise_block.h"
#include "tinytrain/dsp_paired_block.h"
#else
/* Something that a semicolon may follow. */
#define TT_BLOCK_CONV_2D(NAME, DEPTH, CLAMPED, SPEED) typedef int NAME##_unused
#define TT_BLOCK_DEPTHWISE(NAME, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS, CLAMPED, SPEED)            \
    typedef int NAME##_unused
#define TT_BLOCK_DENSE(NAME, DEPTH, CLAMPED, SPEED) typedef int NAME##_unused
#define TT_BLOCK_DENSE_PAIRED(NAME, DEPTH, CLAMPED, SPEED) typedef int NAME##_unused
#define TT_BLOCK(NAME) NULL
#endif

#endif
