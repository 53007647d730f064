/* Answers the protocol's requests with the device's runtime. */
#include "serve.h"

#include <stdbool.h>
#include <string.h>

#include "port.h"
#include "tinytrain/crc32.h"
#include "tinytrain/protocol.h"

/* The status that a reply begins with. */
#define STATUS_BYTES 4u

/* What a measured call works on. */
typedef struct measured {
    tt_device *device;
    uint16_t first; /* operators first to end - 1 */
    uint16_t end;
    uint16_t label;
    tt_statistics *statistics;
    const uint8_t *input;
    const tt_serve *serve;
} measured;

static int32_t answer(tt_serve *serve, const tt_frame *request);
static int32_t answer_info(tt_serve *serve);
static int32_t answer_infer(tt_serve *serve, const uint8_t *input);
static int32_t answer_trace(tt_serve *serve, const uint8_t *input);
static int32_t answer_run(tt_serve *serve, uint16_t end, const uint8_t *input);
static int32_t answer_read(tt_serve *serve, const uint8_t *payload);
static int32_t answer_classify(tt_serve *serve, const uint8_t *input);
static int32_t answer_learn(tt_serve *serve, uint16_t label, const uint8_t *input);
static int32_t answer_add_class(tt_serve *serve);
static int32_t answer_observe(tt_serve *serve, const uint8_t *input);
static int32_t answer_end_session(tt_serve *serve);
static int32_t answer_new_day(tt_serve *serve);
static int32_t answer_reset(tt_serve *serve);
static int32_t answer_measure(tt_serve *serve, uint16_t kind, uint16_t label, const uint8_t *input);
static void set_tracing(tt_device *device, uint32_t tracing);
static int32_t answer_observe_statistics(tt_serve *serve, const uint8_t *input);

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
    set_tracing(device, 1);
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
        return has_input(serve, request, 0) ? answer_classify(serve, payload) : TT_ERROR_LENGTH;
    case TT_MESSAGE_LEARN:
        return has_input(serve, request, 2) ? answer_learn(serve, tt_get_u16(payload), payload + 2)
                                            : TT_ERROR_LENGTH;
    case TT_MESSAGE_RESET:
        return request->payload_bytes == 0 ? answer_reset(serve) : TT_ERROR_LENGTH;
    case TT_MESSAGE_MEASURE:
        return has_input(serve, request, 4) ? answer_measure(serve, tt_get_u16(payload),
                                                             tt_get_u16(payload + 2), payload + 4)
                                            : TT_ERROR_LENGTH;
    case TT_MESSAGE_ADD_CLASS:
        return request->payload_bytes == 0 ? answer_add_class(serve) : TT_ERROR_LENGTH;
    case TT_MESSAGE_OBSERVE:
        return has_input(serve, request, 0) ? answer_observe(serve, payload) : TT_ERROR_LENGTH;
    case TT_MESSAGE_ROLL_BACK:
        return request->payload_bytes == 2 ? tt_roll_back(serve->device, tt_get_u16(payload))
                                           : TT_ERROR_LENGTH;
    case TT_MESSAGE_END_SESSION:
        return request->payload_bytes == 0 ? answer_end_session(serve) : TT_ERROR_LENGTH;
    case TT_MESSAGE_NEW_DAY:
        return request->payload_bytes == 0 ? answer_new_day(serve) : TT_ERROR_LENGTH;
    case TT_MESSAGE_OBSERVE_STATISTICS:
        return has_input(serve, request, 0) ? answer_observe_statistics(serve, payload)
                                            : TT_ERROR_LENGTH;
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

static void reply_u8(tt_serve *serve, uint8_t value)
{
    serve->reply[serve->reply_bytes++] = value;
}

static void reply_u16(tt_serve *serve, uint16_t value)
{
    tt_put_u16(serve->reply + serve->reply_bytes, value);
    serve->reply_bytes += 2;
}

static void reply_u32(tt_serve *serve, uint32_t value)
{
    tt_put_u32(serve->reply + serve->reply_bytes, value);
    serve->reply_bytes += 4;
}

