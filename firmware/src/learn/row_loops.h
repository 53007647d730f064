/* The learning head's loops over D features: row_loops.c has them in portable C, row_loops_dsp.c
 * for processors with the DSP extension (Cortex-M4, M33, M55).
 */
#ifndef TINYTRAIN_ROW_LOOPS_H
#define TINYTRAIN_ROW_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* Without optimization the compiler has too few registers left for assembly. */
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN) && defined(__OPTIMIZE__)
#define TT_ROW_LOOPS_DSP 1
#else
#define TT_ROW_LOOPS_DSP 0
#endif

/* So many products of int16 and x, -255 to 255, add up within 32 bits. */
#define TT_EXACT_FEATURES 256u

/* x[i] = features[i] - zero_point, and raised[i] = x[i] 2^shift; shift 0 to 7. */
void tt_center(const int8_t *features, int32_t zero_point, int32_t shift, int16_t *x,
               int16_t *raised, size_t count);

/* sums[c] = w[c] . x for `rows` rows of `count` features, 1 to TT_EXACT_FEATURES. Two rows go at
 * once, so that an input is loaded once for both. */
void tt_multiply(const int16_t *w, size_t rows, const int16_t *x, size_t count, int32_t *sums);

/* w[i] = sat16(w[i] - round(g raised[i], 16)); g -32767 to 32767. */
void tt_descend(int16_t *w, const int16_t *raised, int32_t g, size_t count);

/* (w, low)[i] -= g raised[i] in 32 bits, saturating. */
void tt_descend_wide(int16_t *w, uint16_t *low, const int16_t *raised, int32_t g, size_t count);

#endif
