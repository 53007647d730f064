/* From samples to the model's input, in integers: sounds as log-mel or cepstral frames, motion as
 * windows or their statistics. Every number stands in firmware/FRONTEND.md; tinytrain/emulator is
 * the reference and gives the same bits. Samples come in chunks of any size through a ring that an
 * interrupt may fill while frames are made.
 */
#ifndef TINYTRAIN_FRONTEND_H
#define TINYTRAIN_FRONTEND_H

#include <stddef.h>
#include <stdint.h>

#include "tinytrain/ring.h"
#include "tinytrain/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* v to int8: sat8(round((v - offset[i]) scale[i], shift)). */
typedef struct tt_quantizer {
    int32_t each;          /* 0: one offset and scale for all outputs, 1: one each */
    int32_t shift;         /* 1 to 46 */
    const int32_t *offset; /* [1] or [outputs] */
    const int32_t *scale;  /* [1] or [outputs], not negative */
} tt_quantizer;

/* A real transform of N = points samples. */
typedef struct tt_transform {
    int32_t points;          /* a power of two, 16 to 1024 */
    const int16_t *twiddles; /* [points / 2][2] cosine, sine, Q15 */
} tt_transform;

typedef struct tt_audio_constants {
    int32_t rate; /* Hz of the samples */
    int32_t window;
    int32_t hop;
    int32_t pre_emphasis; /* Q15, 0: none */
    int32_t bands;        /* 1 to 128 */
    int32_t first_bin;
    int32_t coefficients; /* of the cepstrum, 0: the bands themselves */
    int32_t noise;        /* 1: noise reduction */
    int32_t gain;         /* 1: gain normalization */
    int32_t smooth_even;  /* Q14 */
    int32_t smooth_odd;   /* Q14 */
    int32_t least;        /* Q14 */
    int32_t strength;     /* Q15 */
    int32_t gain_offset;
    int32_t lift;  /* Q16 */
    int32_t floor; /* >= 1 */
    tt_transform transform;
    tt_quantizer quantizer;
    const int16_t *window_function; /* [window] Q15 */
    const uint16_t *segment_bins;   /* [bands + 1] */
    const uint16_t *rising;         /* [sum of segment_bins] Q15 */
    const int16_t *cosines;         /* [coefficients][bands] Q15 */
} tt_audio_constants;

/* tt_motion_constants.form */
#define TT_MOTION_WINDOWS 0
#define TT_MOTION_STATISTICS 1

typedef struct tt_motion_constants {
    int32_t rate;     /* of the samples, mHz */
    int32_t channels; /* 1 to 32 */
    int32_t up;       /* 1 to 64 */
    int32_t down;     /* up / 16 to 16 up */
    int32_t taps;     /* of each phase, 14 to 224; up = down = 1: 0 */
    int32_t length;   /* 1 to 4096 */
    int32_t hop;      /* 1 to 65535 */
    int32_t form;
    int32_t bands;                  /* of the statistics, 0: none */
    tt_transform transform;         /* points 0 without bands */
    tt_quantizer quantizer;         /* windows: `each` counts channels; statistics: all outputs */
    const int16_t *taps_of_phase;   /* [up][taps] Q15; magnitudes of a phase sum to < 2^16 */
    const int16_t *window_function; /* [length] Q15, bands only */
    const uint16_t *edges;          /* [bands + 1], from 1 to length / 2 + 1, ascending */
} tt_motion_constants;

struct tt_frontend_state;

/* What a kind of front end can do, so that the other kind is not linked. */
typedef struct tt_frontend_functions {
    /* Forgets all samples' influence: the beginning of a stream. The ring is emptied. */
    void (*reset)(struct tt_frontend_state *state);
    /* The next frame's outputs to features[], or 0 where samples are missing; 1 where it was made.
     */
    int32_t (*next)(struct tt_frontend_state *state, int8_t *features);
    /* Sets the pointers of `state` into `memory`. */
    void (*lay_out)(struct tt_frontend_state *state, uint8_t *memory);
} tt_frontend_functions;

/* One front end, in flash. */
typedef struct tt_frontend {
    const tt_frontend_functions *functions; /* &tt_audio_frontend or &tt_motion_frontend */
    const tt_audio_constants *audio;        /* or NULL */
    const tt_motion_constants *motion;      /* or NULL */
    uint32_t hash;
    int32_t channels; /* of a sample in the ring: 1 of sounds */
    int32_t outputs;  /* int8 of a frame */
    int32_t bytes;    /* of the working memory, ring apart */
} tt_frontend;

typedef struct tt_frontend_state {
    const tt_frontend *frontend;
    tt_ring *ring;
    int32_t *buffer;    /* sounds: [N]; statistics of motion: [points] */
    uint64_t *energy;   /* sounds: [bands] */
    uint32_t *estimate; /* sounds with noise reduction: [bands] */
    int16_t *window;    /* statistics of motion: [length][channels], a ring of samples */
    int8_t *quantized;  /* windows of motion: [length][channels], the same as int8 */
    int16_t *history;   /* motion: [channels][taps], rings of input samples, newest first */
    int32_t newest;     /* motion: place of the newest in the history */
    int32_t phase;      /* motion: of the next output, from the newest input, in 1/up of one */
    int32_t next;       /* motion: place in the window of the next sample */
    int32_t filled;     /* motion: samples in the window */
    int32_t waits;      /* samples to pass over before the next frame begins */
    int16_t previous;   /* sounds: the sample before the next frame */
    uint8_t begun;      /* motion: a sample was seen */
} tt_frontend_state;

extern const tt_frontend_functions tt_audio_frontend;
extern const tt_frontend_functions tt_motion_frontend;

/* `memory`: frontend->bytes bytes, aligned to 8. The ring has frontend->channels channels and holds
 * at least a window (sounds) or a sample (motion). TT_OK, TT_ERROR_MEMORY (misaligned or too
 * small), or TT_ERROR_RANGE for a ring that can never hold a frame. */
int32_t tt_frontend_init(tt_frontend_state *state, const tt_frontend *frontend, tt_ring *ring,
                         void *memory, size_t bytes);

/* One frame, where there are samples for it: features[outputs] are written and 1 is returned;
 * else 0. Work is bounded by one frame; samples that lie between frames are passed over. */
int32_t tt_frontend_next(tt_frontend_state *state, int8_t *features);

/* The beginning of a stream; the ring is emptied. */
void tt_frontend_reset(tt_frontend_state *state);

#ifdef __cplusplus
}
#endif

#endif
