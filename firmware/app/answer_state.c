/* Answers about a learner's whole state: giving it away and taking one over, in pieces. */
#include "answers.h"
#include "tinytrain/protocol.h"

int32_t tt_answer_export(tt_serve *serve, const uint8_t *payload)
{
    const tt_device *device = serve->device;
    uint32_t offset = tt_get_u32(payload);
    uint32_t length = tt_get_u32(payload + 4);
    if (device->learner == NULL) {
        return TT_ERROR_NO_LEARNER;
    }
    if (length > serve->payload_bytes - STATUS_BYTES) {
        return TT_ERROR_RANGE;
    }
    int32_t status = device->model->learner->functions->export_part(
        device->learner, device->model->source_hash, offset, serve->reply + STATUS_BYTES, length);
    serve->reply_bytes += length;
    return status;
}

int32_t tt_answer_import(tt_serve *serve, const tt_frame *request)
{
    const tt_device *device = serve->device;
    const uint8_t *payload = request->payload;
    size_t bytes = request->payload_bytes;
    if (device->learner == NULL) {
        return TT_ERROR_NO_LEARNER;
    }
    const tt_learner_functions *functions = device->model->learner->functions;
    switch (request->type) {
    case TT_MESSAGE_IMPORT_BEGIN:
        return bytes == TT_STATE_HEADER_BYTES
                   ? functions->import_begin(device->learner, device->model->source_hash, payload)
                   : TT_ERROR_LENGTH;
    case TT_MESSAGE_IMPORT_WRITE:
        return bytes >= 4 ? functions->import_write(device->learner, tt_get_u32(payload),
                                                    payload + 4, (uint32_t)(bytes - 4))
                          : TT_ERROR_LENGTH;
    default:
        return bytes == 4 ? functions->import_end(device->learner, tt_get_u32(payload))
                          : TT_ERROR_LENGTH;
    }
}
