/* Golden samples of tiny.c. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stdint.h>

#define TT_GOLDEN_SAMPLES 2

extern const uint8_t tt_golden_input[TT_GOLDEN_SAMPLES][6];
extern const uint8_t tt_golden_output[TT_GOLDEN_SAMPLES][2];

#endif
