/* Motion to windows, or to statistics of them: firmware/FRONTEND.md, section 3; the twin of
 * tinytrain/emulator/motion.py.
 *
 * Bounds, with L <= 4096 samples of int16: a sum of samples, and L times a sample, stay within
 * 2^27; a sum of squares within 2^42; L times it within 2^54. A resampled sum has 32 bits, as its
 * taps' magnitudes sum to less than 2^16. Each sample is resampled and, of windows, quantized once,
 * however much windows overlap.
 */
#include <string.h>

#include "fixed_log.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/frontend.h"
#include "transform.h"

#define POWER_SHIFT 12

/* What the statistics of one channel have in common. */
typedef struct moments {
    const int16_t *oldest; /* of the channel, in the ring of samples */
    int32_t sum;
    uint64_t square;
    int32_t mean;
} moments;

/* v to int8 by output (windows: channel) number `index`. */
static int8_t quantize(const tt_quantizer *quantizer, int32_t v, int32_t index)
{
    int32_t i = quantizer->each ? index : 0;
    int64_t product = (int64_t)(v - quantizer->offset[i]) * quantizer->scale[i];
    int64_t q = tt_round_half_up_int64(product, quantizer->shift);
    return (int8_t)(q < -128 ? -128 : q > 127 ? 127 : q);
}

static int16_t saturate_16(int32_t x)
{
    return (int16_t)tt_clamp(x, INT16_MIN, INT16_MAX);
}

/* The oldest sample of the ring becomes the newest of the history; the first one, whose place is
 * the last, fills it. */
static void take_input(tt_frontend_state *state)
{
    const tt_motion_constants *k = state->frontend->motion;
    int32_t before = state->newest == 0 ? k->taps - 1 : state->newest - 1;
    int32_t first = state->begun ? before : 0;
    for (int32_t c = 0; c < k->channels; c++) {
        int16_t x = tt_ring_at(state->ring, 0, (uint16_t)c);
        for (int32_t place = first; place <= before; place++) {
            state->history[c * k->taps + place] = x;
        }
    }
    tt_ring_drop(state->ring, 1);
    state->newest = before;
    state->begun = 1;
    state->phase -= k->up;
}

/* sum of h[i] x[i] */
static int32_t dot(const int16_t *h, const int16_t *x, int32_t count)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += h[i] * x[i];
    }
    return sum;
}

/* One channel of the output at the present phase. */
static int16_t resampled(const tt_frontend_state *state, int32_t channel)
{
    const tt_motion_constants *k = state->frontend->motion;
    const int16_t *h = k->taps_of_phase + state->phase * k->taps;
    const int16_t *x = state->history + channel * k->taps;
    int32_t before_end = k->taps - state->newest;
    int32_t sum = dot(h, x + state->newest, before_end) + dot(h + before_end, x, state->newest);
    return saturate_16(tt_round_half_up(sum, 15));
}

/* The next sample's `channel`, at the windows' rate. */
static int16_t sample_at(const tt_frontend_state *state, int32_t channel)
{
    if (state->frontend->motion->taps > 0) {
        return resampled(state, channel);
    }
    return tt_ring_at(state->ring, 0, (uint16_t)channel);
}

/* Makes a sample at the windows' rate ready, where there is one. */
static int32_t sample_is_ready(tt_frontend_state *state)
{
    const tt_motion_constants *k = state->frontend->motion;
    if (k->taps == 0) {
        return tt_ring_waiting(state->ring) > 0;
    }
    while (state->phase >= k->up) {
        if (tt_ring_waiting(state->ring) == 0) {
            return 0;
        }
        take_input(state);
    }
    return 1;
}

static void sample_is_done(tt_frontend_state *state)
{
    const tt_motion_constants *k = state->frontend->motion;
    if (k->taps == 0) {
        tt_ring_drop(state->ring, 1);
    } else {
        state->phase += k->down;
    }
}

/* The ready sample to the window. */
static void keep_sample(tt_frontend_state *state)
{
    const tt_motion_constants *k = state->frontend->motion;
    int32_t first = state->next * k->channels;
    for (int32_t c = 0; c < k->channels; c++) {
        int16_t x = sample_at(state, c);
        if (k->form == TT_MOTION_WINDOWS) {
            state->quantized[first + c] = quantize(&k->quantizer, x, c);
        } else {
            state->window[first + c] = x;
        }
    }
    state->next = state->next + 1 == k->length ? 0 : state->next + 1;
    state->filled++;
}

/* The sample of the same channel after x, in a ring that ends before `end`. */
static const int16_t *following(const tt_motion_constants *k, const int16_t *x, const int16_t *end)
{
    x += k->channels;
    return x < end ? x : x - k->length * k->channels;
}

static const int16_t *end_of_window(const tt_frontend_state *state)
{
    const tt_motion_constants *k = state->frontend->motion;
    return state->window + k->length * k->channels;
}

static moments moments_of(const tt_frontend_state *state, int32_t channel)
{
    const tt_motion_constants *k = state->frontend->motion;
    moments found = {state->window + state->next * k->channels + channel, 0, 0, 0};
    const int16_t *x = state->window + channel;
    for (int32_t i = 0; i < k->length; i++) {
        found.sum += *x;
        found.square += (uint32_t)(*x * *x);
        x += k->channels;
    }
    found.mean = (int32_t)tt_divide_rounded(found.sum, k->length);
    return found;
}

