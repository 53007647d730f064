/* Answers the protocol's requests about a stream: samples in, frames and decisions out. */
#include <string.h>

#include "serve.h"
#include "tinytrain/protocol.h"

/* Values of a push that are taken at once: a multiple of every number of channels would be too
 * many, so what is taken is rounded down to whole samples. */
#define CHUNK_VALUES 64u

static void reply_u16(tt_serve *serve, uint32_t value)
{
    tt_put_u16(serve->reply + serve->reply_bytes, (uint16_t)value);
    serve->reply_bytes += 2;
}

static void reply_u32(tt_serve *serve, uint32_t value)
{
    tt_put_u32(serve->reply + serve->reply_bytes, value);
    serve->reply_bytes += 4;
}

static void reply_u16s(tt_serve *serve, const uint16_t *values, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        reply_u16(serve, values[i]);
    }
}

static int32_t answer_push(tt_serve *serve, const tt_frame *request)
{
    tt_stream *stream = serve->stream;
    int16_t chunk[CHUNK_VALUES]; /* a payload lies at any address */
    const uint8_t *payload = request->payload;
    uint32_t before = stream->ring.received;
    uint32_t left = (uint32_t)(request->payload_bytes / 2u);
    uint32_t most = CHUNK_VALUES / stream->inputs * stream->inputs;
    if (request->payload_bytes % 2u != 0u || left % stream->inputs != 0u) {
        stream->counters.refused++;
        return TT_ERROR_LENGTH;
    }
    while (left > 0u) {
        uint32_t count = left < most ? left : most;
        for (uint32_t i = 0; i < count; i++) {
            chunk[i] = (int16_t)tt_get_u16(payload + 2u * i);
        }
        /* Samples without room are counted by the ring. */
        (void)tt_stream_push(stream, chunk, count);
        payload += 2u * count;
        left -= count;
    }
    reply_u32(serve, stream->ring.received - before);
    reply_u32(serve, stream->ring.lost);
    return TT_OK;
}

static int32_t answer_step(tt_serve *serve)
{
    tt_stream *stream = serve->stream;
    const tt_smoother *smoother = &stream->smoother;
    int32_t event = tt_stream_step(stream);
    uint16_t classes = event >= TT_STREAM_INFERENCE ? smoother->classes : 0u;
    reply_u16(serve, (uint32_t)event);
    reply_u16(serve, classes);
    if (event >= TT_STREAM_FRAME) {
        size_t outputs = (size_t)stream->constants->frontend->outputs;
        memcpy(serve->reply + serve->reply_bytes, tt_stream_frame(stream), outputs);
        serve->reply_bytes += outputs;
    }
    if (event >= TT_STREAM_INFERENCE) {
        reply_u16s(serve, tt_stream_probabilities(stream), classes);
        reply_u16s(serve, smoother->mean, classes);
        reply_u16(serve, smoother->detected);
    }
    return TT_OK;
}

static int32_t answer_counters(tt_serve *serve)
{
    const tt_stream *stream = serve->stream;
    const tt_stream_counters *counters = &stream->counters;
    reply_u32(serve, stream->ring.received);
    reply_u32(serve, stream->ring.lost);
    reply_u32(serve, counters->frames);
    reply_u32(serve, counters->inferences);
    reply_u32(serve, counters->detections);
    reply_u32(serve, counters->refused);
    reply_u32(serve, counters->clipped);
    return TT_OK;
}

static int32_t answer(tt_serve *serve, const tt_frame *request)
{
    const uint8_t *payload = request->payload;
    switch (request->type) {
    case TT_MESSAGE_STREAM_BEGIN:
        return request->payload_bytes == 6
                   ? tt_stream_begin(serve->stream, tt_get_u32(payload), tt_get_u16(payload + 4))
                   : TT_ERROR_LENGTH;
    case TT_MESSAGE_STREAM_PUSH:
        return answer_push(serve, request);
    case TT_MESSAGE_STREAM_STEP:
        return request->payload_bytes == 0 ? answer_step(serve) : TT_ERROR_LENGTH;
    default:
        return request->payload_bytes == 0 ? answer_counters(serve) : TT_ERROR_LENGTH;
    }
}

const tt_serve_stream_functions tt_serve_stream = {
    .answer = answer,
    .reset = tt_stream_reset,
    .step = tt_stream_step,
};
