/* From samples to decisions: a ring, a front end, the model and a smoother. Every number stands in
 * firmware/FRONTEND.md, section 5; tinytrain/emulator/stream.py gives the same bits.
 *
 *     tt_stream_begin(&stream, 16000, 1);
 *     interrupt:  tt_stream_push(&stream, samples, count);
 *     main loop:  int32_t event = tt_stream_step(&stream);
 *                 if (event == TT_STREAM_DETECTION) act(stream.smoother.detected);
 */
#ifndef TINYTRAIN_STREAM_H
#define TINYTRAIN_STREAM_H

#include "tinytrain/frontend.h"
#include "tinytrain/tinytrain.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Channels of sound that are mixed to one, at most. */
#define TT_STREAM_MOST_MIXED 8u

/* The class of the last detection before there was one. */
#define TT_STREAM_NOTHING 0xffffu

typedef struct tt_smoother_constants {
    int32_t average;        /* inferences, 1 to 64 */
    int32_t threshold;      /* Q15, 0 to 32768 */
    int32_t refractory;     /* inferences between two detections, 0 to 65535 */
    int32_t ignored;        /* classes that are never detected */
    const uint16_t *ignore; /* [ignored] */
} tt_smoother_constants;

/* In flash. */
typedef struct tt_stream_constants {
    const tt_frontend *frontend;
    int32_t frames;  /* of the model's input */
    int32_t stride;  /* frames from inference to inference */
    int32_t classes; /* room for: those of the head with its reserved rows, or the output's */
    int32_t ring_capacity;
    tt_smoother_constants smoother;
} tt_stream_constants;

/* What tt_stream_step came to. */
#define TT_STREAM_IDLE 0      /* samples are missing */
#define TT_STREAM_FRAME 1     /* a frame, no inference */
#define TT_STREAM_INFERENCE 2 /* an inference, nothing detected */
#define TT_STREAM_DETECTION 3 /* an inference; smoother.detected */

/* The last inferences, and what they come to together. Room for `capacity` classes. */
typedef struct tt_smoother {
    const tt_smoother_constants *constants;
    uint16_t *probabilities; /* [average][capacity] Q15, a ring; 0 where there was no such class */
    uint16_t *mean;          /* [capacity] Q15, of the first `classes` after an inference */
    uint16_t capacity;
    uint16_t classes;  /* of the last inference */
    uint16_t averaged; /* inferences in the ring, up to `average` */
    uint16_t newest;   /* place of the newest of them */
    uint16_t since;    /* inferences after that of the last detection; stays at 65535 */
    uint16_t detected; /* class of the last detection, or TT_STREAM_NOTHING */
} tt_smoother;

/* `refused` and `clipped` are the producer's, the others the consumer's. */
typedef struct tt_stream_counters {
    uint32_t frames;
    uint32_t inferences;
    uint32_t detections;
    uint32_t refused; /* pushes of the wrong length */
    uint32_t clipped; /* values at an end of int16's range */
} tt_stream_counters;

typedef struct tt_stream {
    const tt_stream_constants *constants;
    tt_device *device;
    tt_ring ring;
    tt_frontend_state state;
    tt_smoother smoother;
    int16_t *samples; /* the ring's: [ring_capacity][channels] */
    int8_t *features; /* [frames][outputs], a ring of the last frames */
    uint16_t next;    /* place of the next frame: of the oldest where there are `frames` */
    uint16_t due;     /* frames to the next inference */
    uint16_t inputs;  /* channels of what is pushed */
    tt_stream_counters counters;
} tt_stream;

/* Bytes for tt_stream_init: a constant expression, all as in tt_frontend and tt_stream_constants.
 */
#define TT_STREAM_BYTES(frontend_bytes, ring_capacity, channels, frames, outputs, average,         \
                        classes)                                                                   \
    (((frontend_bytes) + 7u) / 8u * 8u + (ring_capacity) * (channels) * 2u +                       \
     ((average) + 1u) * (classes) * 2u + (frames) * (outputs))

/* `memory`: TT_MODEL_STREAM_BYTES of the emitted header, aligned to 8. A stream of the front end's
 * rate and of one channel (motion: the front end's) has begun then. TT_OK, TT_ERROR_MEMORY,
 * TT_ERROR_FRONTEND where the model was trained on another front end, or TT_ERROR_RANGE where
 * frames x outputs are not the model's only input, the classes have no room, or the ring can never
 * hold a frame. */
int32_t tt_stream_init(tt_stream *stream, const tt_stream_constants *constants, tt_device *device,
                       void *memory, size_t bytes);

/* A new stream of `rate` (Hz; motion: mHz) and `channels`: sounds of 1 to 8, which are mixed;
 * motion of the front end's. The model's variables are at their start again; what the head has
 * learned stays. Nobody may push meanwhile. TT_OK, TT_ERROR_RATE, or TT_ERROR_CHANNELS; nothing
 * changed then. */
int32_t tt_stream_begin(tt_stream *stream, uint32_t rate, uint16_t channels);

/* As tt_stream_init leaves it: a new stream of the front end's rate and channels. */
void tt_stream_reset(tt_stream *stream);

/* Producer, also from an interrupt: `count` values, channels interleaved, as tt_ring_push or
 * tt_ring_push_mixed takes them. From 0 on: the samples taken, all of them. TT_ERROR_OVERRUN: some
 * were lost; those that fitted were taken, the rest is counted in ring.lost. TT_ERROR_LENGTH: a
 * part of a sample; nothing was taken, and counters.refused counts it. */
int32_t tt_stream_push(tt_stream *stream, const int16_t *values, uint32_t count);

/* At most one frame, and one inference. One of TT_STREAM_*. What a detection was decided by is
 * smoother.mean[smoother.detected] (Q15), the mean over the last inferences. */
int32_t tt_stream_step(tt_stream *stream);

/* The newest frame [outputs], after a step that made one. */
const int8_t *tt_stream_frame(const tt_stream *stream);

/* The last inference's probabilities alone [smoother.classes] Q15, after a step that made one; a
 * detection's is smoother.mean. */
const uint16_t *tt_stream_probabilities(const tt_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
