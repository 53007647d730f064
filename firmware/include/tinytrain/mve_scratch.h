/* Scratch of the fast kernels that use the vector extension; see fast_kernels.h. */
#ifndef TINYTRAIN_MVE_SCRATCH_H
#define TINYTRAIN_MVE_SCRATCH_H

/* Four windows. */
#define TT_FAST_CONV_2D_SCRATCH(DEPTH, CHANNELS) (4 * TT_FAST_WORDS(DEPTH))
#define TT_FAST_DEPTHWISE_SCRATCH(TAPS, CHANNELS) TT_FAST_WORDS((TAPS) * (CHANNELS))
#define TT_FAST_DENSE_SCRATCH(DEPTH, CHANNELS) 4

#endif
