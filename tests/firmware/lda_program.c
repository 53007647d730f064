/* The analytic head behind a link: takes constants, then commands, and answers with what the
 * functions give. All little-endian, as the targets are; tests/firmware/lda_device.py is the other
 * end.
 *
 * Commands: 'a' label x, add; 'r' label, row; 'w' label x, row without x; 's' classes, the whole
 * solve; 'd', the state; 'l' state, takes it; 'e', the end. Where it counts, a
 * command's answer ends with the instructions it took, of the solve also with those of the longest
 * slice and the slices' number.
 */
#include <stdbool.h>
#include <string.h>

#include "exchange.h"
#include "port.h"
#include "tinytrain/lda.h"
#include "tinytrain/status.h"

#define MAX_FEATURES 256u
#define MAX_ROWS 40u

static uint32_t memory[TT_LDA_BYTES(MAX_ROWS, MAX_FEATURES, 1u) / 4u];
static int16_t means[MAX_ROWS * MAX_FEATURES];
static int16_t origin[MAX_FEATURES];
static int16_t whitening[MAX_FEATURES];
static int16_t inverse[MAX_FEATURES * MAX_FEATURES];
static int16_t correlation[MAX_FEATURES * (MAX_FEATURES + 1u) / 2u];

static int16_t weights[MAX_ROWS * MAX_FEATURES];
static int32_t bias[MAX_ROWS];
static int16_t x[MAX_FEATURES];
static uint16_t label;

static tt_lda_constants constants;
static tt_lda lda;
static int32_t more;
static bool counts;

static void receive_constants(void)
{
    uint16_t small[6];
    int32_t wide[4];
    receive(small, sizeof small);
    receive(wide, sizeof wide);
    size_t depth = small[2];
    bool blended = small[4] > 0;
    receive(means, 2u * small[0] * depth);
    receive(origin, 2u * depth);
    receive(whitening, 2u * depth);
    receive(inverse, blended ? 0 : 2u * depth * depth);
    receive(correlation, blended ? depth * (depth + 1u) : 0);
    constants = (tt_lda_constants){.classes = small[0],
                                   .capacity = small[1],
                                   .features = small[2],
                                   .prior = small[3],
                                   .blend = small[4],
                                   .whitening_shift = wide[0],
                                   .inverse_shift = wide[1],
                                   .weight_shift = wide[2],
                                   .ridge = wide[3],
                                   .means = means,
                                   .origin = origin,
                                   .whitening = whitening,
                                   .inverse = blended ? NULL : inverse,
                                   .correlation = blended ? correlation : NULL};
    counts = small[5] != 0;
}

static void add(void *unused)
{
    (void)unused;
    tt_lda_add(&lda, x, label);
}

static void row(void *unused)
{
    (void)unused;
    tt_lda_row(&lda, label, weights, bias);
}

static void row_without(void *unused)
{
    (void)unused;
    tt_lda_row_without(&lda, label, x, weights, bias);
}

static void slice(void *unused)
{
    (void)unused;
    more = tt_lda_solve_slice(&lda, label, weights, bias);
}

/* The instructions of the work; 0 where nothing counts. */
static uint32_t run(void (*work)(void *))
{
    uint64_t instructions = 0;
    uint32_t stack;
    if (!counts || !tt_port_measure(work, NULL, &instructions, &stack)) {
        work(NULL);
    }
    return (uint32_t)instructions;
}

static void run_and_send(void (*work)(void *), size_t rows)
{
    uint32_t instructions = run(work);
    send(weights, 2u * rows * constants.features);
    send(bias, 4u * rows);
    if (counts) {
        send(&instructions, sizeof instructions);
    }
}

static void solve(void)
{
    uint32_t count[3] = {0, 0, 0};
    tt_lda_solve_start(&lda);
    do {
        uint32_t instructions = run(slice);
        count[0] += instructions;
        count[1] = instructions > count[1] ? instructions : count[1];
        count[2]++;
    } while (more);
    send(weights, 2u * label * constants.features);
    send(bias, 4u * label);
    if (counts) {
        send(count, sizeof count);
    }
}

int main(void)
{
    receive_constants();
    size_t depth = constants.features;
    size_t blended = constants.blend > 0;
    size_t bytes = TT_LDA_BYTES((size_t)constants.capacity, depth, blended);
    size_t state_bytes = TT_LDA_STATE_BYTES((size_t)constants.capacity, depth, blended);
    memset(memory, 0xa5, sizeof memory);
    if (tt_lda_init(&lda, &constants, memory, bytes - 1u) != TT_ERROR_MEMORY ||
        tt_lda_init(&lda, &constants, (uint8_t *)memory + 2, bytes) != TT_ERROR_MEMORY ||
        tt_lda_init(&lda, &constants, memory, bytes) != TT_OK) {
        return 3;
    }
    for (;;) {
        uint8_t command;
        receive(&command, 1);
        if (command == 'e') {
            /* Nothing writes behind its memory. */
            return bytes < sizeof memory && ((uint8_t *)memory)[bytes] != 0xa5 ? 4 : 0;
        }
        if (command != 'd' && command != 'l') {
            receive(&label, sizeof label);
        }
        if (command == 'a' || command == 'w') {
            receive(x, 2u * depth);
        }
        switch (command) {
        case 'a':
            run_and_send(add, 0);
            break;
        case 'r':
            run_and_send(row, 1);
            break;
        case 'w':
            run_and_send(row_without, 1);
            break;
        case 's':
            solve();
            break;
        case 'd':
            send(memory, state_bytes);
            break;
        case 'l':
            receive(memory, state_bytes);
            break;
        default:
            return 5;
        }
    }
}
