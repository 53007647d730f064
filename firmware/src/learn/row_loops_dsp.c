/* The learning head's loops over features for processors with the DSP extension: two features a
 * word.
 *
 * Where rows begin on words, eight features go at once, by loads of four words; the compiler does
 * not find these by itself. Rows of an odd D begin between words: single words are loaded from
 * there all the same.
 */
#include "row_loops.h"

#if TT_ROW_LOOPS_DSP

#include <arm_acle.h>
#include <string.h>

#include "tinytrain/arithmetic.h"

/* Features that the loops of words take at once. */
#define AT_ONCE 8u

/* How many of `count` features they can take: none where an array begins between words. */
static inline size_t in_words(const void *a, const void *b, const void *c, size_t count)
{
    uintptr_t bits = (uintptr_t)a | (uintptr_t)b | (uintptr_t)c;
    return (bits & 3u) == 0u ? count & ~(size_t)(AT_ONCE - 1u) : 0u;
}

/* Two neighbours, the first in the low half. */
static inline uint32_t load_pair(const void *place)
{
    uint32_t pair;
    memcpy(&pair, place, sizeof pair);
    return pair;
}

static inline void store_pair(void *place, uint32_t pair)
{
    memcpy(place, &pair, sizeof pair);
}

/* Two words where a word begins. */
static inline void store_words(int16_t *place, uint32_t first, uint32_t second)
{
    uint32_t *words = __builtin_assume_aligned(place, 4);
    memcpy(words, &first, sizeof first);
    memcpy(words + 1, &second, sizeof second);
}

/* A pair of the low, or of the high halves of two words. */
static inline uint32_t low_halves(uint32_t first, uint32_t second)
{
    uint32_t pair;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(first), "r"(second));
    return pair;
}

