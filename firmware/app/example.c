/* Learning in your own firmware, from the first call to the last: copy what you need.
 *
 * It is no part of the device application. `make example` in a project builds and runs it; it says
 * what each call returned, and exits with 0 where all of it is as this file says.
 */
#include <stdbool.h>
#include <string.h>

#include "golden.h"
#include "model.h"
#include "port.h"
#include "tinytrain/tinytrain.h"

#if TT_MODEL_CLASSES == 0
#error "this model has no learning head (its last layer is no FULLY_CONNECTED): nothing to learn"
#endif

/* A plain head, without [learner] in the task file, has no state to keep. */
#define STATE_BYTES (TT_MODEL_STATE_BYTES > 0 ? TT_MODEL_STATE_BYTES : 1)

static uint32_t arena[(TT_MODEL_ARENA_BYTES + 3) / 4];      /* aligned to 4 */
static uint64_t head_memory[(TT_MODEL_HEAD_BYTES + 7) / 8]; /* aligned to 8 */
static uint8_t state[STATE_BYTES];                          /* yours to write to flash */
static tt_device device;

/* Your sensor: this one plays the project's golden samples, TT_MODEL_INPUT_BYTES each. */
static const void *sense(uint32_t time)
{
    return tt_golden_input[time % TT_GOLDEN_SAMPLES];
}

static void say(const char *what, const char *text)
{
    const char *const parts[] = {what, ": ", text, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        tt_port_write((const uint8_t *)parts[i], strlen(parts[i]));
    }
}

/* Classes and bytes are no errors. */
static void say_done(const char *what, int32_t result)
{
    say(what, tt_status_text(result < 0 ? result : TT_OK));
}

/* Whenever there is time: a slice is bounded, and answers are given between slices, too. */
static void finish_work(void)
{
    while (tt_work(&device) > 0) {
    }
}

/* A sample whose class the user told. Work of the last one comes first: then it is tried again. */
static int32_t correct(const void *input, uint16_t label)
{
    int32_t outcome = tt_learn(&device, input, label);
    if (outcome == TT_ERROR_BUSY) {
        finish_work();
        outcome = tt_learn(&device, input, label);
    }
    return outcome;
}

/* 1 while what the device meets is unlike what it met at first: time to ask the user for labels. */
static bool is_alarmed(void)
{
    return device.learner != NULL && tt_learner_alarm(device.learner) == 1;
}

/* A session with a user who agrees to every answer; the last sample is judged with the others. */
static bool session(void)
{
    int32_t outcome = TT_LEARNED;
    for (uint32_t time = 0; time < 20 && outcome >= 0; time++) {
        int32_t label = tt_observe(&device, sense(time)); /* every sample: drift is followed */
        outcome = label < 0 ? label : correct(sense(time), (uint16_t)label);
    }
    say("session", tt_outcome_text(outcome));
    say("drift", is_alarmed() ? "alarm" : "none");
    tt_end_session(&device);
    finish_work();
    return outcome >= 0;
}

/* A class that nobody foresaw; TT_ERROR_FULL where [head] reserved has no row left for it. */
static bool teach_new_class(void)
{
    finish_work();
    int32_t label = tt_add_class(&device);
    say_done("new class", label);
    if (label < 0) {
        return label == TT_ERROR_FULL;
    }
    int32_t outcome = correct(sense(0), (uint16_t)label);
    say("its first sample", tt_outcome_text(outcome));
    finish_work();
    return outcome >= 0;
}

/* Back to the factory (1 would be the version before the last), and, since all was kept, back
 * again: nothing else undoes a roll-back. tt_export is TT_ERROR_BUSY before the work is finished.
 */
static bool roll_back_and_undo(void)
{
    int32_t kept = tt_export(&device, state, sizeof state);
    say_done("export", kept);
    int32_t status = tt_roll_back(&device, 0);
    say_done("roll back", status);
    if (kept == TT_ERROR_NO_LEARNER) {
        return status == TT_OK;
    }
    int32_t taken = tt_import(&device, state, sizeof state);
    say_done("import", taken);
    return kept == (int32_t)sizeof state && status == TT_OK && taken == TT_OK;
}

int main(void)
{
    int32_t status =
        tt_init(&device, &TT_MODEL, arena, sizeof arena, head_memory, sizeof head_memory);
    say_done("start", status);
    if (status != TT_OK || !session() || !teach_new_class() || !roll_back_and_undo()) {
        return 1;
    }
    if (device.learner != NULL) {
        tt_learner_new_day(device.learner); /* once a day: its budget of steps is whole again */
    }
    return session() ? 0 : 1;
}
