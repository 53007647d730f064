/* Sounds to log-mel or cepstral frames. Rules: firmware/FRONTEND.md, section 2.
 *
 * The windowed samples and their transform lie in buffer[points], the bands' sums in energy[bands];
 * as these become amplitudes and logarithms they stay there, each in the low word of its place. */
#include <string.h>

#include "fixed_log.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/frontend.h"
#include "transform.h"

#define FULL ((uint32_t)INT32_MAX)

/* u += p r, p < 2^49, r <= 2^15. */
static inline uint64_t add_product(uint64_t u, uint64_t p, uint32_t r)
{
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
    /* A machine that multiplies words to words: halves, without a call. */
    uint32_t low = (uint32_t)p;
    uint32_t high = (uint32_t)(p >> 32);
    return u + (low & 65535u) * r + ((uint64_t)((low >> 16) * r) << 16) +
           ((uint64_t)(high * r) << 32);
#else
    return u + p * r;
#endif
}

/* Where the next sample of a frame lies. */
typedef struct sample_reader {
    const volatile int16_t *samples;
    uint32_t at;
    uint32_t capacity;
    int32_t before;
    int32_t pre_emphasis;
} sample_reader;

/* The next sample after pre-emphasis, under weight w. */
static inline int32_t read_sample(sample_reader *reader, int32_t w)
{
    int32_t x = reader->samples[reader->at];
    int32_t y = x - ((reader->pre_emphasis * reader->before + 16384) >> 15);
    reader->before = x;
    reader->at++;
    if (reader->at == reader->capacity) {
        reader->at = 0;
    }
    return (y * w) >> 1;
}

/* v[i], i below window, 0 behind it, where the transform takes them. */
static void take_window(const tt_audio_constants *k, const tt_frontend_state *state)
{
    const tt_ring *ring = state->ring;
    const int16_t *w = k->window_function;
    uint32_t points = (uint32_t)k->transform.points;
    uint32_t window = (uint32_t)k->window;
    int32_t *buffer = state->buffer;
    sample_reader reader = {ring->samples, ring->read, ring->capacity, state->previous,
                            k->pre_emphasis};
    uint32_t place = 0;
    memset(buffer, 0, points * sizeof buffer[0]);
    for (uint32_t i = 0; i + 1u < window; i += 2u) {
        buffer[2u * place] = read_sample(&reader, w[i]);
        buffer[2u * place + 1u] = read_sample(&reader, w[i + 1u]);
        place = tt_transform_next_place(place, points / 2u);
    }
    if ((window & 1u) != 0u) {
        buffer[2u * place] = read_sample(&reader, w[window - 1u]);
    }
}

/* Power to the sums of the bands. Of a segment's frequencies the weighted sum is the rising band's,
 * and what is left of the whole that of the band that falls. */
static void add_bands(const tt_audio_constants *k, const tt_frontend_state *state)
{
    const int32_t *z = state->buffer;
    const uint16_t *rising = k->rising;
    uint32_t bin = (uint32_t)k->first_bin;
    uint32_t bands = (uint32_t)k->bands;
    for (uint32_t segment = 0; segment <= bands; segment++) {
        uint64_t whole = 0;
        uint64_t part = 0;
        uint32_t end = bin + k->segment_bins[segment];
        for (; bin < end; bin++) {
            uint64_t p = (bin == 0u ? tt_transform_square(z[0]) : tt_transform_power(z, bin)) >> 12;
            whole += p;
            part = add_product(part, p, *rising++);
        }
        if (segment < bands) {
            state->energy[segment] = part;
        }
        if (segment > 0u) {
            state->energy[segment - 1u] += (whole << 15) - part;
        }
    }
}

static void take_logarithms(const tt_audio_constants *k, const tt_frontend_state *state)
{
    for (int32_t b = 0; b < k->bands; b++) {
        uint64_t *energy = &state->energy[b];
        *energy = (uint64_t)tt_log2_q16(*energy + (uint32_t)k->floor);
    }
}

/* Amplitude s over the noise's, compressed. */
static uint32_t normalized(const tt_audio_constants *k, uint32_t s, uint32_t noise)
{
    if (s == 0u) {
        return 0;
    }
    int64_t loudness = tt_log2_q16((uint64_t)noise + (uint32_t)k->gain_offset);
    int32_t gain = k->lift - (int32_t)((k->strength * loudness + 16384) >> 15);
    uint32_t x = tt_exp2_q16(tt_log2_q16(s) + gain);
    return x < 8192u ? (x * x) >> 20 : (x >> 6) - 64u;
}

