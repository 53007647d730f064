/* Samples in, decisions out: what lies between an interrupt and a product's main loop. */
#include "tinytrain/stream.h"

#include <string.h>

#include "smoother.h"

/* A place of the memory for `bytes` bytes, after the places before it. */
static void *take(uint8_t **memory, size_t bytes)
{
    void *place = *memory;
    *memory += bytes;
    return place;
}

static size_t bytes_needed(const tt_stream_constants *k)
{
    const tt_frontend *frontend = k->frontend;
    return TT_STREAM_BYTES((size_t)frontend->bytes, (size_t)k->ring_capacity,
                           (size_t)frontend->channels, (size_t)k->frames, (size_t)frontend->outputs,
                           (size_t)k->smoother.average, (size_t)k->classes);
}

/* Whether frames are the model's only input, and all its classes have room. */
static int32_t fits(const tt_stream_constants *k, const tt_model *model)
{
    size_t input = (size_t)k->frames * (size_t)k->frontend->outputs;
    if (model->inputs != 1 || model->input[0].bytes != input) {
        return 0;
    }
    if (model->head != NULL) {
        return model->head->capacity <= k->classes;
    }
    return model->outputs == 1 && model->output[0].bytes <= (uint32_t)k->classes;
}

static uint32_t rate_of(const tt_frontend *frontend)
{
    return (uint32_t)(frontend->audio != NULL ? frontend->audio->rate : frontend->motion->rate);
}

int32_t tt_stream_init(tt_stream *stream, const tt_stream_constants *constants, tt_device *device,
                       void *memory, size_t bytes)
{
    const tt_frontend *frontend = constants->frontend;
    uint32_t trained_on = device->model->frontend_hash;
    if (trained_on != 0u && trained_on != frontend->hash) {
        return TT_ERROR_FRONTEND;
    }
    if (!fits(constants, device->model)) {
        return TT_ERROR_RANGE;
    }
    if (memory == NULL || (uintptr_t)memory % 8u != 0u || bytes < bytes_needed(constants)) {
        return TT_ERROR_MEMORY;
    }
    size_t capacity = (size_t)constants->classes;
    size_t working = ((size_t)frontend->bytes + 7u) / 8u * 8u;
    uint8_t *place = memory;
    void *frontend_memory = take(&place, working);
    *stream = (tt_stream){.constants = constants, .device = device};
    stream->samples =
        take(&place, (size_t)constants->ring_capacity * (size_t)frontend->channels * 2u);
    stream->smoother.constants = &constants->smoother;
    stream->smoother.capacity = (uint16_t)capacity;
    stream->smoother.probabilities =
        take(&place, (size_t)constants->smoother.average * capacity * 2u);
    stream->smoother.mean = take(&place, capacity * 2u);
    stream->features = take(&place, (size_t)constants->frames * (size_t)frontend->outputs);
    int32_t status = tt_ring_init(&stream->ring, stream->samples,
                                  (uint16_t)constants->ring_capacity, (uint16_t)frontend->channels);
    if (status == TT_OK) {
        status =
            tt_frontend_init(&stream->state, frontend, &stream->ring, frontend_memory, working);
    }
    if (status == TT_OK) {
        tt_stream_reset(stream);
    }
    return status;
}

void tt_stream_reset(tt_stream *stream)
{
    const tt_frontend *frontend = stream->constants->frontend;
    (void)tt_stream_begin(stream, rate_of(frontend), (uint16_t)frontend->channels);
}

int32_t tt_stream_begin(tt_stream *stream, uint32_t rate, uint16_t channels)
{
    const tt_stream_constants *k = stream->constants;
    const tt_frontend *frontend = k->frontend;
    if (rate != rate_of(frontend)) {
        return TT_ERROR_RATE;
    }
    if (frontend->audio != NULL ? channels == 0u || channels > TT_STREAM_MOST_MIXED
                                : channels != frontend->channels) {
        return TT_ERROR_CHANNELS;
    }
    (void)tt_ring_init(&stream->ring, stream->samples, (uint16_t)k->ring_capacity,
                       (uint16_t)frontend->channels);
    tt_frontend_reset(&stream->state);
    tt_smoother_reset(&stream->smoother);
    tt_reset_state(stream->device);
    stream->next = 0;
    stream->due = (uint16_t)k->frames;
    stream->inputs = channels;
    stream->counters = (tt_stream_counters){0};
    return TT_OK;
}

