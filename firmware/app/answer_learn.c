/* Answers about the head and the learner: classifying, learning, new classes. */
#include <stdbool.h>

#include "answers.h"
#include "tinytrain/protocol.h"

int32_t tt_answer_classify(tt_serve *serve, const uint8_t *input)
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

int32_t tt_answer_observe(tt_serve *serve, const uint8_t *input)
{
    tt_device *device = serve->device;
    int32_t label = tt_observe(device, input);
    if (label < 0) {
        return label;
    }
    reply_u16(serve, (uint16_t)label);
    /* Numbers that are being taken over are none yet. */
    bool knows = device->learner != NULL && device->learner->work.stage != TT_STAGE_IMPORT;
    reply_u16(serve, (uint16_t)(knows ? device->learner->counters.alarm : 0u));
    return TT_OK;
}

/* A learning step and all the work that follows from it. */
int32_t tt_answer_learn(tt_serve *serve, uint16_t label, const uint8_t *input)
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

int32_t tt_answer_add_class(tt_serve *serve)
{
    int32_t added = tt_add_class(serve->device);
    if (added < 0) {
        return added;
    }
    reply_u16(serve, (uint16_t)added);
    return TT_OK;
}

int32_t tt_answer_end_session(tt_serve *serve)
{
    tt_end_session(serve->device);
    while (tt_work(serve->device)) {
    }
    return TT_OK;
}

int32_t tt_answer_new_day(tt_serve *serve)
{
    tt_device *device = serve->device;
    if (device->learner == NULL) {
        return TT_ERROR_NO_LEARNER;
    }
    device->model->learner->functions->new_day(device->learner);
    return TT_OK;
}

/* A learner folds its steps itself: there can be several in one call. */
void tt_set_tracing(tt_device *device, uint32_t tracing)
{
    if (device->learner != NULL) {
        device->learner->tracing = tracing;
    }
}
