/* A model of three operators, written by hand; tests/firmware/tiny_model.py computes the same.
 *
 *   0  negated[i] = -input[i], saturated            [6]
 *   1  features[j] = (negated[j] + negated[j + 3]) / 2, rounded down   [3]
 *   2  output[c] = features[c] + c                  [2]
 */
#include "model.h"

enum {
    INPUT = 0,
    NEGATED = 6,
    FEATURES = 12,
    OUTPUT = 16,
};

#if TINY_FAULTS

static volatile uint32_t sink;

/* Deep on purpose. */
static uint32_t sink_deeper(volatile uint32_t *above)
{
    volatile uint32_t frame[64];
    for (uint32_t i = 0; i < 64; i++) {
        frame[i] = above[0] + i;
    }
    return sink == 1 ? frame[0] : sink_deeper(frame) + frame[63];
}

/* Executes 3 * passes instructions, and a few. */
static void spin(uint32_t passes)
{
#if defined(__arm__)
    __asm volatile("1: sub %0, #1\n cmp %0, #0\n bne 1b" : "+l"(passes) : : "cc");
#else
    (void)passes;
#endif
}

/* What must never go unseen, and loops of known length to count. */
static void fail(int8_t how)
{
    volatile uint32_t words[2] = {0, 0};
    if (how == 1) {
        sink = sink_deeper(words);
    } else if (how == 2) {
        sink = *(volatile uint32_t *)0xf0000000u;
    } else if (how == 3) {
        for (;;) {
            sink++;
        }
    } else if (how == 4) {
        /* Through a variable, or the compiler would load bytes. */
        volatile uintptr_t address = (uintptr_t)words + 1;
        sink = *(volatile uint32_t *)address;
    } else if (how >= 10) {
        spin((uint32_t)(how - 9) * 1000000u);
    }
}

#endif

static void run(uint8_t *arena, uint16_t first, uint16_t end)
{
    int8_t *tensor = (int8_t *)arena;
    for (uint16_t index = first; index < end; index++) {
        if (index == 0) {
            for (int i = 0; i < 6; i++) {
                int value = tensor[INPUT + i];
                tensor[NEGATED + i] = (int8_t)(value == -128 ? 127 : -value);
            }
#if TINY_FAULTS
            fail(tensor[INPUT]);
#endif
        } else if (index == 1) {
            for (int j = 0; j < 3; j++) {
                int sum = tensor[NEGATED + j] + tensor[NEGATED + j + 3];
                tensor[FEATURES + j] = (int8_t)((sum - (sum < 0)) / 2);
            }
        } else {
            for (int c = 0; c < 2; c++) {
                int value = tensor[FEATURES + c] + c;
                tensor[OUTPUT + c] = (int8_t)(value > 127 ? 127 : value);
            }
        }
    }
}

static const tt_slot input[] = {{INPUT, 6}};
static const tt_slot output[] = {{OUTPUT, 2}};
static const tt_slot operator_output[] = {{NEGATED, 6}, {FEATURES, 3}, {OUTPUT, 2}};
static const int8_t weights[6] = {20, -30, 40, -50, 60, -70};
static const int32_t bias[2] = {100, -100};
static const tt_constant constant[] = {{weights, sizeof weights}, {bias, sizeof bias}};

#if TT_MODEL_CLASSES > 0

static const int32_t multiplier[3] = {1518500250, 1073741824, 1073741824};
static const int8_t shift[3] = {-3, -2, -2};
static const int8_t gradient_shift[3] = {-4, -3, -3};

static const tt_head_constants head = {
    .classes = 2,
    .capacity = 3,
    .features = 3,
    .rows = 2,
    .tau = 300,
    .feature_zero_point = -3,
    .units =
        {
            .gradient_shift = 9,
            .logit_multiplier = multiplier,
            .logit_shift = shift,
            .gradient_multiplier = multiplier,
            .gradient_multiplier_shift = gradient_shift,
            .bias_multiplier = multiplier,
            .bias_multiplier_shift = gradient_shift,
        },
    .weights = weights,
    .bias = bias,
};

#define HEAD &head
#define HEAD_OPERATOR 2

#else

#define HEAD NULL
#define HEAD_OPERATOR 3

#endif

const tt_model tiny_model = {
    .name = "tiny",
    .source_hash = 0xdeadbeef,
    .arena_bytes = TT_MODEL_ARENA_BYTES,
    .inputs = 1,
    .outputs = 1,
    .operators = 3,
    .constants = 2,
    .head_operator = HEAD_OPERATOR,
    .input = input,
    .output = output,
    .operator_output = operator_output,
    .constant = constant,
    .features_offset = FEATURES,
    .head = HEAD,
    .run = run,
};
