/* Reductions of pixels, portable; four channels at once with the DSP extension. */
#include "pixels.h"

#include "tinytrain/arithmetic.h"
#include "tinytrain/instruction_set.h"

#if !TT_KERNELS_MVE

#if TT_KERNELS_DSP

#include "../fast/dsp.h"

/* As many bytes as a sum of 16 bits always holds. */
#define NARROW_SUM 256

/* Sums of bytes 0 and 2, and of 1 and 3, in halves of 16 bits. */
typedef struct lanes {
    uint32_t even;
    uint32_t odd;
} lanes;

static inline void add_bytes(lanes *sums, uint32_t word)
{
    __asm("sxtab16 %0, %0, %1" : "+r"(sums->even) : "r"(word));
    __asm("sxtab16 %0, %0, %1, ror #8" : "+r"(sums->odd) : "r"(word));
}

static inline void move_lanes(lanes *from, int32_t *sums)
{
    sums[0] += (int16_t)(uint16_t)from->even;
    sums[1] += (int16_t)(uint16_t)from->odd;
    sums[2] += (int16_t)(uint16_t)(from->even >> 16);
    sums[3] += (int16_t)(uint16_t)(from->odd >> 16);
    from->even = 0;
    from->odd = 0;
}

static void sum_four(const tt_pixels *p, const int8_t *first, int32_t *sums)
{
    lanes narrow = {0, 0};
    int32_t room = NARROW_SUM;
    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    for (int32_t row = p->rows; row > 0; row--) {
        const int8_t *pixel = first;
        int32_t left = p->columns;
        while (left > 0) {
            int32_t together = tt_min(left, room);
            left -= together;
            room -= together;
            for (; together > 0; together--) {
                add_bytes(&narrow, tt_load_word(pixel));
                pixel += p->column_step;
            }
            if (room == 0) {
                move_lanes(&narrow, sums);
                room = NARROW_SUM;
            }
        }
        first += p->row_step;
    }
    move_lanes(&narrow, sums);
}

/* Of four bytes each, those of `a` where they are higher, or lower, and else those of `b`. */
static inline uint32_t higher_bytes(uint32_t a, uint32_t b)
{
    uint32_t found;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(found) : "r"(a), "r"(b));
    return found;
}

static inline uint32_t lower_bytes(uint32_t a, uint32_t b)
{
    uint32_t found;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(found) : "r"(a), "r"(b));
    return found;
}

static uint32_t highest_of_four(const tt_pixels *p, const int8_t *first, uint32_t low,
                                uint32_t high)
{
    uint32_t found = low;
    for (int32_t row = p->rows; row > 0; row--) {
        const int8_t *pixel = first;
        for (int32_t left = p->columns; left > 0; left--) {
            found = higher_bytes(found, tt_load_word(pixel));
            pixel += p->column_step;
        }
        first += p->row_step;
    }
    return lower_bytes(found, high);
}

#endif

static int32_t sum_one(const tt_pixels *p, const int8_t *first)
{
    int32_t sum = 0;
    for (int32_t row = p->rows; row > 0; row--) {
        const int8_t *pixel = first;
        for (int32_t left = p->columns; left > 0; left--) {
            sum += *pixel;
            pixel += p->column_step;
        }
        first += p->row_step;
    }
    return sum;
}

static int32_t highest_of_one(const tt_pixels *p, const int8_t *first)
{
    int32_t found = INT8_MIN;
    for (int32_t row = p->rows; row > 0; row--) {
        const int8_t *pixel = first;
        for (int32_t left = p->columns; left > 0; left--) {
            found = tt_max(found, *pixel);
            pixel += p->column_step;
        }
        first += p->row_step;
    }
    return found;
}

void tt_sum_pixels(const tt_pixels *p, const int8_t *first, int32_t channels, int32_t *sums)
{
#if TT_KERNELS_DSP
    if (channels == TT_SUMMED) {
        sum_four(p, first, sums);
        return;
    }
#endif
    for (int32_t channel = 0; channel < channels; channel++) {
        sums[channel] = sum_one(p, first + channel);
    }
}

void tt_highest_pixels(const tt_pixels *p, const int8_t *first, int32_t channels, int32_t low,
                       int32_t high, int8_t *output)
{
    int32_t channel = 0;
#if TT_KERNELS_DSP
    uint32_t lows = tt_four_times(low);
    uint32_t highs = tt_four_times(high);
    for (; channel + 4 <= channels; channel += 4) {
        tt_store_word(output + channel, highest_of_four(p, first + channel, lows, highs));
    }
#endif
    for (; channel < channels; channel++) {
        output[channel] = (int8_t)tt_clamp(highest_of_one(p, first + channel), low, high);
    }
}

#endif