/* The standard deviation times the length. */
static int32_t deviation_of(const moments *m, int32_t length)
{
    uint64_t squared_sum = (uint64_t)((int64_t)m->sum * m->sum);
    return (int32_t)tt_isqrt64((uint64_t)(uint32_t)length * m->square - squared_sum);
}

/* How often the signal crosses its mean. */
static int32_t crossings_of(const tt_frontend_state *state, const moments *m)
{
    const tt_motion_constants *k = state->frontend->motion;
    const int16_t *end = end_of_window(state);
    const int16_t *x = m->oldest;
    int32_t crossings = 0;
    int32_t before = k->length * *x >= m->sum;
    for (int32_t i = 1; i < k->length; i++) {
        x = following(k, x, end);
        int32_t above = k->length * *x >= m->sum;
        crossings += above != before;
        before = above;
    }
    return crossings;
}

/* The transform of one channel in the buffer. */
static void transform_channel(tt_frontend_state *state, const moments *m)
{
    const tt_motion_constants *k = state->frontend->motion;
    const int16_t *end = end_of_window(state);
    const int16_t *x = m->oldest;
    uint32_t place = 0;
    for (int32_t i = 0; i < k->length; i += 2) {
        for (int32_t part = 0; part < 2; part++) {
            int32_t level = saturate_16(*x - m->mean);
            state->buffer[2u * place + (uint32_t)part] =
                (level * k->window_function[i + part]) >> 1;
            x = following(k, x, end);
        }
        place = tt_transform_next_place(place, (uint32_t)k->length / 2u);
    }
    tt_transform_run(&k->transform, state->buffer);
}

/* Squared magnitude at frequency `bin`, 0 < bin <= length / 2. */
static uint64_t power_at(const tt_frontend_state *state, int32_t bin)
{
    if (2 * bin == state->frontend->motion->length) {
        return tt_transform_square(state->buffer[1]);
    }
    return tt_transform_power(state->buffer, (uint32_t)bin);
}

static int32_t band_of(const tt_frontend_state *state, int32_t band)
{
    const tt_motion_constants *k = state->frontend->motion;
    uint64_t sum = 0;
    for (int32_t bin = k->edges[band]; bin < k->edges[band + 1]; bin++) {
        sum += power_at(state, bin) >> POWER_SHIFT;
    }
    return tt_log2_q16(sum + 1u);
}

static void make_statistics(tt_frontend_state *state, int8_t *features)
{
    const tt_motion_constants *k = state->frontend->motion;
    int32_t made = 0;
    for (int32_t c = 0; c < k->channels; c++) {
        moments m = moments_of(state, c);
        int32_t plain[4] = {m.sum, deviation_of(&m, k->length), tt_log2_q16(m.square + 1u),
                            crossings_of(state, &m) * 65536};
        for (int32_t i = 0; i < 4; i++) {
            features[made] = quantize(&k->quantizer, plain[i], made);
            made++;
        }
        if (k->bands > 0) {
            transform_channel(state, &m);
        }
        for (int32_t band = 0; band < k->bands; band++) {
            features[made] = quantize(&k->quantizer, band_of(state, band), made);
            made++;
        }
    }
}

/* The window, which is full, in order. */
static void copy_window(const tt_frontend_state *state, int8_t *features)
{
    const tt_motion_constants *k = state->frontend->motion;
    size_t oldest = (size_t)(state->next * k->channels);
    size_t before_end = (size_t)(k->length * k->channels) - oldest;
    memcpy(features, state->quantized + oldest, before_end);
    memcpy(features + before_end, state->quantized, oldest);
}

static void make_frame(tt_frontend_state *state, int8_t *features)
{
    const tt_motion_constants *k = state->frontend->motion;
    if (k->form == TT_MOTION_WINDOWS) {
        copy_window(state, features);
    } else {
        make_statistics(state, features);
    }
    state->filled = tt_max(k->length - k->hop, 0);
    state->waits = tt_max(k->hop - k->length, 0);
}

static int32_t next(tt_frontend_state *state, int8_t *features)
{
    while (sample_is_ready(state)) {
        if (state->waits > 0) {
            state->waits--;
        } else {
            keep_sample(state);
        }
        sample_is_done(state);
        if (state->filled == state->frontend->motion->length) {
            make_frame(state, features);
            return 1;
        }
    }
    return 0;
}

static void reset(tt_frontend_state *state)
{
    state->newest = 0;
    state->phase = state->frontend->motion->up;
    state->next = 0;
    state->filled = 0;
    state->waits = 0;
    state->begun = 0;
}

static void lay_out(tt_frontend_state *state, uint8_t *memory)
{
    const tt_motion_constants *k = state->frontend->motion;
    int32_t values = k->length * k->channels;
    int32_t window = k->form == TT_MOTION_WINDOWS ? 0 : values;
    state->buffer = (int32_t *)(void *)memory;
    state->window = (int16_t *)(void *)(state->buffer + k->transform.points);
    state->history = state->window + window;
    state->quantized = (int8_t *)(state->history + k->taps * k->channels);
}

const tt_frontend_functions tt_motion_frontend = {reset, next, lay_out};
