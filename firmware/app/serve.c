/* Answers the protocol's requests with the device's runtime. */
#include "serve.h"

#include <stdbool.h>
#include <string.h>

#include "answers.h"
#include "port.h"
#include "tinytrain/crc32.h"
#include "tinytrain/instruction_set.h"
#include "tinytrain/protocol.h"

static int32_t answer(tt_serve *serve, const tt_frame *request);
static int32_t answer_info(tt_serve *serve);
static int32_t answer_infer(tt_serve *serve, const uint8_t *input);
static int32_t answer_trace(tt_serve *serve, const uint8_t *input);
static int32_t answer_run(tt_serve *serve, uint16_t end, const uint8_t *input);
static int32_t answer_read(tt_serve *serve, const uint8_t *payload);
static int32_t answer_reset(tt_serve *serve);

static uint32_t bytes_of(const tt_slot *slots, uint16_t count)
{
    uint32_t bytes = 0;
    for (uint16_t i = 0; i < count; i++) {
        bytes += slots[i].bytes;
    }
    return bytes;
}

int32_t tt_serve_init(tt_serve *serve, tt_device *device, uint8_t *buffer, size_t payload_bytes)
{
    const tt_model *model = device->model;
    size_t capacity = model->head != NULL ? model->head->capacity : 0;
    *serve = (tt_serve){
        .device = device,
        .buffer = buffer,
        .reply = buffer + TT_FRAME_PAYLOAD_OFFSET(payload_bytes),
        .payload_bytes = (uint32_t)payload_bytes,
        .input_bytes = bytes_of(model->input, model->inputs),
        .output_bytes = bytes_of(model->output, model->outputs),
    };
    if (payload_bytes < TT_SERVE_PAYLOAD_BYTES(serve->input_bytes, serve->output_bytes,
                                               model->operators, capacity)) {
        return TT_ERROR_MEMORY;
    }
    tt_set_tracing(device, 1);
    /* Without the last byte, which only the closing 0x00 of a reply needs. */
    tt_receiver_init(&serve->receiver, buffer, TT_FRAME_BUFFER_BYTES(payload_bytes) - 1u);
    return TT_OK;
}

static void send(tt_serve *serve, int32_t status, uint8_t type, uint16_t sequence)
{
    if (status != TT_OK) {
        serve->reply_bytes = STATUS_BYTES; /* an error comes alone */
    }
    tt_put_u32(serve->reply, (uint32_t)status);
    size_t offset = (size_t)(serve->reply - serve->buffer);
    size_t count = tt_frame_encode(serve->buffer, offset, serve->reply_bytes, type, sequence);
    tt_port_write(serve->buffer, count);
}

void tt_serve_bytes(tt_serve *serve, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        tt_frame request;
        int32_t complete;
        size_t taken = tt_receiver_push(&serve->receiver, bytes, count, &request, &complete);
        bytes += taken;
        count -= taken;
        if (complete == 0) {
            continue;
        }
        serve->reply_bytes = STATUS_BYTES;
        if (complete < 0) {
            send(serve, complete, TT_REPLY, 0);
        } else {
            int32_t status = answer(serve, &request);
            send(serve, status, request.type | TT_REPLY, request.sequence);
        }
    }
}

/* Whether a payload is `fields` bytes followed by the model's input. */
static bool has_input(const tt_serve *serve, const tt_frame *request, size_t fields)
{
    return request->payload_bytes == fields + serve->input_bytes;
}

