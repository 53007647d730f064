/* The innermost loop of the plain convolutions, a function of its own: inside their loops there are
 * too few registers for it. */
#include "sums.h"

int32_t tt_dot_product(const int8_t *x, const int8_t *weights, int32_t count, int32_t zero_point)
{
    int32_t sum = 0;
    for (const int8_t *end = x + count; x != end; x++) {
        sum += *weights++ * (*x - zero_point);
    }
    return sum;
}
