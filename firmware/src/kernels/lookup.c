/* Functions of one int8, by table, portable. */
#include "tinytrain/kernels.h"

void tt_lookup(const tt_table *p, const int8_t *input, int8_t *output)
{
    for (int32_t i = 0; i < p->elements; i++) {
        output[i] = p->values[input[i] + 128];
    }
}
