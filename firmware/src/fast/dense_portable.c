/* Fast FULLY_CONNECTED in portable C: four outputs at a time, which share the input's bytes. */
#include "dense.h"

#if TT_KERNELS_PORTABLE

enum {
    GROUP = 4,
};

/* Four rows of weights, and the sums of their products. */
typedef struct group {
    const int8_t *weights[GROUP];
    int32_t sum[GROUP];
} group;

static inline void add_products(group *g, int32_t x, int32_t i)
{
    g->sum[0] += g->weights[0][i] * x;
    g->sum[1] += g->weights[1][i] * x;
    g->sum[2] += g->weights[2][i] * x;
    g->sum[3] += g->weights[3][i] * x;
}

static inline void skip(group *g, int32_t count)
{
    g->weights[0] += count;
    g->weights[1] += count;
    g->weights[2] += count;
    g->weights[3] += count;
}

static inline void add_all_products(group *g, const int8_t *input, int32_t depth)
{
    for (; depth >= 4; depth -= 4) {
        add_products(g, input[0], 0);
        add_products(g, input[1], 1);
        add_products(g, input[2], 2);
        add_products(g, input[3], 3);
        input += 4;
        skip(g, 4);
    }
    for (; depth > 0; depth--) {
        add_products(g, *input++, 0);
        skip(g, 1);
    }
}

/* One vector. A last group of less than four takes its last row several times. Apart from the loop
 * over vectors, for a Cortex-M has registers for just this. */
#if defined(__GNUC__)
__attribute__((noinline))
#endif
static void
multiply(const tt_fast_dense *p, const int8_t *input, int8_t *output)
{
    int32_t depth = p->input_depth;
    const int8_t *weights = p->weights;
    for (int32_t o = 0; o < p->output_depth; o += GROUP) {
        int32_t count = tt_min(p->output_depth - o, GROUP);
        int32_t second = tt_min(1, count - 1) * depth;
        int32_t third = tt_min(2, count - 1) * depth;
        int32_t fourth = (count - 1) * depth;
        group g = {{weights, weights + second, weights + third, weights + fourth}, {0, 0, 0, 0}};
        add_all_products(&g, input, depth);
        /* A copy: an array that is indexed by a variable would not lie in registers above. */
        const int32_t sum[GROUP] = {g.sum[0], g.sum[1], g.sum[2], g.sum[3]};
        for (int32_t i = 0; i < count; i++) {
            const tt_channel *channel = &p->channels[o + i];
            *output++ = tt_channel_output(channel, sum[i] + channel->start, p->activation_min,
                                          p->activation_max);
        }
        weights += GROUP * depth;
    }
}

void tt_fast_fully_connected(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                             void *scratch)
{
    (void)scratch;
    tt_each_vector(p, input, output, multiply);
}

#endif
