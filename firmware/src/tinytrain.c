/* The public face: a device that infers and learns, over a generated model. */
#include "tinytrain/tinytrain.h"

#include <string.h>

#include "tinytrain/statistics.h"

int32_t tt_init(tt_device *device, const tt_model *model, void *arena, size_t arena_bytes,
                void *head_memory, size_t head_bytes)
{
    if (arena == NULL || (uintptr_t)arena % 4u != 0u || arena_bytes < model->arena_bytes) {
        return TT_ERROR_MEMORY;
    }
    device->model = model;
    device->arena = arena;
    device->learner = NULL;
    device->statistics = NULL;
    if (model->statistics != NULL) {
        model->statistics->functions->restore(model);
    }
    tt_reset_state(device);
    if (model->head == NULL) {
        return TT_OK;
    }
    if (model->learner == NULL) {
        return tt_head_init(&device->head, model->head, head_memory, head_bytes);
    }
    device->learner = model->learner->functions->place(model->learner, head_memory, head_bytes);
    return device->learner != NULL ? TT_OK : TT_ERROR_MEMORY;
}

void tt_reset_state(tt_device *device)
{
    for (uint16_t i = 0; i < device->model->variables; i++) {
        const tt_variable *variable = &device->model->variable[i];
        uint8_t *place = device->arena + variable->slot.offset;
        if (variable->initial != NULL) {
            memcpy(place, variable->initial, variable->slot.bytes);
        } else {
            memset(place, variable->fill, variable->slot.bytes);
        }
    }
}

void tt_load_input(tt_device *device, const void *input)
{
    const uint8_t *next = input;
    for (uint16_t i = 0; i < device->model->inputs; i++) {
        const tt_slot *slot = &device->model->input[i];
        memcpy(device->arena + slot->offset, next, slot->bytes);
        next += slot->bytes;
    }
}

void tt_store_output(const tt_device *device, void *output)
{
    uint8_t *next = output;
    for (uint16_t i = 0; i < device->model->outputs; i++) {
        const tt_slot *slot = &device->model->output[i];
        memcpy(next, device->arena + slot->offset, slot->bytes);
        next += slot->bytes;
    }
}

int32_t tt_infer(tt_device *device, const void *input, void *output)
{
    tt_load_input(device, input);
    device->model->run(device->arena, 0, device->model->operators);
    tt_store_output(device, output);
    return TT_OK;
}

/* The features of one input, in the arena. */
static const int8_t *features_of(tt_device *device, const void *input)
{
    tt_load_input(device, input);
    device->model->run(device->arena, 0, device->model->head_operator);
    return (const int8_t *)(device->arena + device->model->features_offset);
}

tt_head *tt_device_head(tt_device *device)
{
    if (device->model->head == NULL) {
        return NULL;
    }
    return device->learner != NULL ? &device->learner->head : &device->head;
}

/* The functions of the device's learner, which there is. */
static const tt_learner_functions *learner_of(const tt_device *device)
{
    return device->model->learner->functions;
}

int32_t tt_classify(tt_device *device, const void *input)
{
    if (device->model->head == NULL) {
        return TT_ERROR_NO_HEAD;
    }
    const int8_t *features = features_of(device, input);
    if (device->learner != NULL) {
        return learner_of(device)->classify(device->learner, features);
    }
    return tt_head_classify(&device->head, features);
}

int32_t tt_observe(tt_device *device, const void *input)
{
    if (device->learner == NULL) {
        return tt_classify(device, input);
    }
    return learner_of(device)->observe(device->learner, features_of(device, input));
}

int32_t tt_learn(tt_device *device, const void *input, uint16_t label)
{
    const tt_head *head = tt_device_head(device);
    if (head == NULL) {
        return TT_ERROR_NO_HEAD;
    }
    if (label >= head->rows.classes) {
        return TT_ERROR_LABEL;
    }
    const int8_t *features = features_of(device, input);
    if (device->learner != NULL) {
        int32_t outcome = learner_of(device)->learn(device->learner, features, label);
        device->predicted = device->learner->predicted;
        return outcome;
    }
    device->predicted = (uint16_t)tt_head_learn(&device->head, features, label);
    return head->rows_written > 0 ? TT_LEARNED : TT_CONFIDENT;
}

void tt_end_session(tt_device *device)
{
    if (device->learner != NULL) {
        learner_of(device)->start_work(device->learner);
    }
}

int32_t tt_work(tt_device *device)
{
    return device->learner != NULL ? learner_of(device)->work(device->learner) : 0;
}

int32_t tt_add_class(tt_device *device)
{
    if (device->learner != NULL) {
        return learner_of(device)->add_class(device->learner);
    }
    return device->model->head == NULL ? TT_ERROR_NO_HEAD : tt_head_add_class(&device->head);
}

/* The statistics of training answer again. */
static void undo_statistics(tt_device *device)
{
    if (device->statistics != NULL) {
        device->model->statistics->functions->undo(device->statistics);
    }
}

static int32_t roll_back_head(tt_device *device, uint16_t version)
{
    if (device->learner != NULL) {
        return learner_of(device)->roll_back(device->learner, version);
    }
    if (device->model->head == NULL) {
        return TT_ERROR_NO_HEAD;
    }
    if (version > 0) {
        return TT_ERROR_RANGE;
    }
    tt_head_reset(&device->head);
    return TT_OK;
}

int32_t tt_roll_back(tt_device *device, uint16_t version)
{
    int32_t status = roll_back_head(device, version);
    if (status == TT_OK && version == 0) {
        undo_statistics(device);
    }
    return status;
}

void tt_reset(tt_device *device)
{
    tt_reset_state(device);
    undo_statistics(device);
    if (device->learner != NULL) {
        learner_of(device)->reset(device->learner);
    } else if (device->model->head != NULL) {
        tt_head_reset(&device->head);
    }
}

int32_t tt_export(tt_device *device, void *out, size_t bytes)
{
    tt_learner *learner = device->learner;
    if (learner == NULL) {
        return TT_ERROR_NO_LEARNER;
    }
    uint32_t needed = learner_of(device)->export_bytes(learner);
    if (out == NULL || bytes < needed) {
        return TT_ERROR_MEMORY;
    }
    if (learner->work.stage != 0) {
        return TT_ERROR_BUSY;
    }
    learner_of(device)->export_state(learner, device->model->source_hash, out);
    return (int32_t)needed;
}

int32_t tt_import(tt_device *device, const void *in, size_t bytes)
{
    if (device->learner == NULL) {
        return TT_ERROR_NO_LEARNER;
    }
    if (in == NULL || (uint32_t)bytes != bytes) {
        return TT_ERROR_FRAME;
    }
    return learner_of(device)->import_state(device->learner, device->model->source_hash, in,
                                            (uint32_t)bytes);
}
