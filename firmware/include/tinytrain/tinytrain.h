/* The public face of the runtime: a device that infers and learns.
 *
 * Every buffer is the caller's. No function allocates, recurses or uses floating point. Errors are
 * negative (status.h); no function leaves the device half-changed when it returns one. Their texts:
 * tt_status_text, and tt_outcome_text of what tt_learn returns.
 *
 * An `input` is all of the model's inputs, NAME_INPUT_BYTES, one after the other in its order; an
 * `output` NAME_OUTPUT_BYTES, alike. They are the tensors' bytes, of an int8 model int8, with the
 * scale and zero point that NAME.h gives; no alignment is asked for.
 */
#ifndef TINYTRAIN_H
#define TINYTRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "tinytrain/head.h"
#include "tinytrain/model.h"
#include "tinytrain/outcome.h"
#include "tinytrain/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_device {
    const tt_model *model;
    uint8_t *arena;
    tt_head head;                     /* of a model with a plain head */
    tt_learner *learner;              /* NULL where the model has none */
    struct tt_statistics *statistics; /* bound by tt_statistics_init (statistics.h), or NULL */
    uint16_t predicted;               /* the class given before the last step was learned */
} tt_device;

/* `arena`: at least model->arena_bytes, aligned to 4. `head_memory`: as many bytes as the model's
 * header says (NAME_HEAD_BYTES), aligned to 8; NULL and 0 for a model without a head. The model's
 * layers have the statistics of training, and tt_statistics_init may follow. Returns TT_OK or
 * TT_ERROR_MEMORY. */
int32_t tt_init(tt_device *device, const tt_model *model, void *arena, size_t arena_bytes,
                void *head_memory, size_t head_bytes);

/* The model's variables back to their values at the start, as tt_init leaves them: a new stream
 * begins. What the head has learned stays. */
void tt_reset_state(tt_device *device);

/* Copies the inputs, one after the other in the model's order, into the arena. */
void tt_load_input(tt_device *device, const void *input);

/* Copies the outputs, one after the other in the model's order, out of the arena. */
void tt_store_output(const tt_device *device, void *output);

/* The model as it was converted: the same bytes as the .tflite file gives, whatever the head has
 * learned since. Of a model with variables, every call of this, tt_classify or tt_learn is the
 * next sample of one stream, and moves the variables on. */
int32_t tt_infer(tt_device *device, const void *input, void *output);

/* The class by the head as it has learned so far, 0 to C - 1, or TT_ERROR_NO_HEAD. */
int32_t tt_classify(tt_device *device, const void *input);

/* The same for every sample that the device meets: a learner follows drift by it. */
int32_t tt_observe(tt_device *device, const void *input);

/* Learns one labelled sample. Returns what became of it (outcome.h: TT_LEARNED, TT_CONFIDENT, ...),
 * or TT_ERROR_NO_HEAD, TT_ERROR_LABEL, or TT_ERROR_BUSY while there is work to do. */
int32_t tt_learn(tt_device *device, const void *input, uint16_t label);

/* The session's last sample is learned: a learner begins what it would do after some more. */
void tt_end_session(tt_device *device);

/* One slice of a learner's work; 1 while there is more, 0 when there is none. Call it whenever
 * there is time, or in a loop after tt_learn. */
int32_t tt_work(tt_device *device);

/* A new class for the head to learn. Returns its index, or TT_ERROR_NO_HEAD, TT_ERROR_FULL or
 * TT_ERROR_BUSY. */
int32_t tt_add_class(tt_device *device);

/* Answers by the factory head (0), and then by the statistics of training, or a kept version (1 is
 * the newest) again. For good: versions newer than that one, classes added since and the samples
 * remembered are forgotten, and no call brings them back; tt_export before it for an undo. TT_OK,
 * or TT_ERROR_NO_HEAD, or TT_ERROR_RANGE where there is no such version, or TT_ERROR_BUSY while a
 * state is taken over in pieces. A plain head keeps no version but the factory's. */
int32_t tt_roll_back(tt_device *device, uint16_t version);

/* Forgets everything learned, all versions, renewed statistics and the day's count of steps, and
 * begins a new stream: the device is as from tt_init and tt_statistics_init. tt_roll_back(device,
 * 0) leaves the stream and the day. */
void tt_reset(tt_device *device);

/* Writes all that the learner has learned, its memory of samples too, into `out`, any alignment:
 * NAME_STATE_BYTES, which it returns. TT_ERROR_NO_LEARNER of a model without one, TT_ERROR_MEMORY
 * where `bytes` is less, TT_ERROR_BUSY while there is work to do (call tt_work until it returns 0:
 * work under way is not in a state) or a state is taken over in pieces. Not in it: the model's
 * variables and normalization statistics. Pieces: learner.h. */
int32_t tt_export(tt_device *device, void *out, size_t bytes);

/* Takes over what tt_export gave, on this device or another one with the same model, in place of
 * what was learned here. It is not trusted. TT_OK, or TT_ERROR_NO_LEARNER, or TT_ERROR_FRAME where
 * it is damaged or cut, or TT_ERROR_MODEL where it is of another model or learner: nothing has
 * changed then; or TT_ERROR_RANGE where a number in it is out of bounds: the learner is as from the
 * factory then. */
int32_t tt_import(tt_device *device, const void *in, size_t bytes);

/* The head that learns, or NULL. */
tt_head *tt_device_head(tt_device *device);

#ifdef __cplusplus
}
#endif

#endif
