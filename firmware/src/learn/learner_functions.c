/* The learner as a device takes it: apart, so that a model with a plain head links none of it. */
#include "tinytrain/learner.h"

const tt_learner_functions tt_learner_head = {
    .place = tt_learner_place,
    .reset = tt_learner_reset,
    .classify = tt_learner_classify,
    .observe = tt_learner_observe,
    .learn = tt_learner_learn,
    .start_work = tt_learner_start_work,
    .work = tt_learner_work,
    .add_class = tt_learner_add_class,
    .roll_back = tt_learner_roll_back,
    .new_day = tt_learner_new_day,
    .region = tt_learner_region,
    .export_bytes = tt_learner_export_bytes,
    .export_state = tt_learner_export,
    .import_state = tt_learner_import,
    .export_part = tt_learner_export_part,
    .import_begin = tt_learner_import_begin,
    .import_write = tt_learner_import_write,
    .import_end = tt_learner_import_end,
};
