/* The blocks of fast_blocks.h for the DSP extension. */
#ifndef TINYTRAIN_DSP_BLOCKS_H
#define TINYTRAIN_DSP_BLOCKS_H

#define TT_BLOCK_CONV_2D(NAME, DEPTH, CLAMPED, SPEED) typedef int NAME##_unused
#define TT_BLOCK_DEPTHWISE(NAME, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS, CLAMPED, SPEED)            \
    typedef int NAME##_unused
#define TT_BLOCK_DENSE(NAME, DEPTH, CLAMPED, SPEED) typedef int NAME##_unused
#define TT_BLOCK(NAME) NULL

#endif