int32_t tt_stream_push(tt_stream *stream, const int16_t *values, uint32_t count)
{
    if (count % stream->inputs != 0u) {
        stream->counters.refused++;
        return TT_ERROR_LENGTH;
    }
    for (uint32_t i = 0; i < count; i++) {
        stream->counters.clipped += values[i] == INT16_MAX || values[i] == INT16_MIN;
    }
    if (stream->inputs == stream->ring.channels) {
        return tt_ring_push(&stream->ring, values, count);
    }
    return tt_ring_push_mixed(&stream->ring, values, count, stream->inputs);
}

/* The last frames into the model's input, oldest first. */
static void load_frames(tt_stream *stream)
{
    const tt_stream_constants *k = stream->constants;
    tt_device *device = stream->device;
    size_t outputs = (size_t)k->frontend->outputs;
    size_t older = ((size_t)k->frames - stream->next) * outputs;
    size_t newer = stream->next * outputs;
    uint8_t *input = device->arena + device->model->input[0].offset;
    memcpy(input, stream->features + newer, older);
    memcpy(input + older, stream->features, newer);
}

/* Of int8 outputs, one a class, of scale 1/256 and zero point -128. */
static uint16_t output_probabilities(const tt_device *device, uint16_t *probabilities)
{
    const tt_slot *output = &device->model->output[0];
    const int8_t *values = (const int8_t *)(device->arena + output->offset);
    for (uint32_t i = 0; i < output->bytes; i++) {
        probabilities[i] = (uint16_t)((values[i] + 128) << 7);
    }
    return (uint16_t)output->bytes;
}

/* By the rows that answer, before the sample itself can change anything. */
static uint16_t head_probabilities(tt_device *device, uint16_t *probabilities)
{
    tt_head *head = tt_device_head(device);
    tt_learner *learner = device->learner;
    const tt_learner_parts *parts = device->model->learner;
    const int8_t *features = (const int8_t *)(device->arena + device->model->features_offset);
    uint16_t best = learner != NULL ? parts->functions->classify(learner, features)
                                    : tt_head_classify(head, features);
    /* Of the rows that just answered. */
    uint16_t classes = learner != NULL ? learner->answering : head->rows.classes;
    tt_head_softmax(head, best, classes);
    memcpy(probabilities, head->probabilities, classes * sizeof *probabilities);
    if (learner != NULL && (parts->drift != NULL || parts->rules->pseudo > 0u)) {
        (void)parts->functions->observe(learner, features);
    }
    return classes;
}

static int32_t infer(tt_stream *stream)
{
    tt_device *device = stream->device;
    const tt_model *model = device->model;
    uint16_t *probabilities = tt_smoother_next(&stream->smoother);
    load_frames(stream);
    model->run(device->arena, 0, model->head_operator);
    uint16_t classes = model->head != NULL ? head_probabilities(device, probabilities)
                                           : output_probabilities(device, probabilities);
    return tt_smoother_decide(&stream->smoother, classes);
}

int32_t tt_stream_step(tt_stream *stream)
{
    const tt_stream_constants *k = stream->constants;
    int8_t *frame = stream->features + (size_t)stream->next * (size_t)k->frontend->outputs;
    if (!tt_frontend_next(&stream->state, frame)) {
        return TT_STREAM_IDLE;
    }
    stream->counters.frames++;
    stream->next = (uint16_t)(stream->next + 1 == k->frames ? 0 : stream->next + 1);
    stream->due--;
    if (stream->due > 0u) {
        return TT_STREAM_FRAME;
    }
    stream->due = (uint16_t)k->stride;
    stream->counters.inferences++;
    if (!infer(stream)) {
        return TT_STREAM_INFERENCE;
    }
    stream->counters.detections++;
    return TT_STREAM_DETECTION;
}

const int8_t *tt_stream_frame(const tt_stream *stream)
{
    const tt_stream_constants *k = stream->constants;
    size_t newest = (stream->next > 0u ? stream->next : (size_t)k->frames) - 1u;
    return stream->features + newest * (size_t)k->frontend->outputs;
}

const uint16_t *tt_stream_probabilities(const tt_stream *stream)
{
    const tt_smoother *smoother = &stream->smoother;
    return smoother->probabilities + (size_t)smoother->newest * smoother->capacity;
}
