/* Learns, keeps its state, forgets, takes it over again, and answers as before. Then takes over
 * states with a changed byte, of which none may do harm: the sanitizers watch.
 *
 * Arguments: the number of samples and of changed states, a seed. Exits with 0 where all is well.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "tinytrain/crc32.h"
#include "tinytrain/frame.h"
#include "tinytrain/tinytrain.h"

#define HASH 0x1234u
#define CHECKSUM_BYTES 4u

static uint32_t arena[(TT_MODEL_ARENA_BYTES + 3) / 4];
static uint64_t head_memory[(TT_MODEL_HEAD_BYTES + 7) / 8];
static tt_device device;
static uint32_t state;

static uint32_t draw(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static void random_input(uint8_t *input)
{
    for (size_t i = 0; i < TT_MODEL_INPUT_BYTES; i++) {
        input[i] = (uint8_t)draw();
    }
}

/* One random thing to do. */
static void act(void)
{
    uint8_t input[TT_MODEL_INPUT_BYTES];
    random_input(input);
    uint32_t action = draw() % 40u;
    if (action == 0) {
        (void)tt_add_class(&device);
    } else if (action == 1) {
        (void)tt_roll_back(&device, (uint16_t)(draw() % 3u));
    } else if (action < 16) { /* often enough for the baseline of drift */
        (void)tt_observe(&device, input);
    } else {
        (void)tt_learn(&device, input, (uint16_t)(draw() % TT_MODEL_CAPACITY));
        while (tt_work(&device)) {
        }
    }
}

static int check(int condition, const char *what)
{
    if (!condition) {
        printf("%s\n", what);
        exit(1);
    }
    return condition;
}

static void check_export(uint8_t *kept, uint8_t *again, uint32_t bytes)
{
    tt_learner_export(device.learner, HASH, kept);
    tt_learner_reset(device.learner);
    check(tt_learner_import(device.learner, HASH, kept, bytes) == TT_OK, "an own state is refused");
    tt_learner_export(device.learner, HASH, again);
    check(memcmp(kept, again, bytes) == 0, "a state changes on its way");
    check(tt_learner_import(device.learner, HASH + 1u, kept, bytes) == TT_ERROR_MODEL,
          "another model's state is taken");
    check(tt_learner_import(device.learner, HASH, kept, bytes - 1u) == TT_ERROR_FRAME,
          "a cut state is taken");
    kept[bytes / 2u] ^= 1u;
    check(tt_learner_import(device.learner, HASH, kept, bytes) == TT_ERROR_FRAME,
          "a damaged state is taken");
    kept[bytes / 2u] ^= 1u;
    tt_learner_export(device.learner, HASH, again);
    check(memcmp(kept, again, bytes) == 0, "a refused state leaves a trace");
}

/* The public face moves the same bytes, under the model's own hash, and only between works. */
static void check_public_face(void)
{
    static uint8_t out[TT_MODEL_STATE_BYTES + 1];
    static uint8_t again[TT_MODEL_STATE_BYTES];
    const int32_t bytes = (int32_t)TT_MODEL_STATE_BYTES;
    out[TT_MODEL_STATE_BYTES] = 0xa5u;
    check(tt_export(&device, out, sizeof out) == bytes, "an export says another length");
    check(out[TT_MODEL_STATE_BYTES] == 0xa5u, "an export writes too much");
    tt_learner_export(device.learner, TT_MODEL.source_hash, again);
    check(memcmp(out, again, sizeof again) == 0, "the hash is not the model's");
    check(tt_export(&device, again, sizeof again - 1u) == TT_ERROR_MEMORY, "too short a buffer");
    check(tt_export(&device, NULL, sizeof again) == TT_ERROR_MEMORY, "no buffer");
    tt_reset(&device);
    check(tt_import(&device, out, sizeof out) == TT_ERROR_FRAME, "a longer state is taken");
    check(tt_import(&device, NULL, 0) == TT_ERROR_FRAME, "no state is taken");
    check(tt_import(&device, out, TT_MODEL_STATE_BYTES) == TT_OK, "an own state is refused");
    check(tt_export(&device, again, sizeof again) == bytes && memcmp(out, again, sizeof again) == 0,
          "a state changes on its way");
    tt_learner_import_begin(device.learner, TT_MODEL.source_hash, out);
    check(tt_export(&device, again, sizeof again) == TT_ERROR_BUSY, "half a state is given away");
    check(tt_import(&device, out, TT_MODEL_STATE_BYTES) == TT_OK, "pieces are in the way");
}

/* Learns until there is work: no state is given away before it is done. */
static void check_busy(void)
{
    static uint8_t out[TT_MODEL_STATE_BYTES];
    uint8_t input[TT_MODEL_INPUT_BYTES];
    int busy = 0;
    for (int i = 0; i < 100; i++) {
        random_input(input);
        tt_learner_new_day(device.learner);
        (void)tt_learn(&device, input, (uint16_t)(draw() % TT_MODEL_CLASSES));
        if (device.learner->work.stage != 0) {
            busy = 1;
            check(tt_export(&device, out, sizeof out) == TT_ERROR_BUSY, "work is left out");
        }
        while (tt_work(&device)) {
        }
        check(tt_export(&device, out, sizeof out) == (int32_t)sizeof out, "work is done");
    }
    check(busy, "there was no work");
}

/* A state with some bytes changed and the right checksum: taken or refused, and no harm done. */
static void forge(const uint8_t *kept, uint8_t *forged, uint32_t bytes)
{
    memcpy(forged, kept, bytes);
    for (uint32_t changes = 1u + draw() % 4u; changes > 0; changes--) {
        /* Half of the time where the counters are. */
        uint32_t end =
            draw() % 2u ? 16u + (uint32_t)sizeof(tt_learner_counters) : bytes - CHECKSUM_BYTES;
        forged[16u + draw() % (end - 16u)] = (uint8_t)(draw() % 4u ? draw() : 0xffu);
    }
    tt_put_u32(forged + bytes - CHECKSUM_BYTES, tt_crc32(0, forged, bytes - CHECKSUM_BYTES));
    (void)tt_learner_import(device.learner, HASH, forged, bytes);
    for (int i = 0; i < 20; i++) {
        act();
    }
}

int main(int count, char **arguments)
{
    check(count == 4, "usage: samples, states, seed");
    check(tt_init(&device, &TT_MODEL, arena, sizeof arena, head_memory, sizeof head_memory) ==
              TT_OK,
          "no memory");
    state = (uint32_t)atoi(arguments[3]);
    uint32_t bytes = tt_learner_export_bytes(device.learner);
    check(bytes == TT_MODEL_STATE_BYTES, "the header names another length");
    uint8_t *kept = malloc(bytes);
    uint8_t *other = malloc(bytes);
    for (int i = 0; i < atoi(arguments[1]); i++) {
        act();
        if (i % 10 == 0) {
            check_export(kept, other, bytes);
            check_public_face();
        }
    }
    check_busy();
    tt_learner_export(device.learner, HASH, kept);
    for (int i = 0; i < atoi(arguments[2]); i++) {
        forge(kept, other, bytes);
    }
    free(kept);
    free(other);
    return 0;
}
