/* Scratch of the fast kernels that use the vector extension; see fast_kernels.h. */
#ifndef TINYTRAIN_MVE_SCRATCH_H
#define TINYTRAIN_MVE_SCRATCH_H

/* Four windows in whole vectors, and one in a row with room for a vector behind it. */
#define TT_FAST_CONV_2D_SCRATCH(DEPTH, CHANNELS)                                                   \
    (((DEPTH) + 15) / 16 * 64 + TT_FAST_WORDS((DEPTH) + 15))
/* The weights and a pixel of zero points, in whole vectors and at least nine taps, and sixteen
 * channels' constants; or a window with room for a vector behind it. */
#define TT_FAST_DEPTHWISE_SCRATCH(TAPS, CHANNELS)                                                  \
    TT_FAST_WORDS(((TAPS) < 9 ? 10 : (TAPS) + 1) * ((CHANNELS) + 15) + 256)
#define TT_FAST_DENSE_SCRATCH(DEPTH, CHANNELS) 4

#endif
