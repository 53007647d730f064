/* Logarithm and power of 2: a table, and straight lines between its entries. */
#include "fixed_log.h"

#include "fixed_log_tables.h"
#include "tinytrain/arithmetic.h"

/* From table[i] to table[i + 1]; the last entry is 65536, which differs from 0 by a whole word. */
static uint32_t step(const uint16_t *table, uint32_t i)
{
    return (uint16_t)(table[i + 1u] - table[i]);
}

int32_t tt_log2_q16(uint64_t v)
{
    uint32_t high = (uint32_t)(v >> 32);
    int32_t zeros = tt_count_leading_zeros(high);
    uint32_t m;
    if (high == 0u) {
        zeros += tt_count_leading_zeros((uint32_t)v);
        m = (uint32_t)v << (zeros - 32);
    } else {
        m = zeros == 0 ? high : high << zeros | (uint32_t)v >> (32 - zeros);
    }
    uint32_t i = m >> 24 & 127u;
    uint32_t r = m >> 8 & 65535u;
    uint32_t below = tt_fixed_log2_table[i] + ((step(tt_fixed_log2_table, i) * r + 32768u) >> 16);
    return (63 - zeros) * 65536 + (int32_t)below;
}

uint32_t tt_exp2_q16(int32_t y)
{
    if (y < 0) {
        return 0;
    }
    if (y >= 31 * 65536) {
        return (uint32_t)1 << 31;
    }
    uint32_t i = (uint32_t)y >> 10 & 63u;
    uint32_t r = (uint32_t)y & 1023u;
    uint32_t v = tt_fixed_exp2_table[i] + ((step(tt_fixed_exp2_table, i) * r + 512u) >> 10);
    return (uint32_t)(((uint64_t)v << (y >> 16)) >> 15);
}
