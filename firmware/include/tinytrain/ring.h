/* Samples on their way from one producer, which may be an interrupt, to one consumer. Neither waits
 * for the other and nothing is locked: each index is written by one side only, and a 16-bit store
 * is one instruction on every target. Rules: firmware/FRONTEND.md, section 4.
 */
#ifndef TINYTRAIN_RING_H
#define TINYTRAIN_RING_H

#include <stdint.h>

#include "tinytrain/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_ring {
    volatile int16_t *samples;  /* [capacity][channels] */
    uint16_t capacity;          /* samples (of all channels); one place stays free */
    uint16_t channels;          /* of a sample in the ring */
    volatile uint16_t write;    /* producer's; 0 to capacity - 1 */
    volatile uint16_t read;     /* consumer's */
    volatile uint32_t lost;     /* producer's: samples that found no place; stays at its largest */
    volatile uint32_t received; /* producer's: samples taken; wraps */
} tt_ring;

/* `samples`: capacity * channels values, capacity 2 to 65535. TT_OK or TT_ERROR_RANGE. */
int32_t tt_ring_init(tt_ring *ring, int16_t *samples, uint16_t capacity, uint16_t channels);

/* Producer: `values` int16, interleaved, a multiple of the ring's channels. Returns the samples
 * taken; TT_ERROR_LENGTH, and nothing is taken, for a part of a sample; TT_ERROR_OVERRUN where some
 * found no place: what fits was taken and the rest is counted in `lost`. */
int32_t tt_ring_push(tt_ring *ring, const int16_t *values, uint32_t count);

/* The same for sound of `inputs` channels (1 to 8, else TT_ERROR_CHANNELS) into a ring of one: the
 * mean, rounded down. */
int32_t tt_ring_push_mixed(tt_ring *ring, const int16_t *values, uint32_t count, uint16_t inputs);

/* Consumer: samples waiting. */
uint16_t tt_ring_waiting(const tt_ring *ring);

/* Consumer: value of `channel` of the waiting sample `place`, 0 the oldest; place < waiting. */
int16_t tt_ring_at(const tt_ring *ring, uint16_t place, uint16_t channel);

/* Consumer: the oldest `count` samples are done with; count <= waiting. */
void tt_ring_drop(tt_ring *ring, uint16_t count);

#ifdef __cplusplus
}
#endif

#endif
