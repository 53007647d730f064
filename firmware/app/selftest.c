/* The self-test: the golden inputs through the model, compared with the golden outputs. Prints one
 * line and exits with 0 when every byte of every sample agrees. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "golden.h"
#include "model.h"
#include "port.h"
#include "tinytrain/tinytrain.h"

#if TT_MODEL_CLASSES > 0
static uint64_t head_memory[(TT_MODEL_HEAD_BYTES + 7) / 8];
#define HEAD_MEMORY head_memory
#define HEAD_MEMORY_BYTES sizeof head_memory
#else
#define HEAD_MEMORY NULL
#define HEAD_MEMORY_BYTES 0
#endif

static uint32_t arena[(TT_MODEL_ARENA_BYTES + 3) / 4];
static uint8_t output[TT_MODEL_OUTPUT_BYTES];
static tt_device device;

static void print(const char *text)
{
    tt_port_write((const uint8_t *)text, strlen(text));
}

static void print_number(uint32_t number)
{
    char digits[11];
    size_t first = sizeof digits - 1;
    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + number % 10u);
        number /= 10u;
    } while (number > 0);
    print(digits + first);
}

static bool sample_agrees(uint32_t sample)
{
    return tt_infer(&device, tt_golden_input[sample], output) == TT_OK &&
           memcmp(output, tt_golden_output[sample], sizeof output) == 0;
}

int main(void)
{
    uint32_t equal = 0;
    if (tt_init(&device, &TT_MODEL, arena, sizeof arena, HEAD_MEMORY, HEAD_MEMORY_BYTES) != TT_OK) {
        print("golden: the model does not start\n");
        return 1;
    }
    for (uint32_t sample = 0; sample < TT_GOLDEN_SAMPLES; sample++) {
        equal += sample_agrees(sample);
    }
    print("golden: ");
    print_number(equal);
    print(" of ");
    print_number(TT_GOLDEN_SAMPLES);
    print(" samples equal\n");
    return equal == TT_GOLDEN_SAMPLES ? 0 : 1;
}
