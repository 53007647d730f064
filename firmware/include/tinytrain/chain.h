/* A chain of convolutions and additions that runs row by row, so that what lies between them is
 * never whole.
 *
 * Its links are in an order in which each reads only those before it: first the tensors that are
 * whole in the arena while the chain runs, then the operators, of which the last one makes the
 * chain's output. A step goes on by a few rows of the operator with the most, and makes what is not
 * there yet of all that this part of the output takes. Each operator but the last has a buffer of
 * some rows in the arena, where the oldest make room for new ones. Nothing is computed twice.
 *
 * The converter chooses the chain, the rows a step and the buffers (tinytrain/plan/chains.py, which
 * follows the same steps), and with them how far the output may overlap the whole tensors.
 */
#ifndef TINYTRAIN_CHAIN_H
#define TINYTRAIN_CHAIN_H

#include <stdint.h>

#include "tinytrain/fast_kernels.h"
#include "tinytrain/kernels.h"

typedef void tt_rows_kernel(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                            int8_t *output, void *scratch);
typedef void tt_elements_kernel(const tt_addition *p, const int8_t *input1, const int8_t *input2,
                                int8_t *output, int32_t count);

/* A convolution, an addition of two tensors of one shape, or, without inputs, a whole tensor. */
typedef struct tt_link {
    const tt_fast_convolution *convolution; /* NULL: none */
    tt_rows_kernel *convolution_kernel;
    const tt_addition *addition;
    tt_elements_kernel *addition_kernel;
    int32_t input[2]; /* the links that it reads, before it; -1 for none */
    uint32_t offset;  /* of what it makes, or is, in the arena; on a word */
    int32_t rows;     /* that there is room for: all of a whole tensor and of the last link */
    int32_t row_bytes;
} tt_link;

typedef struct tt_chain {
    int32_t links;       /* at least 2 */
    int32_t rows;        /* that the operator with the most makes in a step */
    int32_t parts;       /* of a row: as many rows of that operator go into a row of the output */
    int32_t start;       /* in parts of a row of the output, where the first step starts; up to 0 */
    const tt_link *link; /* [links] */
} tt_chain;

/* How far a link is. */
typedef struct tt_link_rows {
    int32_t first; /* the one at the buffer's start */
    int32_t made;  /* those before it are made, or nobody needs them */
    int32_t keep;  /* those before it are not needed any more */
    int32_t begin; /* this step makes rows begin to end - 1 */
    int32_t end;
    int32_t wanted; /* how far it has to be, in parts of a row; below 0 before the first */
} tt_link_rows;

/* rows: [links], to work in. scratch: as much as the most that one of the convolutions
 * asks for; NULL without any. */
void tt_run_chain(const tt_chain *chain, tt_link_rows *rows, uint8_t *arena, void *scratch);

#endif
