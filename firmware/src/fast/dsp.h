/* What the fast kernels for the DSP extension share. */
#ifndef TINYTRAIN_DSP_H
#define TINYTRAIN_DSP_H

#include <stdint.h>
#include <string.h>

/* Four bytes from any address: cores with the extension load words unaligned. */
static inline uint32_t tt_load_word(const int8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

static inline void tt_store_word(int8_t *to, uint32_t word)
{
    memcpy(to, &word, sizeof word);
}

/* A byte four times. */
static inline uint32_t tt_four_times(int32_t value)
{
    return (uint32_t)(uint8_t)value * 0x01010101u;
}

/* For few bytes, or many: by words, where the library's may go by bytes. */
static inline void tt_copy_bytes(int8_t *to, const int8_t *from, int32_t count)
{
    for (; count >= 4; count -= 4) {
        tt_store_word(to, tt_load_word(from));
        to += 4;
        from += 4;
    }
    for (; count > 0; count--) {
        *to++ = *from++;
    }
}

static inline void tt_fill_bytes(int8_t *to, int32_t value, int32_t count)
{
    uint32_t word = tt_four_times(value);
    for (; count >= 4; count -= 4) {
        tt_store_word(to, word);
        to += 4;
    }
    for (; count > 0; count--) {
        *to++ = (int8_t)value;
    }
}

#endif
