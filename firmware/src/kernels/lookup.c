/* Functions of one byte, by table, portable. */
#include "tinytrain/kernels.h"

void tt_lookup(const tt_table *p, const void *input, void *output)
{
    const uint8_t *values = p->values;
    const uint8_t *x = input;
    uint8_t *y = output;
    for (int32_t i = 0; i < p->elements; i++) {
        y[i] = values[x[i]];
    }
}
