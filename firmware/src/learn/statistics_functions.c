/* Statistics as a served application takes them: apart, so that a model that names no layers links
 * none of it. */
#include "tinytrain/statistics.h"

const tt_statistics_functions tt_statistics_renewal = {
    .observe = tt_statistics_observe,
    .judge = tt_statistics_judge,
    .undo = tt_statistics_undo,
    .restore = tt_statistics_restore,
    .trace = tt_statistics_trace,
};