static int32_t answer(tt_serve *serve, const tt_frame *request)
{
    const uint8_t *payload = request->payload;
    if (request->version != TT_PROTOCOL_VERSION) {
        return TT_ERROR_VERSION;
    }
    switch (request->type) {
    case TT_MESSAGE_INFO:
        return request->payload_bytes == 0 ? answer_info(serve) : TT_ERROR_LENGTH;
    case TT_MESSAGE_INFER:
        return has_input(serve, request, 0) ? answer_infer(serve, payload) : TT_ERROR_LENGTH;
    case TT_MESSAGE_TRACE:
        return has_input(serve, request, 0) ? answer_trace(serve, payload) : TT_ERROR_LENGTH;
    case TT_MESSAGE_RUN:
        return has_input(serve, request, 2) ? answer_run(serve, tt_get_u16(payload), payload + 2)
                                            : TT_ERROR_LENGTH;
    case TT_MESSAGE_READ:
        return request->payload_bytes == 12 ? answer_read(serve, payload) : TT_ERROR_LENGTH;
    case TT_MESSAGE_CLASSIFY:
        return has_input(serve, request, 0) ? tt_answer_classify(serve, payload) : TT_ERROR_LENGTH;
    case TT_MESSAGE_LEARN:
        return has_input(serve, request, 2)
                   ? tt_answer_learn(serve, tt_get_u16(payload), payload + 2)
                   : TT_ERROR_LENGTH;
    case TT_MESSAGE_RESET:
        return request->payload_bytes == 0 ? answer_reset(serve) : TT_ERROR_LENGTH;
    case TT_MESSAGE_MEASURE:
        return has_input(serve, request, 4)
                   ? tt_answer_measure(serve, tt_get_u16(payload), tt_get_u16(payload + 2),
                                       payload + 4)
                   : TT_ERROR_LENGTH;
    case TT_MESSAGE_ADD_CLASS:
        return request->payload_bytes == 0 ? tt_answer_add_class(serve) : TT_ERROR_LENGTH;
    case TT_MESSAGE_OBSERVE:
        return has_input(serve, request, 0) ? tt_answer_observe(serve, payload) : TT_ERROR_LENGTH;
    case TT_MESSAGE_ROLL_BACK:
        return request->payload_bytes == 2 ? tt_roll_back(serve->device, tt_get_u16(payload))
                                           : TT_ERROR_LENGTH;
    case TT_MESSAGE_END_SESSION:
        return request->payload_bytes == 0 ? tt_answer_end_session(serve) : TT_ERROR_LENGTH;
    case TT_MESSAGE_NEW_DAY:
        return request->payload_bytes == 0 ? tt_answer_new_day(serve) : TT_ERROR_LENGTH;
    case TT_MESSAGE_OBSERVE_STATISTICS:
        return has_input(serve, request, 0) ? tt_answer_observe_statistics(serve, payload)
                                            : TT_ERROR_LENGTH;
    case TT_MESSAGE_JUDGE_STATISTICS:
        return has_input(serve, request, 2)
                   ? tt_answer_judge_statistics(serve, tt_get_u16(payload), payload + 2)
                   : TT_ERROR_LENGTH;
    case TT_MESSAGE_EXPORT:
        return request->payload_bytes == 8 ? tt_answer_export(serve, payload) : TT_ERROR_LENGTH;
    case TT_MESSAGE_IMPORT_BEGIN:
    case TT_MESSAGE_IMPORT_WRITE:
    case TT_MESSAGE_IMPORT_END:
        return tt_answer_import(serve, request);
    case TT_MESSAGE_STREAM_BEGIN:
    case TT_MESSAGE_STREAM_PUSH:
    case TT_MESSAGE_STREAM_STEP:
    case TT_MESSAGE_STREAM_COUNTERS:
        return serve->stream != NULL ? serve->stream_functions->answer(serve, request)
                                     : TT_ERROR_NO_STREAM;
    default:
        return TT_ERROR_MESSAGE;
    }
}

static int32_t answer_info(tt_serve *serve)
{
    const tt_model *model = serve->device->model;
    const tt_head_constants *head = model->head;
    size_t name_bytes = strlen(model->name);
    reply_u32(serve, model->source_hash);
    reply_u32(serve, serve->input_bytes);
    reply_u32(serve, serve->output_bytes);
    reply_u32(serve, model->arena_bytes);
    reply_u16(serve, model->operators);
    reply_u16(serve, model->constants);
    reply_u16(serve, model->head_operator);
    reply_u16(serve, head != NULL ? head->classes : 0);
    reply_u16(serve, head != NULL ? head->features : 0);
    reply_u16(serve, head != NULL ? head->rows : 0);
    reply_u32(serve, serve->payload_bytes);
    reply_u8(serve, tt_port_has_counter() + TT_INSTRUCTION_SET * 16);
    reply_data(serve, model->name, name_bytes < TT_NAME_BYTES ? name_bytes : TT_NAME_BYTES);
    return TT_OK;
}

static int32_t answer_infer(tt_serve *serve, const uint8_t *input)
{
    /* tt_infer is done with the input before it stores the output over it. */
    int32_t status = tt_infer(serve->device, input, serve->reply + STATUS_BYTES);
    serve->reply_bytes += serve->output_bytes;
    return status;
}

