/* The public face of the runtime: a device that infers and learns.
 *
 * Every buffer is the caller's. No function allocates, recurses or uses floating point. Errors are
 * negative (status.h); no function leaves the device half-changed when it returns one.
 */
#ifndef TINYTRAIN_H
#define TINYTRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "tinytrain/head.h"
#include "tinytrain/model.h"
#include "tinytrain/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_device {
    const tt_model *model;
    uint8_t *arena;
    tt_head head; /* unused where the model has none */
} tt_device;

/* `arena`: at least model->arena_bytes, aligned to 4. `head_memory`: TT_HEAD_BYTES of the
 * head's capacity, features and width, aligned to 4; NULL and 0 for a model without a head. Returns
 * TT_OK or TT_ERROR_MEMORY. */
int32_t tt_init(tt_device *device, const tt_model *model, void *arena, size_t arena_bytes,
                void *head_memory, size_t head_bytes);

/* The model's variables back to their values at the start, as tt_init leaves them: a new stream
 * begins. What the head has learned stays. */
void tt_reset_state(tt_device *device);

/* Copies the inputs, one after the other in the model's order, into the arena. */
void tt_load_input(tt_device *device, const uint8_t *input);

/* Copies the outputs, one after the other in the model's order, out of the arena. */
void tt_store_output(const tt_device *device, uint8_t *output);

/* The model as it was converted: the same bytes as the .tflite file gives, whatever the head has
 * learned since. Of a model with variables, every call of this, tt_classify or tt_learn is the
 * next sample of one stream, and moves the variables on. */
int32_t tt_infer(tt_device *device, const uint8_t *input, uint8_t *output);

/* The class by the head as it has learned so far, 0 to C - 1, or TT_ERROR_NO_HEAD. */
int32_t tt_classify(tt_device *device, const uint8_t *input);

/* One learning step. Returns the class given before learning, 0 to C - 1, or TT_ERROR_NO_HEAD or
 * TT_ERROR_LABEL. */
int32_t tt_learn(tt_device *device, const uint8_t *input, uint16_t label);

/* A new class for the head to learn, whose row is the mean of all rows. Returns its index, or
 * TT_ERROR_NO_HEAD or TT_ERROR_FULL. */
int32_t tt_add_class(tt_device *device);

#ifdef __cplusplus
}
#endif

#endif
