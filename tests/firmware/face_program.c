/* The public face of a model with a plain head; the texts of the numbers that are the arguments.
 *
 * Prints two lines a number: its text as a status, and as an outcome.
 */
#include <stdio.h>
#include <stdlib.h>

#include "model.h"
#include "tinytrain/tinytrain.h"

static uint32_t arena[(TT_MODEL_ARENA_BYTES + 3) / 4];
static uint64_t head[(TT_MODEL_HEAD_BYTES + 7) / 8];
static tt_device device;

int main(int count, char **arguments)
{
    uint8_t byte = 0;
    const int8_t input[TT_MODEL_INPUT_BYTES] = {1, -2, 3};
    int32_t status = tt_init(&device, &TT_MODEL, arena, sizeof arena, head, sizeof head);
    if (status != TT_OK || TT_MODEL_STATE_BYTES != 0 || tt_learn(&device, input, 0) < 0 ||
        tt_export(&device, &byte, sizeof byte) != TT_ERROR_NO_LEARNER ||
        tt_import(&device, &byte, sizeof byte) != TT_ERROR_NO_LEARNER) {
        return 1;
    }
    for (int i = 1; i < count; i++) {
        int32_t number = (int32_t)atoi(arguments[i]);
        printf("%s\n%s\n", tt_status_text(number), tt_outcome_text(number));
    }
    return 0;
}
