/* The public face: a device that infers and learns, over a generated model. */
#include "tinytrain/tinytrain.h"

#include <string.h>

int32_t tt_init(tt_device *device, const tt_model *model, void *arena, size_t arena_bytes,
                void *head_memory, size_t head_bytes)
{
    if (arena == NULL || (uintptr_t)arena % 4u != 0u || arena_bytes < model->arena_bytes) {
        return TT_ERROR_MEMORY;
    }
    device->model = model;
    device->arena = arena;
    tt_reset_state(device);
    if (model->head == NULL) {
        return TT_OK;
    }
    return tt_head_init(&device->head, model->head, head_memory, head_bytes);
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

void tt_load_input(tt_device *device, const uint8_t *input)
{
    for (uint16_t i = 0; i < device->model->inputs; i++) {
        const tt_slot *slot = &device->model->input[i];
        memcpy(device->arena + slot->offset, input, slot->bytes);
        input += slot->bytes;
    }
}

void tt_store_output(const tt_device *device, uint8_t *output)
{
    for (uint16_t i = 0; i < device->model->outputs; i++) {
        const tt_slot *slot = &device->model->output[i];
        memcpy(output, device->arena + slot->offset, slot->bytes);
        output += slot->bytes;
    }
}

int32_t tt_infer(tt_device *device, const uint8_t *input, uint8_t *output)
{
    tt_load_input(device, input);
    device->model->run(device->arena, 0, device->model->operators);
    tt_store_output(device, output);
    return TT_OK;
}

/* The features of one input, in the arena. */
static const int8_t *features_of(tt_device *device, const uint8_t *input)
{
    tt_load_input(device, input);
    device->model->run(device->arena, 0, device->model->head_operator);
    return (const int8_t *)(device->arena + device->model->features_offset);
}

int32_t tt_classify(tt_device *device, const uint8_t *input)
{
    if (device->model->head == NULL) {
        return TT_ERROR_NO_HEAD;
    }
    return tt_head_classify(&device->head, features_of(device, input));
}

int32_t tt_learn(tt_device *device, const uint8_t *input, uint16_t label)
{
    if (device->model->head == NULL) {
        return TT_ERROR_NO_HEAD;
    }
    if (label >= device->head.rows.classes) {
        return TT_ERROR_LABEL;
    }
    return tt_head_learn(&device->head, features_of(device, input), label);
}

int32_t tt_add_class(tt_device *device)
{
    return device->model->head == NULL ? TT_ERROR_NO_HEAD : tt_head_add_class(&device->head);
}
