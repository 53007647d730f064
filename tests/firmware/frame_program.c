/* The firmware's frames as a filter, for test_frame.py.
 *
 *   frame_program receive CAPACITY CHUNK   bytes -> a line for each event
 *   frame_program encode                   records (uint32 length, payload) -> encoded frames
 *
 * Buffers have exactly the size that frame.h asks for, so that the sanitizers see a byte too many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tinytrain/frame.h"

static void print_event(int32_t status, const tt_frame *frame)
{
    if (status < 0) {
        printf("error %d\n", status);
        return;
    }
    printf("frame %u %u %u ", frame->version, frame->type, frame->sequence);
    for (size_t i = 0; i < frame->payload_bytes; i++) {
        printf("%02x", frame->payload[i]);
    }
    printf("\n");
}

static void receive(size_t capacity, size_t chunk_bytes)
{
    uint8_t *buffer = malloc(capacity);
    uint8_t *chunk = malloc(chunk_bytes);
    tt_receiver receiver;
    tt_receiver_init(&receiver, buffer, capacity);
    for (;;) {
        size_t count = fread(chunk, 1, chunk_bytes, stdin);
        if (count == 0) {
            break;
        }
        for (size_t taken = 0; taken < count;) {
            tt_frame frame;
            int32_t status;
            taken += tt_receiver_push(&receiver, chunk + taken, count - taken, &frame, &status);
            if (status != 0) {
                print_event(status, &frame);
            }
        }
    }
    free(chunk);
    free(buffer);
}

static void encode(void)
{
    uint8_t length[4];
    for (uint16_t sequence = 0; fread(length, 1, 4, stdin) == 4; sequence++) {
        size_t bytes = tt_get_u32(length);
        size_t offset = TT_FRAME_PAYLOAD_OFFSET(bytes);
        uint8_t *buffer = malloc(TT_FRAME_BUFFER_BYTES(bytes));
        if (fread(buffer + offset, 1, bytes, stdin) != bytes) {
            exit(1);
        }
        size_t encoded = tt_frame_encode(buffer, offset, bytes, 2, sequence);
        fwrite(buffer, 1, encoded, stdout);
        free(buffer);
    }
}

int main(int count, char **arguments)
{
    if (count == 4 && strcmp(arguments[1], "receive") == 0) {
        receive(strtoul(arguments[2], NULL, 10), strtoul(arguments[3], NULL, 10));
    } else if (count == 2 && strcmp(arguments[1], "encode") == 0) {
        encode();
    } else {
        return 2;
    }
    return 0;
}
