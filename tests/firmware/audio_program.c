/* A sound front end behind a link: takes constants, then commands, and answers with what the
 * functions give. All little-endian, as the targets are; tests/firmware/audio_device.py is the
 * other end.
 *
 * Commands: 'p' inputs, count, values: a push, mixed where inputs are not 0; answers its result.
 * 'n': all frames there are; answers their number, and with counting the instructions of all and
 * the deepest stack, then the features. 'r': reset. 'q': answers lost, received, waiting.
 * 'l', 'x', 'i' count, arguments: log2, exp2, isqrt of each. 'e', the end.
 */
#include <stdbool.h>
#include <string.h>

#include "../src/frontend/fixed_log.h"
#include "exchange.h"
#include "port.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/frontend.h"

#define MAX_POINTS 1024
#define MAX_BANDS 128
#define MAX_CAPACITY 8192u
#define MAX_VALUES 16384u
#define MAX_FEATURES 65536u
#define MAX_BYTES (MAX_BANDS * 12u + MAX_POINTS * 4u)

static int16_t twiddles[MAX_POINTS];
static int16_t window_function[MAX_POINTS];
static uint16_t segment_bins[MAX_BANDS + 1];
static uint16_t rising[MAX_POINTS];
static int16_t cosines[MAX_BANDS * MAX_BANDS];
static int32_t offset[MAX_BANDS];
static int32_t scale[MAX_BANDS];

static int16_t samples[MAX_CAPACITY];
static int16_t values[MAX_VALUES];
static int8_t features[MAX_FEATURES];
static uint64_t arguments[256];
static uint64_t memory[MAX_BYTES / 8u + 1u];

static tt_audio_constants constants;
static tt_frontend frontend;
static tt_frontend_state state;
static tt_ring ring;
static bool counts;
static int8_t *at;
static int32_t made;

static void receive_constants(void)
{
    int32_t given[22];
    receive(given, sizeof given);
    size_t rise = (size_t)given[20];
    constants = (tt_audio_constants){
        .rate = given[0],
        .window = given[1],
        .hop = given[2],
        .pre_emphasis = given[3],
        .bands = given[4],
        .first_bin = given[5],
        .coefficients = given[6],
        .noise = given[7],
        .gain = given[8],
        .smooth_even = given[9],
        .smooth_odd = given[10],
        .least = given[11],
        .strength = given[12],
        .gain_offset = given[13],
        .lift = given[14],
        .floor = given[15],
        .transform = {given[16], twiddles},
        .quantizer = {given[17], given[18], offset, scale},
        .window_function = window_function,
        .segment_bins = segment_bins,
        .rising = rising,
        .cosines = cosines,
    };
    counts = given[21] != 0;
    size_t outputs = (size_t)(given[6] > 0 ? given[6] : given[4]);
    size_t ranges = given[17] != 0 ? outputs : 1u;
    receive(twiddles, 2u * (size_t)given[16]);
    receive(window_function, 2u * (size_t)given[1]);
    receive(segment_bins, 2u * (size_t)(given[4] + 1));
    receive(rising, 2u * rise);
    receive(cosines, 2u * (size_t)(given[6] * given[4]));
    receive(offset, 4u * ranges);
    receive(scale, 4u * ranges);
    frontend = (tt_frontend){
        .functions = &tt_audio_frontend,
        .audio = &constants,
        .channels = 1,
        .outputs = (int32_t)outputs,
        .bytes = 8 * given[4] + 4 * given[16] + (given[7] != 0 ? 4 * given[4] : 0),
    };
    if (tt_ring_init(&ring, samples, (uint16_t)given[19], 1) != TT_OK) {
        tt_port_exit(3);
    }
}

static void one(void *unused)
{
    (void)unused;
    made = tt_frontend_next(&state, at);
}

static void frames(void)
{
    uint32_t answer[3] = {0, 0, 0};
    at = features;
    for (;;) {
        uint64_t instructions = 0;
        uint32_t stack = 0;
        if (!counts || !tt_port_measure(one, NULL, &instructions, &stack)) {
            one(NULL);
        }
        if (made == 0) {
            break;
        }
        at += frontend.outputs;
        answer[0]++;
        answer[1] += (uint32_t)instructions;
        answer[2] = stack > answer[2] ? stack : answer[2];
    }
    send(answer, counts ? sizeof answer : sizeof answer[0]);
    send(features, (size_t)(at - features));
}

static void push(void)
{
    uint16_t head[2];
    receive(head, sizeof head);
    receive(values, 2u * head[1]);
    int32_t result = head[0] == 0u ? tt_ring_push(&ring, values, head[1])
                                   : tt_ring_push_mixed(&ring, values, head[1], head[0]);
    send(&result, sizeof result);
}

static void counters(void)
{
    uint32_t answer[3] = {ring.lost, ring.received, tt_ring_waiting(&ring)};
    send(answer, sizeof answer);
}

static void primitive(uint8_t command)
{
    uint16_t count;
    receive(&count, sizeof count);
    receive(arguments, 8u * count);
    for (size_t i = 0; i < count; i++) {
        uint64_t v = arguments[i];
        uint32_t result = command == 'l'   ? (uint32_t)tt_log2_q16(v)
                          : command == 'x' ? tt_exp2_q16((int32_t)(uint32_t)v)
                                           : tt_isqrt64(v);
        send(&result, sizeof result);
    }
}

int main(void)
{
    receive_constants();
    size_t bytes = (size_t)frontend.bytes;
    memset(memory, 0xa5, sizeof memory);
    tt_ring other = ring;
    other.channels = 2;
    tt_ring small = ring;
    small.capacity = (uint16_t)constants.window;
    if (tt_frontend_init(&state, &frontend, &ring, memory, bytes - 1u) != TT_ERROR_MEMORY ||
        tt_frontend_init(&state, &frontend, &ring, (uint8_t *)memory + 4, bytes) !=
            TT_ERROR_MEMORY ||
        tt_frontend_init(&state, &frontend, &other, memory, bytes) != TT_ERROR_RANGE ||
        tt_frontend_init(&state, &frontend, &small, memory, bytes) != TT_ERROR_RANGE ||
        tt_frontend_init(&state, &frontend, &ring, memory, bytes) != TT_OK) {
        return 4;
    }
    for (;;) {
        uint8_t command;
        receive(&command, 1);
        switch (command) {
        case 'e':
            /* Nothing writes behind its memory. */
            return ((uint8_t *)memory)[bytes] != 0xa5 ? 5 : 0;
        case 'p':
            push();
            break;
        case 'n':
            frames();
            break;
        case 'r':
            tt_frontend_reset(&state);
            break;
        case 'q':
            counters();
            break;
        default:
            primitive(command);
            break;
        }
    }
}
