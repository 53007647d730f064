/* The real Fourier transform: a complex one of half as many points, whose parts are then separated.
 * Each stage halves, so that nothing overflows whatever the samples are. */
#include "transform.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#include <arm_acle.h>
#include <string.h>
#define TWO_HALVES_IN_A_WORD 1
#else
#define TWO_HALVES_IN_A_WORD 0
#endif

/* x turned by a twiddle, and halved: half(re, C) + half(im, S), half(im, C) - half(re, S), where
 * half(x, w) = (x w) >> 16 with the product in 64 bits. */
typedef struct complex_number {
    int32_t re;
    int32_t im;
} complex_number;

#if TWO_HALVES_IN_A_WORD

typedef int32_t twiddle_number; /* cosine below, sine above */

static inline twiddle_number twiddle_at(const int16_t *pair)
{
    int32_t word;
    memcpy(&word, pair, sizeof word);
    return word;
}

static inline complex_number turn(complex_number x, twiddle_number w)
{
    /* GCC 12 has no __smulwb. */
    return (complex_number){__smlawt(x.im, w, __smlawb(x.re, w, 0)),
                            __smlawb(x.im, w, 0) - __smlawt(x.re, w, 0)};
}

#else

typedef struct twiddle_number {
    int32_t cosine;
    int32_t sine;
} twiddle_number;

static inline twiddle_number twiddle_at(const int16_t *pair)
{
    return (twiddle_number){pair[0], pair[1]};
}

/* (x w) >> 16, the product in parts that fit into words. */
static inline int32_t half(int32_t x, int32_t w)
{
    return (x >> 16) * w + (((int32_t)((uint32_t)x & 65535u) * w) >> 16);
}

static inline complex_number turn(complex_number x, twiddle_number w)
{
    return (complex_number){half(x.re, w.cosine) + half(x.im, w.sine),
                            half(x.im, w.cosine) - half(x.re, w.sine)};
}

#endif

/* a, b become a / 2 + t, a / 2 - t. */
static inline void combine(int32_t *a, int32_t *b, complex_number t)
{
    int32_t re = a[0] >> 1;
    int32_t im = a[1] >> 1;
    a[0] = re + t.re;
    a[1] = im + t.im;
    b[0] = re - t.re;
    b[1] = im - t.im;
}

/* Butterflies over blocks of 2 * width complex numbers; a twiddle's of all blocks together. */
static void stage(const tt_transform *transform, int32_t *z, uint32_t width)
{
    uint32_t points = (uint32_t)transform->points;
    const int32_t *end = z + points;
    uint32_t block = 4u * width;
    for (int32_t *a = z; a < end; a += block) {
        int32_t *b = a + 2u * width;
        combine(a, b, (complex_number){b[0] >> 1, b[1] >> 1});
    }
    uint32_t apart = points / width;
    const int16_t *pair = transform->twiddles;
    for (uint32_t k = 1; k < width; k++) {
        pair += apart;
        twiddle_number w = twiddle_at(pair);
        for (int32_t *a = z + 2u * k; a < end; a += block) {
            int32_t *b = a + 2u * width;
            combine(a, b, turn((complex_number){b[0], b[1]}, w));
        }
    }
}

/* The transform of `points` real samples from that of their pairs. */
static void separate(const tt_transform *transform, int32_t *z)
{
    uint32_t points = (uint32_t)transform->points;
    const int16_t *pair = transform->twiddles;
    int32_t re = z[0] >> 1;
    int32_t im = z[1] >> 1;
    z[0] = re + im;
    z[1] = re - im;
    int32_t *a = z + 2;
    int32_t *b = z + points - 2;
    for (; a < b; a += 2, b -= 2) {
        pair += 2;
        int32_t a_re = a[0] >> 1;
        int32_t a_im = a[1] >> 1;
        int32_t b_re = b[0] >> 1;
        int32_t b_im = b[1] >> 1;
        int32_t e_re = (a_re + b_re) >> 1;
        int32_t e_im = (a_im - b_im) >> 1;
        complex_number t = turn((complex_number){a_im + b_im, b_re - a_re}, twiddle_at(pair));
        a[0] = e_re + t.re;
        a[1] = e_im + t.im;
        b[0] = e_re - t.re;
        b[1] = e_im - t.im;
    }
    a[0] >>= 1;
    a[1] >>= 1;
}

void tt_transform_run(const tt_transform *transform, int32_t *z)
{
    for (uint32_t width = 1; width < (uint32_t)transform->points / 2u; width *= 2u) {
        stage(transform, z, width);
    }
    separate(transform, z);
}