/* Amplitudes less the noise, and their logarithms. */
static void reduce_noise(const tt_audio_constants *k, const tt_frontend_state *state)
{
    for (int32_t b = 0; b < k->bands; b++) {
        uint32_t root = tt_isqrt64(state->energy[b] >> 1);
        uint32_t s = root < FULL ? root : FULL;
        uint32_t smooth = (uint32_t)((b & 1) != 0 ? k->smooth_odd : k->smooth_even);
        uint64_t sum = (uint64_t)s * smooth + (uint64_t)state->estimate[b] * (16384u - smooth);
        uint32_t noise = (uint32_t)(sum >> 14);
        uint32_t least = (uint32_t)(((uint64_t)s * (uint32_t)k->least) >> 14);
        uint32_t left = noise < s ? s - noise : 0u;
        state->estimate[b] = noise;
        left = left > least ? left : least;
        if (k->gain != 0) {
            left = normalized(k, left, noise) << 3;
        }
        state->energy[b] = (uint64_t)tt_log2_q16(left > 1u ? left : 1u);
    }
}

static int64_t coefficient(const tt_audio_constants *k, const uint64_t *logarithms, int32_t index)
{
    const int16_t *row = k->cosines + index * k->bands;
    int64_t sum = 0;
    for (int32_t b = 0; b < k->bands; b++) {
        sum += (int64_t)(int32_t)logarithms[b] * row[b];
    }
    return tt_round_half_up_int64(sum, 15);
}

static int8_t to_int8(const tt_quantizer *quantizer, int32_t output, int64_t value)
{
    int32_t i = quantizer->each != 0 ? output : 0;
    int64_t scaled = (value - quantizer->offset[i]) * quantizer->scale[i];
    int64_t rounded = tt_round_half_up_int64(scaled, quantizer->shift);
    return (int8_t)(rounded > 127 ? 127 : rounded < -128 ? -128 : rounded);
}

static void write_features(const tt_audio_constants *k, const uint64_t *logarithms,
                           int8_t *features)
{
    int32_t outputs = k->coefficients > 0 ? k->coefficients : k->bands;
    for (int32_t i = 0; i < outputs; i++) {
        int64_t value =
            k->coefficients > 0 ? coefficient(k, logarithms, i) : (int64_t)logarithms[i];
        features[i] = to_int8(&k->quantizer, i, value);
    }
}

/* Drops what waits of the samples before the next frame. */
static void pass_over(tt_frontend_state *state)
{
    int32_t count = tt_min(state->waits, tt_ring_waiting(state->ring));
    if (count > 0) {
        state->previous = tt_ring_at(state->ring, (uint16_t)(count - 1), 0);
        tt_ring_drop(state->ring, (uint16_t)count);
        state->waits -= count;
    }
}

static int32_t next(tt_frontend_state *state, int8_t *features)
{
    const tt_audio_constants *k = state->frontend->audio;
    pass_over(state);
    if (state->waits > 0 || tt_ring_waiting(state->ring) < k->window) {
        return 0;
    }
    take_window(k, state);
    /* The samples are read: the producer gets their room before the work. */
    state->waits = k->hop;
    pass_over(state);
    tt_transform_run(&k->transform, state->buffer);
    add_bands(k, state);
    if (k->noise != 0) {
        reduce_noise(k, state);
    } else {
        take_logarithms(k, state);
    }
    write_features(k, state->energy, features);
    return 1;
}

static void reset(tt_frontend_state *state)
{
    const tt_audio_constants *k = state->frontend->audio;
    state->waits = 0;
    state->previous = 0;
    if (k->noise != 0) {
        memset(state->estimate, 0, (size_t)k->bands * sizeof state->estimate[0]);
    }
}

static void lay_out(tt_frontend_state *state, uint8_t *memory)
{
    const tt_audio_constants *k = state->frontend->audio;
    size_t bands = (size_t)k->bands;
    state->energy = (uint64_t *)(void *)memory;
    state->buffer = (int32_t *)(void *)(memory + bands * sizeof state->energy[0]);
    state->estimate = (uint32_t *)(void *)(state->buffer + k->transform.points);
}

const tt_frontend_functions tt_audio_frontend = {reset, next, lay_out};