static void reply_data(tt_serve *serve, const void *data, size_t bytes)
{
    if (bytes > 0) {
        memcpy(serve->reply + serve->reply_bytes, data, bytes);
        serve->reply_bytes += bytes;
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
    reply_u8(serve, tt_port_has_counter());
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

static int32_t answer_classify(tt_serve *serve, const uint8_t *input)
{
    const tt_head *head = tt_device_head(serve->device);
    int32_t label = tt_classify(serve->device, input);
    if (label < 0) {
        return label;
    }
    const tt_learner *learner = serve->device->learner;
    uint16_t classes = learner != NULL ? learner->answering : head->rows.classes;
    reply_u16(serve, (uint16_t)label);
    reply_data(serve, head->logits, classes * sizeof *head->logits);
    return TT_OK;
}

static int32_t answer_observe(tt_serve *serve, const uint8_t *input)
{
    tt_device *device = serve->device;
    int32_t label = tt_observe(device, input);
    if (label < 0) {
        return label;
    }
    reply_u16(serve, (uint16_t)label);
    reply_u16(serve, (uint16_t)(device->learner != NULL ? device->learner->counters.alarm : 0u));
    return TT_OK;
}

/* A learning step and all the work that follows from it. */
static int32_t answer_learn(tt_serve *serve, uint16_t label, const uint8_t *input)
{
    tt_device *device = serve->device;
    int32_t outcome = tt_learn(device, input, label);
    if (outcome < 0) {
        return outcome;
    }
    const tt_head *head = tt_device_head(device);
    uint16_t rows_written = head->rows_written;
    if (device->learner == NULL) {
        serve->trace = tt_head_trace(head, serve->trace);
    }
    while (tt_work(device)) {
    }
    reply_u32(serve, device->learner != NULL ? device->learner->trace : serve->trace);
    reply_u16(serve, device->predicted);
    reply_u16(serve, rows_written);
    reply_u16(serve, (uint16_t)outcome);
    return TT_OK;
}

static int32_t answer_add_class(tt_serve *serve)
{
    int32_t added = tt_add_class(serve->device);
    if (added < 0) {
        return added;
    }
    reply_u16(serve, (uint16_t)added);
    return TT_OK;
}

static int32_t answer_end_session(tt_serve *serve)
{
    tt_end_session(serve->device);
    while (tt_work(serve->device)) {
    }
    return TT_OK;
}

static int32_t answer_new_day(tt_serve *serve)
{
    tt_device *device = serve->device;
    if (device->learner == NULL) {
        return TT_ERROR_NO_LEARNER;
    }
    device->model->learner->functions->new_day(device->learner);
    return TT_OK;
}

/* A learner folds its steps itself: there can be several in one call. */
static void set_tracing(tt_device *device, uint32_t tracing)
{
    if (device->learner != NULL) {
        device->learner->tracing = tracing;
    }
}

static int32_t answer_reset(tt_serve *serve)
{
    tt_reset(serve->device);
    set_tracing(serve->device, 1);
    if (serve->statistics != NULL) {
        tt_statistics_undo(serve->statistics);
    }
    if (serve->stream != NULL) {
        serve->stream_functions->reset(serve->stream);
    }
    serve->trace = 0;
    return TT_OK;
}

static int32_t answer_observe_statistics(tt_serve *serve, const uint8_t *input)
{
    tt_statistics *statistics = serve->statistics;
    if (statistics == NULL) {
        return TT_ERROR_NO_STATISTICS;
    }
    int32_t layer = statistics->layer;
    bool looks = layer < serve->device->model->statistics->plan.layers;
    int32_t left = tt_statistics_observe(statistics, input);
    reply_u32(serve, looks ? tt_statistics_trace(statistics, layer) : 0);
    reply_u16(serve, (uint16_t)left);
    reply_u16(serve, (uint16_t)statistics->samples);
    return TT_OK;
}

static void observe_statistics(void *context)
{
    const measured *call = context;
    (void)tt_statistics_observe(call->statistics, call->input);
}

static void step_stream(void *context)
{
    const measured *call = context;
    (void)call->serve->stream_functions->step(call->serve->stream);
}

static void run_operators(void *context)
{
    const measured *call = context;
    call->device->model->run(call->device->arena, call->first, call->end);
}

static void learn_features(void *context)
{
    const measured *call = context;
    const uint8_t *features = call->device->arena + call->device->model->features_offset;
    tt_device *device = call->device;
    if (device->learner != NULL) {
        const tt_learner_functions *functions = device->model->learner->functions;
        (void)functions->learn(device->learner, (const int8_t *)features, call->label);
    } else {
        (void)tt_head_learn(&device->head, (const int8_t *)features, call->label);
    }
}

/* Finds what MEASURE's kind counts: `work`, with its operators in `call`. */
static int32_t prepare_measure(tt_device *device, uint16_t kind, uint16_t label,
                               void (**work)(void *context), measured *call)
{
    const tt_model *model = device->model;
    *work = run_operators;
    if (kind == TT_MEASURE_INFERENCE) {
        call->first = 0;
        call->end = model->operators;
        return TT_OK;
    }
    if (kind == TT_MEASURE_LEARN_STEP) {
        if (model->head == NULL) {
            return TT_ERROR_NO_HEAD;
        }
        if (label >= tt_device_head(device)->rows.classes) {
            return TT_ERROR_LABEL;
        }
        *work = learn_features;
        call->first = model->head_operator;
        return TT_OK;
    }
    if (kind == TT_MEASURE_OBSERVE_STATISTICS) {
        *work = observe_statistics;
        call->first = 0;
        return call->statistics != NULL ? TT_OK : TT_ERROR_NO_STATISTICS;
    }
    if (kind == TT_MEASURE_STREAM_STEP) {
        *work = step_stream;
        call->first = 0;
        return call->serve->stream != NULL ? TT_OK : TT_ERROR_NO_STREAM;
    }
    if (kind - TT_MEASURE_OPERATOR >= model->operators) {
        return TT_ERROR_RANGE;
    }
    call->first = (uint16_t)(kind - TT_MEASURE_OPERATOR);
    call->end = (uint16_t)(call->first + 1);
    return TT_OK;
}

static int32_t answer_measure(tt_serve *serve, uint16_t kind, uint16_t label, const uint8_t *input)
{
    tt_device *device = serve->device;
    void (*work)(void *context);
    measured call = {.device = device,
                     .label = label,
                     .statistics = serve->statistics,
                     .input = input,
                     .serve = serve};
    uint64_t instructions;
    uint32_t stack_bytes;
    if (!tt_port_has_counter()) {
        return TT_ERROR_UNSUPPORTED;
    }
    int32_t status = prepare_measure(device, kind, label, &work, &call);
    if (status != TT_OK) {
        return status;
    }
    tt_load_input(device, input);
    device->model->run(device->arena, 0, call.first);
    set_tracing(device, 0);
    int32_t counted = tt_port_measure(work, &call, &instructions, &stack_bytes);
    set_tracing(device, 1);
    while (tt_work(device)) {
    }
    if (!counted) {
        return TT_ERROR_UNSUPPORTED;
    }
    reply_u32(serve, (uint32_t)instructions);
    reply_u32(serve, (uint32_t)(instructions >> 32));
    reply_u32(serve, stack_bytes);
    return TT_OK;
}
