/* Logarithm and power of 2 of the front ends. Rules: firmware/FRONTEND.md, section 1. */
#ifndef TINYTRAIN_FIXED_LOG_H
#define TINYTRAIN_FIXED_LOG_H

#include <stdint.h>

/* log2(v) in Q16, v >= 1. */
int32_t tt_log2_q16(uint64_t v);

/* 2^y for y in Q16, rounded down: 0 below y = 0, 2^31 from y = 31 on. */
uint32_t tt_exp2_q16(int32_t y);

#endif
