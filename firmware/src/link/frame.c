/* Frames: COBS, checksum, and a receiver that takes bytes in any chunking. */
#include "tinytrain/frame.h"

#include <string.h>

#include "tinytrain/crc32.h"
#include "tinytrain/status.h"

/* The code of a block that carries the most bytes; it stands for no zero after them. */
#define FULL_BLOCK 255u

static bool open_frame(uint8_t *bytes, size_t count, tt_frame *frame)
{
    size_t decoded = tt_cobs_decode(bytes, count);
    if (decoded < TT_FRAME_BYTES(0u)) {
        return false;
    }
    size_t covered = decoded - TT_FRAME_CHECKSUM_BYTES;
    if (tt_crc32(0, bytes, covered) != tt_get_u32(bytes + covered)) {
        return false;
    }
    frame->version = bytes[0];
    frame->type = bytes[1];
    frame->sequence = tt_get_u16(bytes + 2);
    frame->payload = bytes + TT_FRAME_HEADER_BYTES;
    frame->payload_bytes = covered - TT_FRAME_HEADER_BYTES;
    return true;
}

void tt_receiver_init(tt_receiver *receiver, uint8_t *buffer, size_t capacity)
{
    receiver->buffer = buffer;
    receiver->capacity = capacity;
    receiver->length = 0;
    receiver->too_long = false;
}

size_t tt_receiver_push(tt_receiver *receiver, const uint8_t *bytes, size_t count, tt_frame *frame,
                        int32_t *status)
{
    *status = 0;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            if (receiver->length < receiver->capacity) {
                receiver->buffer[receiver->length++] = bytes[i];
            } else {
                receiver->too_long = true;
            }
            continue;
        }
        size_t length = receiver->length;
        bool too_long = receiver->too_long;
        receiver->length = 0;
        receiver->too_long = false;
        if (length == 0) {
            continue;
        }
        *status = !too_long && open_frame(receiver->buffer, length, frame) ? 1 : TT_ERROR_FRAME;
        return i + 1;
    }
    return count;
}

size_t tt_frame_encode(uint8_t *buffer, size_t offset, size_t payload_bytes, uint8_t type,
                       uint16_t sequence)
{
    uint8_t *frame = buffer + offset - TT_FRAME_HEADER_BYTES;
    size_t covered = TT_FRAME_HEADER_BYTES + payload_bytes;
    frame[0] = TT_PROTOCOL_VERSION;
    frame[1] = type;
    tt_put_u16(frame + 2, sequence);
    tt_put_u32(frame + covered, tt_crc32(0, frame, covered));
    size_t encoded = tt_cobs_encode(buffer, frame, covered + TT_FRAME_CHECKSUM_BYTES);
    buffer[encoded] = 0;
    return encoded + 1;
}

size_t tt_cobs_decode(uint8_t *bytes, size_t count)
{
    size_t read = 0;
    size_t written = 0;
    while (read < count) {
        size_t code = bytes[read];
        if (code == 0 || code > count - read) {
            return 0;
        }
        /* What is written lies at least one byte before what is read. */
        memmove(bytes + written, bytes + read + 1, code - 1);
        read += code;
        written += code - 1;
        if (code != FULL_BLOCK && read < count) {
            bytes[written++] = 0;
        }
    }
    return written;
}

size_t tt_cobs_encode(uint8_t *target, const uint8_t *source, size_t count)
{
    size_t start = 0; /* where the open block's code goes */
    size_t end = 1;
    for (size_t i = 0; i < count; i++) {
        uint8_t byte = source[i];
        if (byte != 0) {
            target[end++] = byte;
        }
        bool full = end - start == FULL_BLOCK;
        if (byte == 0 || (full && i + 1 < count)) {
            target[start] = (uint8_t)(end - start);
            start = end++;
        }
    }
    target[start] = (uint8_t)(end - start);
    return end;
}

uint16_t tt_get_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | (bytes[1] << 8));
}

uint32_t tt_get_u32(const uint8_t *bytes)
{
    return (uint32_t)tt_get_u16(bytes) | (uint32_t)tt_get_u16(bytes + 2) << 16;
}

void tt_put_u16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

void tt_put_u32(uint8_t *bytes, uint32_t value)
{
    tt_put_u16(bytes, (uint16_t)value);
    tt_put_u16(bytes + 2, (uint16_t)(value >> 16));
}
