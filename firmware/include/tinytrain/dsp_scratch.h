/* Scratch of the fast kernels that use the DSP extension; see fast_kernels.h. */
#ifndef TINYTRAIN_DSP_SCRATCH_H
#define TINYTRAIN_DSP_SCRATCH_H

/* Three windows of 16 bits; one of 8, and later in its place the outputs of three pixels. */
#define TT_FAST_CONV_2D_SCRATCH(DEPTH, CHANNELS)                                                   \
    (6 * TT_FAST_WORDS(DEPTH) +                                                                    \
     ((DEPTH) > 3 * (CHANNELS) ? TT_FAST_WORDS(DEPTH) : TT_FAST_WORDS(3 * (CHANNELS))))
/* Pointers to the taps of a window; the channels of a pixel outside of the input; the outputs of
 * three pixels. */
#define TT_FAST_DEPTHWISE_SCRATCH(TAPS, CHANNELS)                                                  \
    (4 * (TAPS) + TT_FAST_WORDS(CHANNELS) + TT_FAST_WORDS(3 * (CHANNELS)))
#define TT_FAST_DENSE_SCRATCH(DEPTH, CHANNELS) 4

#endif
