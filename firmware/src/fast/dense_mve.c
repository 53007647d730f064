/* Fast FULLY_CONNECTED with the vector extension: four output channels at a time. */
#include "mve.h"

#if TT_KERNELS_MVE

/* Sums of four channels, whose weights begin at w0 to w3, over a depth of `head` (1 to 16) and then
 * `parts` times 16. Sums are in even registers, which is what vmladava takes; q0: input, q1 to q4:
 * weights. */
static inline int32x4_t multiply(const int8_t *x, const int8_t *w0, const int8_t *w1,
                                 const int8_t *w2, const int8_t *w3, int32_t head, int32_t parts)
{
    int32_t s0, s1, s2, s3;
    __asm volatile("vctp.8 %[head]\n\t"
                   "vpstttt\n\t"
                   "vldrbt.u8 q0, [%[x]]\n\t"
                   "vldrbt.u8 q1, [%[w0]]\n\t"
                   "vldrbt.u8 q2, [%[w1]]\n\t"
                   "vldrbt.u8 q3, [%[w2]]\n\t"
                   "vpst\n\t"
                   "vldrbt.u8 q4, [%[w3]]\n\t"
                   "vmladav.s8 %[s0], q0, q1\n\t"
                   "add %[x], %[x], %[head]\n\t"
                   "vmladav.s8 %[s1], q0, q2\n\t"
                   "add %[w0], %[w0], %[head]\n\t"
                   "vmladav.s8 %[s2], q0, q3\n\t"
                   "add %[w1], %[w1], %[head]\n\t"
                   "vmladav.s8 %[s3], q0, q4\n\t"
                   "add %[w2], %[w2], %[head]\n\t"
                   "add %[w3], %[w3], %[head]\n\t"
                   "wls lr, %[parts], 2f\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[x]], #16\n\t"
                   "vldrb.8 q1, [%[w0]], #16\n\t"
                   "vmladava.s8 %[s0], q0, q1\n\t"
                   "vldrb.8 q2, [%[w1]], #16\n\t"
                   "vmladava.s8 %[s1], q0, q2\n\t"
                   "vldrb.8 q3, [%[w2]], #16\n\t"
                   "vmladava.s8 %[s2], q0, q3\n\t"
                   "vldrb.8 q4, [%[w3]], #16\n\t"
                   "vmladava.s8 %[s3], q0, q4\n\t"
                   "le lr, 1b\n"
                   "2:\n\t"
                   : [x] "+r"(x), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3),
                     [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3)
                   : [head] "r"(head), [parts] "r"(parts)
                   : "q0", "q1", "q2", "q3", "q4", "lr", "p0", "cc", "memory");
    return tt_lanes_of(s0, s1, s2, s3);
}

static void row(const tt_fast_dense *p, const int8_t *input, int8_t *output)
{
    int32_t depth = p->input_depth;
    int32_t parts = (depth - 1) / TT_LANES;
    int32x4_t low = vdupq_n_s32(p->activation_min);
    int32x4_t high = vdupq_n_s32(p->activation_max);
    const int8_t *w0 = p->weights;
    const tt_channel *channels = p->channels;
    for (int32_t left = p->output_depth; left > 0; left -= 4) {
        mve_pred16_t present = vctp32q((uint32_t)left);
        /* The weights of channels that are not there are the last one's. */
        const int8_t *w1 = left > 1 ? w0 + depth : w0;
        const int8_t *w2 = left > 2 ? w1 + depth : w1;
        const int8_t *w3 = left > 3 ? w2 + depth : w2;
        int32x4_t sums = multiply(input, w0, w1, w2, w3, depth - parts * TT_LANES, parts);
        tt_four_channels four = tt_load_channels(channels, 1, present);
        int32x4_t out = vminq_s32(vmaxq_s32(tt_scale_lanes(&four, sums), low), high);
        vstrbq_p_s32(output, out, present);
        output += 4;
        channels += 4;
        w0 = w3 + depth;
    }
}

void tt_fast_fully_connected(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                             void *scratch)
{
    (void)scratch;
    for (int32_t i = 0; i < p->rows; i++) {
        row(p, input, output);
        input += p->input_depth;
        output += p->output_depth;
    }
}

#endif
