/* The analytic head as a learner takes it: apart, so that a learner without one links none of it.
 */
#include "tinytrain/learner.h"

const tt_lda_functions tt_lda_head = {
    .init = tt_lda_init,
    .reset = tt_lda_reset,
    .add = tt_lda_add,
    .row = tt_lda_row,
    .row_without = tt_lda_row_without,
    .solve_start = tt_lda_solve_start,
    .solve_slice = tt_lda_solve_slice,
};
