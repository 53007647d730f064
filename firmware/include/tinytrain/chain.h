/* A chain of convolutions that runs row by row, so that what lies between them is never whole.
 *
 * A step makes a few rows of the last layer's output, and of every layer before just the rows that
 * these need and that are not there yet. Each layer but the last has a buffer of some rows in the
 * arena, where the oldest make room for new ones. Nothing is computed twice.
 *
 * The converter chooses the chain, the rows a step and the buffers (tinytrain/plan/chains.py, which
 * follows the same steps), and with them how far the last output may overlap the first input.
 */
#ifndef TINYTRAIN_CHAIN_H
#define TINYTRAIN_CHAIN_H

#include <stdint.h>

#include "tinytrain/fast_kernels.h"

typedef void tt_rows_kernel(const tt_fast_convolution *p, const tt_band *band, const int8_t *input,
                            int8_t *output, void *scratch);

/* A layer, and where its output goes. */
typedef struct tt_link {
    const tt_fast_convolution *layer;
    tt_rows_kernel *kernel;
    uint32_t offset; /* of the buffer in the arena; on a word */
    int32_t rows;    /* of the buffer; of the last link all rows of the output */
} tt_link;

typedef struct tt_chain {
    int32_t links;         /* at least 1 */
    int32_t rows;          /* of the last output, that a step makes */
    uint32_t input_offset; /* of the first layer's whole input in the arena */
    const tt_link *link;   /* [links] */
} tt_chain;

/* How far a link is; rows of its output. */
typedef struct tt_link_rows {
    int32_t first; /* the one at the buffer's start */
    int32_t made;  /* those before it are made, or nobody needs them */
    int32_t keep;  /* those before it are not needed any more */
    int32_t begin; /* this step makes rows begin to end - 1 */
    int32_t end;
} tt_link_rows;

/* rows: [links], to work in. scratch: as much as the most that one of the layers asks for. */
void tt_run_chain(const tt_chain *chain, tt_link_rows *rows, uint8_t *arena, void *scratch);

#endif
