/* The text of every status code. */
#include "tinytrain/status.h"

#define TT_STATUS_CASE(name, value, text)                                                          \
    case name:                                                                                     \
        return text;

const char *tt_status_text(int32_t status)
{
    switch (status) {
        TT_STATUS_LIST(TT_STATUS_CASE)
    default:
        return "unknown status";
    }
}