static int32_t answer_trace(tt_serve *serve, const uint8_t *input)
{
    tt_device *device = serve->device;
    const tt_model *model = device->model;
    tt_load_input(device, input);
    for (uint16_t i = 0; i < model->operators; i++) {
        const tt_slot *output = &model->operator_output[i];
        model->run(device->arena, i, (uint16_t)(i + 1));
        reply_u32(serve, tt_crc32(0, device->arena + output->offset, output->bytes));
    }
    return TT_OK;
}

static int32_t answer_run(tt_serve *serve, uint16_t end, const uint8_t *input)
{
    tt_device *device = serve->device;
    if (end > device->model->operators) {
        return TT_ERROR_RANGE;
    }
    tt_load_input(device, input);
    device->model->run(device->arena, 0, end);
    return TT_OK;
}

/* A region of the head and its bytes; the caller has checked that there is a head. */
static int32_t head_region(const tt_head *head, uint16_t region, const void **data, uint32_t *bytes)
{
    uint32_t classes = head->rows.classes;
    uint32_t weights = classes * head->constants->features;
    switch (region) {
    case TT_REGION_MASTER_WEIGHTS:
        *data = head->rows.weights;
        *bytes = weights * (uint32_t)sizeof *head->rows.weights;
        return TT_OK;
    case TT_REGION_MASTER_BIAS:
        *data = head->rows.bias;
        *bytes = classes * (uint32_t)sizeof *head->rows.bias;
        return TT_OK;
    case TT_REGION_MASTER_LOW:
        *data = head->low;
        *bytes = head->low != NULL ? weights * (uint32_t)sizeof *head->low : 0;
        return TT_OK;
    case TT_REGION_LOGITS:
        *data = head->logits;
        *bytes = classes * (uint32_t)sizeof *head->logits;
        return TT_OK;
    case TT_REGION_PROBABILITIES:
        *data = head->probabilities;
        *bytes = classes * (uint32_t)sizeof *head->probabilities;
        return TT_OK;
    case TT_REGION_ERROR:
        *data = head->error;
        *bytes = classes * (uint32_t)sizeof *head->error;
        return TT_OK;
    case TT_REGION_WRITTEN:
        *data = head->written;
        *bytes = head->rows_written * (uint32_t)sizeof *head->written;
        return TT_OK;
    default:
        return TT_ERROR_RANGE;
    }
}

static int32_t learner_region(tt_device *device, uint16_t index, const void **data, uint32_t *bytes)
{
    void *found;
    if (device->learner == NULL) {
        return TT_ERROR_NO_LEARNER;
    }
    int32_t status =
        device->model->learner->functions->region(device->learner, index, &found, bytes);
    if (status == TT_OK) {
        *data = found;
    }
    return status;
}

/* What READ's space and index name, and its bytes. */
static int32_t readable(tt_device *device, uint16_t space, uint16_t index, const void **data,
                        uint32_t *bytes)
{
    const tt_model *model = device->model;
    switch (space) {
    case TT_SPACE_ARENA:
        if (index != 0) {
            return TT_ERROR_RANGE;
        }
        *data = device->arena;
        *bytes = model->arena_bytes;
        return TT_OK;
    case TT_SPACE_CONSTANT:
        if (index >= model->constants) {
            return TT_ERROR_RANGE;
        }
        *data = model->constant[index].data;
        *bytes = model->constant[index].bytes;
        return TT_OK;
    case TT_SPACE_HEAD:
        if (model->head == NULL) {
            return TT_ERROR_NO_HEAD;
        }
        return head_region(tt_device_head(device), index, data, bytes);
    case TT_SPACE_LEARNER:
        return learner_region(device, index, data, bytes);
    default:
        return TT_ERROR_RANGE;
    }
}

static int32_t answer_read(tt_serve *serve, const uint8_t *payload)
{
    uint32_t offset = tt_get_u32(payload + 4);
    uint32_t length = tt_get_u32(payload + 8);
    const void *data;
    uint32_t bytes;
    int32_t status =
        readable(serve->device, tt_get_u16(payload), tt_get_u16(payload + 2), &data, &bytes);
    if (status != TT_OK) {
        return status;
    }
    if (offset > bytes || length > bytes - offset || length > serve->payload_bytes - STATUS_BYTES) {
        return TT_ERROR_RANGE;
    }
    reply_data(serve, (const uint8_t *)data + offset, length);
    return TT_OK;
}

static int32_t answer_reset(tt_serve *serve)
{
    tt_reset(serve->device);
    tt_set_tracing(serve->device, 1);
    if (serve->stream != NULL) {
        serve->stream_functions->reset(serve->stream);
    }
    serve->trace = 0;
    return TT_OK;
}