static inline uint32_t high_halves(uint32_t first, uint32_t second)
{
    uint32_t pair;
    __asm("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(second), "r"(first));
    return pair;
}

void tt_center(const int8_t *features, int32_t zero_point, int32_t shift, int16_t *x,
               int16_t *raised, size_t count)
{
    int16x2_t zero = (int16x2_t)low_halves((uint32_t)zero_point, (uint32_t)zero_point);
    /* Without what a shift moves from the first of a pair into the second. */
    uint32_t kept = 0x10001u * ((0xFFFFu << shift) & 0xFFFFu);
    const int16_t *end = x + count;
    const int16_t *words_end = x + in_words(x, raised, raised, count);
    for (; x != words_end; x += 4, raised += 4, features += 4) {
        uint32_t bytes = load_pair(features);
        uint32_t even = (uint32_t)__ssub16(__sxtb16((int8x4_t)bytes), zero);
        uint32_t odd = (uint32_t)__ssub16(__sxtb16((int8x4_t)(bytes >> 8)), zero);
        uint32_t first = low_halves(even, odd);
        uint32_t second = high_halves(even, odd);
        store_words(x, first, second);
        store_words(raised, (first << shift) & kept, (second << shift) & kept);
    }
    for (; x != end; x++, raised++, features++) {
        int32_t value = *features - zero_point;
        *x = (int16_t)value;
        *raised = (int16_t)tt_shift_left_wrapping(value, shift);
    }
}

void tt_multiply(const int16_t *w, size_t rows, const int16_t *x, size_t count, int32_t *sums)
{
    const int16_t *words_end = x + in_words(w, w + count, x, count);
    const int16_t *end = x + count;
    for (; rows > 0; rows -= 2u) {
        const int16_t *a = w;
        const int16_t *place = x;
        int32_t sum_a = 0;
        int32_t sum_b = 0;
        /* A last row without a neighbour is its own. */
        w = rows > 1u ? w + count : w;
        if (place != words_end) {
            __asm volatile("1: ldmia %[x]!, {r4, r5, r6, r8}\n"
                           "   ldmia %[a]!, {r9, r10, r11, r12}\n"
                           "   smlad %[sum_a], r4, r9, %[sum_a]\n"
                           "   smlad %[sum_a], r5, r10, %[sum_a]\n"
                           "   smlad %[sum_a], r6, r11, %[sum_a]\n"
                           "   smlad %[sum_a], r8, r12, %[sum_a]\n"
                           "   ldmia %[b]!, {r9, r10, r11, r12}\n"
                           "   smlad %[sum_b], r4, r9, %[sum_b]\n"
                           "   smlad %[sum_b], r5, r10, %[sum_b]\n"
                           "   smlad %[sum_b], r6, r11, %[sum_b]\n"
                           "   smlad %[sum_b], r8, r12, %[sum_b]\n"
                           "   cmp %[x], %[end]\n"
                           "   bne 1b"
                           : [x] "+r"(place), [a] "+r"(a), [b] "+r"(w), [sum_a] "+r"(sum_a),
                             [sum_b] "+r"(sum_b)
                           : [end] "r"(words_end)
                           : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "cc", "memory");
        }
        for (; end - place >= 2; place += 2, a += 2, w += 2) {
            int16x2_t pair = (int16x2_t)load_pair(place);
            sum_a = __smlad((int16x2_t)load_pair(a), pair, sum_a);
            sum_b = __smlad((int16x2_t)load_pair(w), pair, sum_b);
        }
        if (place != end) {
            sum_a += *a * *place;
            sum_b += *w++ * *place;
        }
        *sums++ = sum_a;
        if (rows == 1u) {
            return;
        }
        *sums++ = sum_b;
    }
}

/* round(g raised, 16) of a feature. */
static inline int32_t change_of(int16_t raised, int32_t g)
{
    return (g * raised + 0x8000) >> 16;
}

void tt_descend(int16_t *w, const int16_t *raised, int32_t g, size_t count)
{
    const int16_t *end = w + count;
    const int16_t *words_end = w + in_words(w, raised, raised, count);
    if (w != words_end) {
        /* The upper halves of g x + 0x8000, two in a word, are taken from the weights. */
        __asm volatile("1: ldmia %[x]!, {r4, r5, r6, r8}\n"
                       "   ldmia %[w], {r9, r10, r11, r12}\n"
                       "   smlabb lr, r4, %[g], %[half]\n"
                       "   smlatb r4, r4, %[g], %[half]\n"
                       "   pkhtb r4, r4, lr, asr #16\n"
                       "   qsub16 r9, r9, r4\n"
                       "   smlabb lr, r5, %[g], %[half]\n"
                       "   smlatb r5, r5, %[g], %[half]\n"
                       "   pkhtb r5, r5, lr, asr #16\n"
                       "   qsub16 r10, r10, r5\n"
                       "   smlabb lr, r6, %[g], %[half]\n"
                       "   smlatb r6, r6, %[g], %[half]\n"
                       "   pkhtb r6, r6, lr, asr #16\n"
                       "   qsub16 r11, r11, r6\n"
                       "   smlabb lr, r8, %[g], %[half]\n"
                       "   smlatb r8, r8, %[g], %[half]\n"
                       "   pkhtb r8, r8, lr, asr #16\n"
                       "   qsub16 r12, r12, r8\n"
                       "   stmia %[w]!, {r9, r10, r11, r12}\n"
                       "   cmp %[w], %[end]\n"
                       "   bne 1b"
                       : [x] "+r"(raised), [w] "+r"(w)
                       : [end] "r"(words_end), [g] "r"(g), [half] "r"(0x8000)
                       : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
    }
    for (; end - w >= 2; w += 2, raised += 2) {
        uint32_t changes =
            low_halves((uint32_t)change_of(raised[0], g), (uint32_t)change_of(raised[1], g));
        store_pair(w, (uint32_t)__qsub16((int16x2_t)load_pair(w), (int16x2_t)changes));
    }
    if (w != end) {
        *w = (int16_t)tt_clamp(*w - change_of(*raised, g), INT16_MIN, INT16_MAX);
    }
}

void tt_descend_wide(int16_t *w, uint16_t *low, const int16_t *raised, int32_t g, size_t count)
{
    const int16_t *end = w + (count & ~(size_t)1);
    for (; w != end; w += 2, low += 2, raised += 2) {
        int32_t x = (int32_t)load_pair(raised);
        uint32_t high_pair = load_pair(w);
        uint32_t low_pair = load_pair(low);
        int32_t first = __qsub((int32_t)low_halves(low_pair, high_pair), __smlabb(g, x, 0));
        int32_t second = __qsub((int32_t)high_halves(low_pair, high_pair), __smlabt(g, x, 0));
        store_pair(w, high_halves((uint32_t)first, (uint32_t)second));
        store_pair(low, low_halves((uint32_t)first, (uint32_t)second));
    }
    if ((count & 1u) != 0u) {
        int32_t master = __qsub((int32_t)((uint32_t)*w << 16 | *low), g * *raised);
        *w = (int16_t)(master >> 16);
        *low = (uint16_t)master;
    }
}

#endif
