/* From samples to decisions: a ring, a front end, the model and a smoother. Every number stands in
 * firmware/FRONTEND.md, section 5.
 *
 *     tt_stream_begin(&stream, 16000, 1);
 *     interrupt:  tt_stream_push(&stream, samples, count);
 *     main loop:  int32_t event = tt_stream_step(&stream);
 *                 if (event == TT_STREAM_DETECTION) act(stream.detected);
 */
#ifndef TINYTRAIN_STREAM_H
#define TINYTRAIN_STREAM_H

#include "tinytrain/frontend.h"
#include "tinytrain/tinytrain.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_smoother_constants {
    int32_t average;        /* inferences, 1 to 64 */
    int32_t threshold;      /* Q15, 0 to 32768 */
    int32_t refractory;     /* inferences, 0 to 65535 */
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
#define TT_STREAM_DETECTION 3 /* an inference; stream.detected */

typedef struct tt_stream_counters {
    uint32_t frames;
    uint32_t inferences;
    uint32_t detections;
    uint32_t refused; /* pushes of the wrong length */
    uint32_t clipped; /* samples at an end of int16's range */
} tt_stream_counters;

typedef struct tt_stream {
    const tt_stream_constants *constants;
    tt_device *device;
    tt_ring ring;
    tt_frontend_state state;
    int8_t *features;        /* [frames][outputs], a ring */
    uint8_t *input;          /* the same in order, as the model takes it */
    uint16_t *probabilities; /* [average][classes] Q15, a ring */
    uint16_t *mean;          /* [classes] of the last inference, smoothed */
    uint16_t rows;           /* frames in the ring, up to `frames` */
    uint16_t oldest;         /* place of the oldest */
    uint16_t due;            /* frames to the next inference */
    uint16_t averaged;       /* inferences in the smoother */
    uint16_t newest;         /* place of the newest of them */
    uint16_t since;          /* inferences since the last detection; stays at 65535 */
    uint16_t detected;       /* class of the last detection */
    uint16_t inputs;         /* channels of what is pushed */
    tt_stream_counters counters;
} tt_stream;

/* Bytes of the memory of tt_stream_init: TT_MODEL_STREAM_BYTES of the emitted header. TT_OK,
 * TT_ERROR_MEMORY, TT_ERROR_FRONTEND where the model was trained on another front end, or
 * TT_ERROR_RANGE where frames x outputs are not the model's input. */
int32_t tt_stream_init(tt_stream *stream, const tt_stream_constants *constants, tt_device *device,
                       void *memory, size_t bytes);

/* A new stream of `rate` (Hz; motion: mHz) and `channels`: sounds of 1 to 8, which are mixed;
 * motion of the front end's. TT_OK, TT_ERROR_RATE, or TT_ERROR_CHANNELS; nothing changed then. */
int32_t tt_stream_begin(tt_stream *stream, uint32_t rate, uint16_t channels);

/* Producer, also from an interrupt: as tt_ring_push, or tt_ring_push_mixed. */
int32_t tt_stream_push(tt_stream *stream, const int16_t *values, uint32_t count);

/* At most one frame, and one inference. One of TT_STREAM_*, or a negative error. */
int32_t tt_stream_step(tt_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
