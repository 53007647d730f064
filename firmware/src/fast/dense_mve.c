/* Fast FULLY_CONNECTED with the vector extension: four output channels at a time share the input.
 */
#include "dense.h"
#include "mve.h"

#if TT_KERNELS_MVE

#define GROUP 4

/* What the assembly works on, and its order there. A depth is `parts` whole vectors behind a first
 * one, which ends with the lanes of `present`; so that addresses go on by whole vectors, they begin
 * `absent` bytes early. */
typedef struct job {
    uint32_t input;
    int32_t parts;
    int32_t absent;
    int32_t depth;
    int8_t *end; /* of the output */
    int32_t present;
    int32_t low;
    int32_t high;
    uint32_t channels[GROUP]; /* addresses, less a group */
} job;

/* Outputs up to the job's end, of which there are at least one and whole groups.
 *
 * r5, r7, r9, r1: weights; r4, r6, r8, r10: sums, which vmladava takes in even registers only;
 * r0: output; r11: input; r12: job; lr: parts to come; r2, r3: passing.
 * q0: input, then sums; q1 to q3: weights; q4: addresses of the channels; q5, q6: low, high.
 * VPR: the lanes present in the first part. */
#define UNNAMED __attribute__((unused))
__attribute__((naked, noipa)) static void
outputs(UNNAMED const job *j, UNNAMED const int8_t *weights, UNNAMED int8_t *output)
{
    __asm volatile("push {r3-r11, lr}\n\t"
                   "vpush {d8-d13}\n\t"
                   "mov r12, r0\n\t"
                   "mov r0, r2\n\t"
                   "ldrd r2, r3, [r12, #20]\n\t"
                   "vmsr p0, r2\n\t"
                   "vdup.32 q5, r3\n\t"
                   "ldr r2, [r12, #28]\n\t"
                   "vdup.32 q6, r2\n\t"
                   "vldrw.u32 q4, [r12, #32]\n"
                   "1:\n\t"
                   "ldrd r2, r3, [r12, #8]\n\t"
                   "sub r5, r1, r2\n\t"
                   "add r7, r5, r3\n\t"
                   "add r9, r7, r3\n\t"
                   "add r1, r9, r3\n\t"
                   "ldrd r11, r3, [r12]\n\t"
                   "vpstttt\n\t"
                   "vldrbt.u8 q0, [r11], #16\n\t"
                   "vldrbt.u8 q1, [r5], #16\n\t"
                   "vldrbt.u8 q2, [r7], #16\n\t"
                   "vldrbt.u8 q3, [r9], #16\n\t"
                   "vmladav.s8 r4, q0, q1\n\t"
                   "vpst\n\t"
                   "vldrbt.u8 q1, [r1], #16\n\t"
                   "vmladav.s8 r6, q0, q2\n\t"
                   "vmladav.s8 r8, q0, q3\n\t"
                   "vmladav.s8 r10, q0, q1\n\t"
                   "wls lr, r3, 3f\n"
                   "2:\n\t"
                   "vldrb.8 q0, [r11], #16\n\t"
                   "vldrb.8 q1, [r5], #16\n\t"
                   "vmladava.s8 r4, q0, q1\n\t"
                   "vldrb.8 q2, [r7], #16\n\t"
                   "vmladava.s8 r6, q0, q2\n\t"
                   "vldrb.8 q3, [r9], #16\n\t"
                   "vmladava.s8 r8, q0, q3\n\t"
                   "vldrb.8 q1, [r1], #16\n\t"
                   "vmladava.s8 r10, q0, q1\n\t"
                   "le lr, 2b\n"
                   "3:\n\t"
                   "vmov q0[2], q0[0], r4, r8\n\t"
                   "vmov q0[3], q0[1], r6, r10\n\t"
                   /* tt_channel_output, with a channel a lane. */
                   "vldrw.u32 q1, [q4, #64]!\n\t"
                   "vadd.i32 q0, q0, q1\n\t"
                   "vldrw.u32 q2, [q4, #4]\n\t"
                   "vqrdmulh.s32 q2, q0, q2\n\t"
                   "vldrw.u32 q1, [q4, #8]\n\t"
                   "vshr.s32 q0, q0, #31\n\t"
                   "vadd.i32 q1, q1, q2\n\t"
                   "vldrw.u32 q3, [q4, #12]\n\t"
                   "vadd.i32 q0, q0, q1\n\t"
                   "vneg.s32 q3, q3\n\t"
                   "vshl.s32 q0, q0, q3\n\t"
                   "vmax.s32 q0, q0, q5\n\t"
                   "vmin.s32 q0, q0, q6\n\t"
                   "vstrb.32 q0, [r0], #4\n\t"
                   "ldr r2, [r12, #16]\n\t"
                   "cmp r0, r2\n\t"
                   "blo 1b\n\t"
                   "vpop {d8-d13}\n\t"
                   "pop {r3-r11, pc}\n\t");
}

static void set_job(const tt_fast_dense *p, const int8_t *input, job *j)
{
    j->depth = p->input_depth;
    j->parts = (j->depth - 1) / TT_LANES;
    j->absent = (j->parts + 1) * TT_LANES - j->depth;
    j->present = (int32_t)(0xffffu & (0xffffu << j->absent));
    j->input = (uint32_t)(uintptr_t)input - (uint32_t)j->absent;
    j->low = p->activation_min;
    j->high = p->activation_max;
}

/* `count` outputs from output o on. */
static void run(const tt_fast_dense *p, job *j, int32_t o, int32_t count, int8_t *output)
{
    const tt_channel *channels = p->channels + o;
    for (uint32_t i = 0; i < GROUP; i++) {
        j->channels[i] = (uint32_t)(uintptr_t)channels + (i - GROUP) * (uint32_t)sizeof *channels;
    }
    j->end = output + o + count;
    outputs(j, p->weights + (ptrdiff_t)o * p->input_depth, output + o);
}

/* Fewer outputs than a group. */
static void few(const tt_fast_dense *p, const int8_t *input, int8_t *output)
{
    const int8_t *weights = p->weights;
    for (int32_t o = 0; o < p->output_depth; o++) {
        int32_t sum = p->channels[o].start;
        for (int32_t i = 0; i < p->input_depth; i += TT_LANES) {
            mve_pred16_t present = vctp8q((uint32_t)(p->input_depth - i));
            sum = vmladavaq_s8(sum, vldrbq_z_s8(weights + i, present),
                               vldrbq_z_s8(input + i, present));
        }
        *output++ = tt_channel_output(&p->channels[o], sum, p->activation_min, p->activation_max);
        weights += p->input_depth;
    }
}

/* The last group takes some outputs once more. */
static void multiply_vector(const tt_fast_dense *p, const int8_t *input, int8_t *output)
{
    int32_t rest = p->output_depth % GROUP;
    if (p->output_depth < GROUP) {
        few(p, input, output);
        return;
    }
    job j;
    set_job(p, input, &j);
    run(p, &j, 0, p->output_depth - rest, output);
    if (rest > 0) {
        run(p, &j, p->output_depth - GROUP, GROUP, output);
    }
}

void tt_fast_fully_connected(const tt_fast_dense *p, const int8_t *input, int8_t *output,
                             void *scratch)
{
    (void)scratch;
    tt_each_vector(p, input, output, multiply_vector);
}

#endif
