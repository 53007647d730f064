/* The device's side of the protocol: takes bytes from the link, answers requests.
 *
 * Everything that comes over the link is untrusted: lengths, labels, indexes and offsets are
 * checked before use, and whatever is wrong is answered with a status. PROTOCOL.md gives the
 * messages.
 */
#ifndef TINYTRAIN_SERVE_H
#define TINYTRAIN_SERVE_H

#include <stddef.h>
#include <stdint.h>

#include "tinytrain/frame.h"
#include "tinytrain/statistics.h"
#include "tinytrain/stream.h"
#include "tinytrain/tinytrain.h"

#define TT_LARGER(a, b) ((a) > (b) ? (a) : (b))

/* The largest payload of any message: a constant expression. At least 256, for INFO and so that
 * reads get on. */
#define TT_SERVE_PAYLOAD_BYTES(input_bytes, output_bytes, operators, capacity)                     \
    TT_LARGER(256u, TT_LARGER(TT_LARGER((input_bytes) + 4u, (output_bytes) + 4u),                  \
                              TT_LARGER((operators) * 4u + 4u, (capacity) * 4u + 6u)))

struct tt_serve;

/* What answers messages about a stream: apart, so that a model without a front end links none of
 * it. */
typedef struct tt_serve_stream_functions {
    int32_t (*answer)(struct tt_serve *serve, const tt_frame *request);
    void (*reset)(tt_stream *stream);
    int32_t (*step)(tt_stream *stream);
} tt_serve_stream_functions;

extern const tt_serve_stream_functions tt_serve_stream;

/* The largest payload about a stream of `outputs` features a frame and `classes` classes. */
#define TT_SERVE_STREAM_PAYLOAD_BYTES(outputs, classes) ((outputs) + (classes) * 4u + 10u)

typedef struct tt_serve {
    tt_device *device;
    tt_receiver receiver;
    /* One buffer for requests and replies: every handler has used its request up before it writes
     * its reply. */
    uint8_t *buffer;
    uint8_t *reply;         /* where in the buffer a reply's payload is put together */
    size_t reply_bytes;     /* of that payload so far */
    uint32_t payload_bytes; /* the largest payload, in and out */
    uint32_t input_bytes;   /* of all of the model's inputs */
    uint32_t output_bytes;  /* of all of the model's outputs */
    uint32_t trace;         /* running CRC-32 of all learning steps since the last RESET */
    tt_stream *stream;      /* the application's, where the model has a front end, else NULL */
    const tt_serve_stream_functions *stream_functions; /* &tt_serve_stream, or NULL */
} tt_serve;

/* `buffer`: TT_FRAME_BUFFER_BYTES(payload_bytes). Returns TT_OK, or TT_ERROR_MEMORY where
 * `payload_bytes` is less than TT_SERVE_PAYLOAD_BYTES of the device's model. */
int32_t tt_serve_init(tt_serve *serve, tt_device *device, uint8_t *buffer, size_t payload_bytes);

/* Takes bytes in any chunking and answers each request that they complete through tt_port_write. */
void tt_serve_bytes(tt_serve *serve, const uint8_t *bytes, size_t count);

#endif
