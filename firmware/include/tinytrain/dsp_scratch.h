/* Scratch of the fast kernels that use the DSP extension; see fast_kernels.h. */
#ifndef TINYTRAIN_DSP_SCRATCH_H
#define TINYTRAIN_DSP_SCRATCH_H

/* Three windows of 16 bits, and the outputs of three pixels. */
#define TT_FAST_CONV_2D_SCRATCH(DEPTH, CHANNELS)                                                   \
    (6 * TT_FAST_WORDS(DEPTH) + TT_FAST_WORDS(3 * (CHANNELS)))
#define TT_FAST_DEPTHWISE_SCRATCH(TAPS, CHANNELS) TT_FAST_WORDS((TAPS) * (CHANNELS))
#define TT_FAST_DENSE_SCRATCH(DEPTH, CHANNELS) 4

#endif
