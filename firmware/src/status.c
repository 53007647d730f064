/* The texts of every status code and outcome. */
#include "tinytrain/status.h"

#include "tinytrain/outcome.h"

#define TT_TEXT_CASE(name, value, text)                                                            \
    case name:                                                                                     \
        return text;

const char *tt_status_text(int32_t status)
{
    switch (status) {
        TT_STATUS_LIST(TT_TEXT_CASE)
    default:
        return status > 0 ? "not an error" : "unknown status";
    }
}

const char *tt_outcome_text(int32_t outcome)
{
    switch (outcome) {
        TT_OUTCOME_LIST(TT_TEXT_CASE)
    default:
        return outcome < 0 ? tt_status_text(outcome) : "unknown outcome";
    }
}
