/* Scratch of the fast kernels for ARMv6-M, for fast_kernels.h. */
#ifndef TINYTRAIN_V6M_SCRATCH_H
#define TINYTRAIN_V6M_SCRATCH_H

/* Copies of the weights where not all channels' begin on a word; none of a layer with many, whose
 * copies are made channel by channel. */
#define TT_V6M_COPIED_WEIGHTS(DEPTH, CHANNELS)                                                     \
    ((DEPTH) % 4 != 0 && (CHANNELS) * TT_FAST_WORDS(DEPTH) <= 1024                                 \
         ? (CHANNELS) * TT_FAST_WORDS(DEPTH)                                                       \
         : 0)
/* The windows of four pixels with a word for two taps, one as it is, and weights. */
#define TT_FAST_CONV_2D_SCRATCH(DEPTH, CHANNELS)                                                   \
    (9 * TT_FAST_WORDS(DEPTH) + TT_V6M_COPIED_WEIGHTS(DEPTH, CHANNELS))
/* Two windows. */
#define TT_FAST_DEPTHWISE_SCRATCH(TAPS, CHANNELS) (2 * TT_FAST_WORDS((TAPS) * (CHANNELS)))
#define TT_FAST_DENSE_SCRATCH(DEPTH, CHANNELS) 4

#endif
