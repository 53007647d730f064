/* A ring of samples between one producer and one consumer, none of which waits for the other. */
#include "tinytrain/ring.h"

#include <stddef.h>

#define MAX_INPUTS 8u

int32_t tt_ring_init(tt_ring *ring, int16_t *samples, uint16_t capacity, uint16_t channels)
{
    if (samples == NULL || capacity < 2u || channels == 0u) {
        return TT_ERROR_RANGE;
    }
    ring->samples = samples;
    ring->capacity = capacity;
    ring->channels = channels;
    ring->write = 0;
    ring->read = 0;
    ring->lost = 0;
    ring->received = 0;
    return TT_OK;
}

uint16_t tt_ring_waiting(const tt_ring *ring)
{
    uint32_t write = ring->write;
    uint32_t read = ring->read;
    return (uint16_t)(write >= read ? write - read : write + ring->capacity - read);
}

/* Of `given` samples as many as there is room for; the rest is counted as lost. */
static uint32_t taken_of(tt_ring *ring, uint32_t given)
{
    uint32_t room = (uint32_t)ring->capacity - 1u - tt_ring_waiting(ring);
    if (given <= room) {
        return given;
    }
    uint32_t more = given - room;
    uint32_t left = UINT32_MAX - ring->lost;
    ring->lost = ring->lost + (more < left ? more : left);
    return room;
}

/* What a push gives after `taken` of `given` samples were written up to `place`. The index is
 * stored last: the consumer sees no sample before it is there. */
static int32_t finish(tt_ring *ring, uint32_t place, uint32_t taken, uint32_t given)
{
    ring->received = ring->received + taken;
    ring->write = (uint16_t)place;
    return taken < given ? TT_ERROR_OVERRUN : (int32_t)taken;
}

int32_t tt_ring_push(tt_ring *ring, const int16_t *values, uint32_t count)
{
    uint32_t channels = ring->channels;
    if (count % channels != 0u) {
        return TT_ERROR_LENGTH;
    }
    uint32_t given = count / channels;
    uint32_t taken = taken_of(ring, given);
    uint32_t place = ring->write;
    for (uint32_t i = 0; i < taken; i++) {
        for (uint32_t c = 0; c < channels; c++) {
            ring->samples[place * channels + c] = *values++;
        }
        place = place + 1u == ring->capacity ? 0u : place + 1u;
    }
    return finish(ring, place, taken, given);
}

int32_t tt_ring_push_mixed(tt_ring *ring, const int16_t *values, uint32_t count, uint16_t inputs)
{
    if (inputs == 0u || inputs > MAX_INPUTS || ring->channels != 1u) {
        return TT_ERROR_CHANNELS;
    }
    if (count % inputs != 0u) {
        return TT_ERROR_LENGTH;
    }
    uint32_t given = count / inputs;
    uint32_t taken = taken_of(ring, given);
    uint32_t place = ring->write;
    for (uint32_t i = 0; i < taken; i++) {
        /* From 0 on, so that dividing rounds down. */
        uint32_t sum = 0;
        for (uint32_t c = 0; c < inputs; c++) {
            sum += (uint32_t)(*values++ + 32768);
        }
        ring->samples[place] = (int16_t)((int32_t)(sum / inputs) - 32768);
        place = place + 1u == ring->capacity ? 0u : place + 1u;
    }
    return finish(ring, place, taken, given);
}

/* Place in the ring of the waiting sample `place`. */
static uint32_t inside(const tt_ring *ring, uint32_t place)
{
    uint32_t sum = ring->read + place;
    return sum >= ring->capacity ? sum - ring->capacity : sum;
}

int16_t tt_ring_at(const tt_ring *ring, uint16_t place, uint16_t channel)
{
    return ring->samples[inside(ring, place) * ring->channels + channel];
}

void tt_ring_drop(tt_ring *ring, uint16_t count)
{
    ring->read = (uint16_t)inside(ring, count);
}
