/* What all front ends have in common. */
#include "tinytrain/frontend.h"

#include <string.h>

#define ALIGNMENT 8u

int32_t tt_frontend_init(tt_frontend_state *state, const tt_frontend *frontend, tt_ring *ring,
                         void *memory, size_t bytes)
{
    int32_t needed = frontend->audio != NULL ? frontend->audio->window : 1;
    if ((uintptr_t)memory % ALIGNMENT != 0u || bytes < (size_t)frontend->bytes) {
        return TT_ERROR_MEMORY;
    }
    if (ring->channels != frontend->channels || ring->capacity <= needed) {
        return TT_ERROR_RANGE;
    }
    memset(state, 0, sizeof *state);
    state->frontend = frontend;
    state->ring = ring;
    frontend->functions->lay_out(state, memory);
    tt_frontend_reset(state);
    return TT_OK;
}

int32_t tt_frontend_next(tt_frontend_state *state, int8_t *features)
{
    return state->frontend->functions->next(state, features);
}

void tt_frontend_reset(tt_frontend_state *state)
{
    tt_ring_drop(state->ring, tt_ring_waiting(state->ring));
    state->frontend->functions->reset(state);
}
