/* A ring of samples between one producer and one consumer, none of which waits for the other. */
#include "tinytrain/ring.h"

#include <stdbool.h>
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

/* The mean, rounded down: of numbers from 0 on, so that dividing does. */
static int16_t mean_of(const int16_t *values, uint32_t inputs)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < inputs; i++) {
        sum += (uint32_t)(values[i] + 32768);
    }
    return (int16_t)((int32_t)(sum / inputs) - 32768);
}

/* Samples of `inputs` values each, as they are or their means. */
static int32_t push(tt_ring *ring, const int16_t *values, uint32_t count, uint32_t inputs,
                    bool mixed)
{
    if (count % inputs != 0u) {
        return TT_ERROR_LENGTH;
    }
    uint32_t given = count / inputs;
    uint32_t taken = taken_of(ring, given);
    uint32_t place = ring->write;
    for (uint32_t i = 0; i < taken; i++) {
        if (mixed) {
            ring->samples[place] = mean_of(values, inputs);
        } else {
            for (uint32_t c = 0; c < inputs; c++) {
                ring->samples[place * inputs + c] = values[c];
            }
        }
        values += inputs;
        place = place + 1u == ring->capacity ? 0u : place + 1u;
    }
    ring->received = ring->received + taken;
    /* Last: the consumer sees no sample before it is there. */
    ring->write = (uint16_t)place;
    return taken < given ? TT_ERROR_OVERRUN : (int32_t)taken;
}

int32_t tt_ring_push(tt_ring *ring, const int16_t *values, uint32_t count)
{
    return push(ring, values, count, ring->channels, false);
}

int32_t tt_ring_push_mixed(tt_ring *ring, const int16_t *values, uint32_t count, uint16_t inputs)
{
    if (inputs == 0u || inputs > MAX_INPUTS || ring->channels != 1u) {
        return TT_ERROR_CHANNELS;
    }
    return push(ring, values, count, inputs, true);
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
