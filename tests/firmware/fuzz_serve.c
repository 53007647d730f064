/* Fuzzes the device application: bytes from the link, damaged or well-formed but hostile.
 *
 * The first byte chooses. 0: the rest goes to the receiver as it is, in two chunks. Otherwise the
 * rest is cut into requests, each a type, a length and so many bytes of payload, which are framed
 * with a right checksum, so that the handlers are reached and not just the frame parser.
 *
 * libFuzzer calls LLVMFuzzerTestOneInput; with REPLAY defined, main runs the files it is given.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "port.h"
#include "serve.h"
#include "tinytrain/crc32.h"
#include "tinytrain/protocol.h"

#define PAYLOAD_BYTES                                                                              \
    TT_SERVE_PAYLOAD_BYTES(TT_MODEL_INPUT_BYTES, TT_MODEL_OUTPUT_BYTES, TT_MODEL_OPERATORS,        \
                           TT_MODEL_CAPACITY)
#define FRAME_BYTES (TT_FRAME_HEADER_BYTES + 255 + TT_FRAME_CHECKSUM_BYTES)

static uint32_t arena[(TT_MODEL_ARENA_BYTES + 3) / 4];
static uint64_t head_memory[(TT_MODEL_HEAD_BYTES + 7) / 8 + 1];
static uint8_t buffer[TT_FRAME_BUFFER_BYTES(PAYLOAD_BYTES)];
static tt_device device;
static tt_serve serve;

size_t tt_port_read(uint8_t *bytes, size_t capacity)
{
    (void)bytes;
    (void)capacity;
    return 0;
}

void tt_port_write(const uint8_t *bytes, size_t count)
{
    /* Reads every byte, so that the sanitizer sees what a link would send. */
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
}

bool tt_port_has_counter(void)
{
    return true;
}

bool tt_port_measure(void (*work)(void *context), void *context, uint64_t *instructions,
                     uint32_t *stack_bytes)
{
    work(context);
    *instructions = 0;
    *stack_bytes = 0;
    return true;
}

/* COBS, byte by byte into the receiver, and the closing zero. */
static void send(const uint8_t *frame, size_t count)
{
    size_t start = 0;
    while (start <= count) {
        size_t end = start;
        while (end < count && frame[end] != 0 && end - start < 254) {
            end++;
        }
        uint8_t code = (uint8_t)(end - start + 1);
        tt_serve_bytes(&serve, &code, 1);
        tt_serve_bytes(&serve, frame + start, end - start);
        start = end + (end - start < 254 ? 1u : 0u);
        if (end == count) {
            break;
        }
    }
    tt_serve_bytes(&serve, (const uint8_t *)"", 1);
}

static void send_requests(const uint8_t *data, size_t size)
{
    while (size >= 2) {
        uint8_t frame[FRAME_BYTES] = {TT_PROTOCOL_VERSION, data[0], 1, 0};
        size_t length = data[1] < size - 2 ? data[1] : size - 2;
        size_t body = TT_FRAME_HEADER_BYTES + length;
        memcpy(frame + TT_FRAME_HEADER_BYTES, data + 2, length);
        uint32_t crc = tt_crc32(0, frame, body);
        for (size_t i = 0; i < TT_FRAME_CHECKSUM_BYTES; i++) {
            frame[body + i] = (uint8_t)(crc >> (8 * i));
        }
        send(frame, body + TT_FRAME_CHECKSUM_BYTES);
        data += 2 + length;
        size -= 2 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tt_init(&device, &TT_MODEL, arena, sizeof arena, head_memory, sizeof head_memory);
    tt_serve_init(&serve, &device, buffer, PAYLOAD_BYTES);
    if (size == 0) {
        return 0;
    }
    if (data[0] != 0) {
        send_requests(data + 1, size - 1);
        return 0;
    }
    tt_serve_bytes(&serve, data + 1, (size - 1) / 2);
    tt_serve_bytes(&serve, data + 1 + (size - 1) / 2, size - 1 - (size - 1) / 2);
    return 0;
}

#ifdef REPLAY
int main(int count, char **paths)
{
    static uint8_t input[1 << 16];
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(paths[i], "rb");
        if (file == NULL) {
            return 2;
        }
        size_t size = fread(input, 1, sizeof input, file);
        fclose(file);
        LLVMFuzzerTestOneInput(input, size);
    }
    printf("%d inputs\n", count - 1);
    return 0;
}
#endif
