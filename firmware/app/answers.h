/* What the files of the device's side of the protocol share: putting a reply together, and the
 * answers to messages, which return a status. */
#ifndef TINYTRAIN_ANSWERS_H
#define TINYTRAIN_ANSWERS_H

#include <string.h>

#include "serve.h"

/* The status that a reply begins with. */
#define STATUS_BYTES 4u

static inline void reply_u8(tt_serve *serve, uint8_t value)
{
    serve->reply[serve->reply_bytes++] = value;
}

static inline void reply_u16(tt_serve *serve, uint16_t value)
{
    tt_put_u16(serve->reply + serve->reply_bytes, value);
    serve->reply_bytes += 2;
}

static inline void reply_u32(tt_serve *serve, uint32_t value)
{
    tt_put_u32(serve->reply + serve->reply_bytes, value);
    serve->reply_bytes += 4;
}

static inline void reply_data(tt_serve *serve, const void *data, size_t bytes)
{
    if (bytes > 0) {
        memcpy(serve->reply + serve->reply_bytes, data, bytes);
        serve->reply_bytes += bytes;
    }
}

/* answer_learn.c */
int32_t tt_answer_classify(tt_serve *serve, const uint8_t *input);
int32_t tt_answer_observe(tt_serve *serve, const uint8_t *input);
int32_t tt_answer_learn(tt_serve *serve, uint16_t label, const uint8_t *input);
int32_t tt_answer_add_class(tt_serve *serve);
int32_t tt_answer_end_session(tt_serve *serve);
int32_t tt_answer_new_day(tt_serve *serve);

/* Whether the device's learner folds its steps into its trace. */
void tt_set_tracing(tt_device *device, uint32_t tracing);

/* answer_state.c */
int32_t tt_answer_export(tt_serve *serve, const uint8_t *payload);
int32_t tt_answer_import(tt_serve *serve, const tt_frame *request);

/* answer_statistics.c */
int32_t tt_answer_observe_statistics(tt_serve *serve, const uint8_t *input);
int32_t tt_answer_judge_statistics(tt_serve *serve, uint16_t label, const uint8_t *input);

/* answer_measure.c */
int32_t tt_answer_measure(tt_serve *serve, uint16_t kind, uint16_t label, const uint8_t *input);

#endif
