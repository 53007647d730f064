/* Front ends of motion behind a link: takes commands and answers with what the functions give. All
 * little-endian, as the targets are; tests/firmware/motion_device.py is the other end.
 *
 * Commands: 'k' constants: another front end, at the beginning of a stream. 'p' count, values: a
 * push; answers its result. 'n': all windows there are; answers their number, and with counting the
 * most instructions of one and the deepest stack, then the windows. 'r': reset. 'q': answers lost
 * and waiting. 'e', the end.
 */
#include <stdbool.h>
#include <string.h>

#include "exchange.h"
#include "port.h"
#include "tinytrain/frontend.h"

#define MAX_POINTS 512u
#define MAX_TAPS (64u * 224u)
#define MAX_OUTPUTS 4096u
#define MAX_VALUES 16384u
#define MAX_WINDOWS 32768u
#define MAX_BYTES 32768u
#define BEHIND 0xa5u

static int16_t twiddles[MAX_POINTS];
static int16_t window_function[MAX_POINTS];
static int16_t taps[MAX_TAPS];
static uint16_t edges[MAX_POINTS];
static int32_t offset[MAX_OUTPUTS];
static int32_t scale[MAX_OUTPUTS];

static int16_t samples[MAX_VALUES];
static int16_t values[MAX_VALUES];
static int8_t windows[MAX_WINDOWS];
static uint64_t memory[MAX_BYTES / 8u + 1u];

static tt_motion_constants constants;
static tt_frontend frontend;
static tt_frontend_state state;
static tt_ring ring;
static bool counts;
static int8_t *at;
static int32_t made;

/* Nothing was written behind the front end's memory. */
static void check_memory(void)
{
    if (frontend.bytes > 0 && ((uint8_t *)memory)[frontend.bytes] != BEHIND) {
        tt_port_exit(3);
    }
}

static void begin(int32_t capacity)
{
    size_t bytes = (size_t)frontend.bytes;
    uint16_t channels = (uint16_t)constants.channels;
    tt_ring other;
    memset(memory, BEHIND, sizeof memory);
    if (tt_ring_init(&ring, samples, (uint16_t)capacity, channels) != TT_OK ||
        tt_ring_init(&other, samples, 2, (uint16_t)(channels + 1u)) != TT_OK ||
        tt_frontend_init(&state, &frontend, &ring, (uint8_t *)memory + 4, MAX_BYTES) !=
            TT_ERROR_MEMORY ||
        tt_frontend_init(&state, &frontend, &other, memory, MAX_BYTES) != TT_ERROR_RANGE ||
        tt_frontend_init(&state, &frontend, &ring, memory, bytes) != TT_OK) {
        tt_port_exit(4);
    }
}

static void receive_constants(void)
{
    int32_t given[17];
    check_memory();
    receive(given, sizeof given);
    constants = (tt_motion_constants){.rate = given[0],
                                      .channels = given[1],
                                      .up = given[2],
                                      .down = given[3],
                                      .taps = given[4],
                                      .length = given[5],
                                      .hop = given[6],
                                      .form = given[7],
                                      .bands = given[8],
                                      .transform = {given[9], twiddles},
                                      .quantizer = {given[10], given[11], offset, scale},
                                      .taps_of_phase = taps,
                                      .window_function = window_function,
                                      .edges = edges};
    frontend = (tt_frontend){.functions = &tt_motion_frontend,
                             .motion = &constants,
                             .channels = given[1],
                             .outputs = given[12],
                             .bytes = given[13]};
    size_t ranges = (size_t)given[14];
    counts = given[15] != 0;
    receive(twiddles, 2u * (size_t)given[9]);
    receive(taps, 2u * (size_t)(given[2] * given[4]));
    receive(window_function, 2u * (size_t)given[9]);
    receive(edges, given[8] > 0 ? 2u * (size_t)(given[8] + 1) : 0u);
    receive(offset, 4u * ranges);
    receive(scale, 4u * ranges);
    begin(given[16]);
}

static void one(void *unused)
{
    (void)unused;
    made = tt_frontend_next(&state, at);
}

static void all_windows(void)
{
    uint32_t answer[3] = {0, 0, 0};
    at = windows;
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
        answer[1] = instructions > answer[1] ? (uint32_t)instructions : answer[1];
        answer[2] = stack > answer[2] ? stack : answer[2];
    }
    tt_port_write((const uint8_t *)answer, counts ? sizeof answer : sizeof answer[0]);
    tt_port_write((const uint8_t *)windows, (size_t)(at - windows));
}

static void push(void)
{
    uint16_t count;
    receive(&count, sizeof count);
    receive(values, 2u * count);
    int32_t result = tt_ring_push(&ring, values, count);
    tt_port_write((const uint8_t *)&result, sizeof result);
}

static void counters(void)
{
    uint32_t answer[2] = {ring.lost, tt_ring_waiting(&ring)};
    tt_port_write((const uint8_t *)answer, sizeof answer);
}

int main(void)
{
    for (;;) {
        uint8_t command;
        receive(&command, 1);
        switch (command) {
        case 'e':
            check_memory();
            return 0;
        case 'k':
            receive_constants();
            break;
        case 'p':
            push();
            break;
        case 'n':
            all_windows();
            break;
        case 'r':
            tt_frontend_reset(&state);
            break;
        case 'q':
            counters();
            break;
        default:
            return 5;
        }
    }
}
