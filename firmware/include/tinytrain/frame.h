/* Frames on a byte stream: a header, a payload and a CRC-32, made free of zeros by COBS (consistent
 * overhead byte stuffing) and ended by one 0x00. PROTOCOL.md gives every byte.
 *
 * Whatever was lost or damaged, the next 0x00 is the end of a frame: a receiver finds its feet
 * there. Frames are decoded and encoded in place, in one buffer of the caller's.
 */
#ifndef TINYTRAIN_FRAME_H
#define TINYTRAIN_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tinytrain/protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that COBS adds to `bytes` bytes at most. */
#define TT_COBS_OVERHEAD(bytes) ((bytes) / 254u + 1u)

/* Header, payload and checksum. */
#define TT_FRAME_BYTES(payload) ((payload) + TT_FRAME_HEADER_BYTES + TT_FRAME_CHECKSUM_BYTES)

/* Bytes of a buffer for frames with payloads of at most `payload` bytes: a constant expression.
 * The last byte is the closing 0x00. */
#define TT_FRAME_BUFFER_BYTES(payload)                                                             \
    (TT_FRAME_BYTES(payload) + TT_COBS_OVERHEAD(TT_FRAME_BYTES(payload)) + 1u)

/* Where in such a buffer tt_frame_encode wants the payload of a frame that is sent. */
#define TT_FRAME_PAYLOAD_OFFSET(payload)                                                           \
    (TT_COBS_OVERHEAD(TT_FRAME_BYTES(payload)) + TT_FRAME_HEADER_BYTES)

typedef struct tt_frame {
    uint8_t version;
    uint8_t type;
    uint16_t sequence;
    const uint8_t *payload; /* inside the receiver's buffer */
    size_t payload_bytes;
} tt_frame;

/* Collects the bytes of one frame after the other. */
typedef struct tt_receiver {
    uint8_t *buffer;
    size_t capacity; /* of the buffer, bytes */
    size_t length;   /* bytes of the frame so far */
    bool too_long;   /* the frame did not fit: what is left of it is dropped */
} tt_receiver;

/* `buffer`: TT_FRAME_BUFFER_BYTES of the largest payload. */
void tt_receiver_init(tt_receiver *receiver, uint8_t *buffer, size_t capacity);

/* Takes bytes up to the end of the next frame and returns how many it took; call it again with the
 * rest. `status` becomes
 *   1               a frame is complete and stands in `frame`, until the next call;
 *   0               all bytes were taken and the frame goes on;
 *   TT_ERROR_FRAME  a frame ended that was damaged or too long; it is dropped.
 * An empty frame (two 0x00 in a row) is no error: a client may send 0x00 to end what may have been
 * left of a frame. */
size_t tt_receiver_push(tt_receiver *receiver, const uint8_t *bytes, size_t count, tt_frame *frame,
                        int32_t *status);

/* Encodes the frame whose payload stands at `buffer` + `offset`, in place, and returns the bytes to
 * send, which then start at `buffer`. `offset` is at least TT_FRAME_PAYLOAD_OFFSET(payload_bytes),
 * and TT_FRAME_CHECKSUM_BYTES + 1 bytes after the payload are free. */
size_t tt_frame_encode(uint8_t *buffer, size_t offset, size_t payload_bytes, uint8_t type,
                       uint16_t sequence);

/* Decodes in place; returns the decoded bytes, 0 where `bytes` are no COBS. */
size_t tt_cobs_decode(uint8_t *bytes, size_t count);

/* Encodes `count` bytes; returns the encoded bytes, at most count + TT_COBS_OVERHEAD(count),
 * without the closing 0x00. `source` may overlap `target` from target + TT_COBS_OVERHEAD(count) on.
 */
size_t tt_cobs_encode(uint8_t *target, const uint8_t *source, size_t count);

/* Numbers in the protocol are little-endian, at any alignment. */
uint16_t tt_get_u16(const uint8_t *bytes);
uint32_t tt_get_u32(const uint8_t *bytes);
void tt_put_u16(uint8_t *bytes, uint16_t value);
void tt_put_u32(uint8_t *bytes, uint32_t value);

#ifdef __cplusplus
}
#endif

#endif
