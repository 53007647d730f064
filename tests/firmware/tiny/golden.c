/* Golden samples of tiny.c: input and output by hand. */
#include "golden.h"

/* 0, 1, 2, 3, 4, 5 and -128, 127, 0, -128, 127, 0 */
const uint8_t tt_golden_input[TT_GOLDEN_SAMPLES][6] = {
    {0, 1, 2, 3, 4, 5},
    {128, 127, 0, 128, 127, 0},
};

/* -2, -2 and 127, -126 */
const uint8_t tt_golden_output[TT_GOLDEN_SAMPLES][2] = {
    {254, 254},
    {127, 130},
};
