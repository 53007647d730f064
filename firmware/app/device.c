/* The device: one model, served over the port's link until that closes. */
#include <stdint.h>

#include "model.h"
#include "port.h"
#include "serve.h"

#define MODEL_PAYLOAD_BYTES                                                                        \
    TT_SERVE_PAYLOAD_BYTES(TT_MODEL_INPUT_BYTES, TT_MODEL_OUTPUT_BYTES, TT_MODEL_OPERATORS,        \
                           TT_MODEL_CAPACITY)

#ifdef TT_MODEL_STREAM_BYTES
#define PAYLOAD_BYTES                                                                              \
    TT_LARGER(MODEL_PAYLOAD_BYTES,                                                                 \
              TT_SERVE_STREAM_PAYLOAD_BYTES(TT_MODEL_STREAM_OUTPUTS, TT_MODEL_STREAM_CLASSES))
#else
#define PAYLOAD_BYTES MODEL_PAYLOAD_BYTES
#endif

/* Bytes taken from the link at once. */
#define CHUNK_BYTES 512

#if TT_MODEL_CLASSES > 0
static uint64_t head_memory[(TT_MODEL_HEAD_BYTES + 7) / 8];
#define HEAD_MEMORY head_memory
#define HEAD_MEMORY_BYTES sizeof head_memory
#else
#define HEAD_MEMORY NULL
#define HEAD_MEMORY_BYTES 0
#endif

/* Words, for the alignment that the runtime asks for. */
static uint32_t arena[(TT_MODEL_ARENA_BYTES + 3) / 4];
static uint8_t buffer[TT_FRAME_BUFFER_BYTES(PAYLOAD_BYTES)];
static uint8_t chunk[CHUNK_BYTES];
static tt_device device;
static tt_serve serve;

#ifdef TT_MODEL_STATISTICS_BYTES
static int64_t statistics_memory[(TT_MODEL_STATISTICS_BYTES + 7) / 8];
static tt_statistics statistics;

static int32_t init_statistics(void)
{
    return tt_statistics_init(&statistics, &device, statistics_memory, sizeof statistics_memory);
}
#else
static int32_t init_statistics(void)
{
    return TT_OK;
}
#endif

#ifdef TT_MODEL_STREAM_BYTES
static uint64_t stream_memory[(TT_MODEL_STREAM_BYTES + 7) / 8];
static tt_stream stream;

static int32_t init_stream(void)
{
    serve.stream = &stream;
    serve.stream_functions = &tt_serve_stream;
    return tt_stream_init(&stream, TT_MODEL.stream, &device, stream_memory, sizeof stream_memory);
}
#else
static int32_t init_stream(void)
{
    return TT_OK;
}
#endif

int main(void)
{
    int32_t status =
        tt_init(&device, &TT_MODEL, arena, sizeof arena, HEAD_MEMORY, HEAD_MEMORY_BYTES);
    if (status == TT_OK) {
        status = tt_serve_init(&serve, &device, buffer, PAYLOAD_BYTES);
    }
    if (status == TT_OK) {
        status = init_statistics();
    }
    if (status == TT_OK) {
        status = init_stream();
    }
    if (status != TT_OK) {
        return 1;
    }
    for (;;) {
        size_t count = tt_port_read(chunk, sizeof chunk);
        if (count == 0) {
            return 0;
        }
        tt_serve_bytes(&serve, chunk, count);
    }
}
