/* What the files of the learner share: learner.c, learner_rows.c, learner_work.c, learner_state.c,
 * learner_check.c. */
#ifndef TINYTRAIN_LEARNER_SHARED_H
#define TINYTRAIN_LEARNER_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "tinytrain/learner.h"

/* The stages of work. */
enum {
    STAGE_IDLE,
    STAGE_JUDGE_AGAIN,
    STAGE_SOLVE,
    STAGE_JUDGE,
    STAGE_DECIDE
};

/* Logits of the loaded input by the factory's rows, from flash; returns the class. */
uint16_t tt_learner_forward_factory(tt_head *head);

/* The candidate's answer to the loaded input: logits, probabilities, class. */
uint16_t tt_learner_forward_candidate(tt_learner *learner);

/* Loads a stored sample; returns the candidate's class for it. */
uint16_t tt_learner_recall(tt_learner *learner, uint16_t label, uint16_t place);

/* Head learn of the sample of a place, which was recalled; it becomes LEARNED. */
void tt_learner_learn_stored(tt_learner *learner, uint16_t label, uint16_t place);

/* Folds the lower `width` bytes of `count` values into the trace. */
void tt_learner_fold_numbers(tt_learner *learner, const int32_t *values, size_t count,
                             size_t width);

/* A class whose row answers nothing until its first sample. */
void tt_learner_add_inert_class(tt_rows *rows, uint16_t features);

/* All rows of memory, with their units and classes. */
void tt_learner_copy_rows(const tt_learner *learner, tt_rows *to, const tt_rows *from);

/* The active rows become the newest version. */
void tt_learner_keep_version(tt_learner *learner);

/* Begins the work where `least` samples have been learned since the last. */
void tt_learner_begin_work(tt_learner *learner, uint32_t least);

/* Whether regions and counters, as they were taken over, are a state that a learner can have. */
int32_t tt_learner_state_fits(const tt_learner *learner);

#endif
