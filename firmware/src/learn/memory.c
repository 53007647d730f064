/* The memory of labelled samples: class by class, a reservoir behind the places for held ones. */
#include "memory.h"

#include <stddef.h>
#include <string.h>

#include "tinytrain/arithmetic.h"

#define SEEN_LIMIT 0xffffu

void tt_memory_clear(tt_memory *memory)
{
    size_t places = (size_t)memory->capacity * memory->rules->slots;
    memset(memory->samples, 0, places * memory->features);
    memset(memory->state, TT_SLOT_EMPTY, places);
    memset(memory->guess, 0, places * sizeof *memory->guess);
    memset(memory->stored, 0, memory->capacity);
    memset(memory->seen, 0, memory->capacity * sizeof *memory->seen);
    memset(memory->offered, 0, memory->capacity * sizeof *memory->offered);
}

uint16_t tt_memory_offer(tt_memory *memory, uint16_t label)
{
    const tt_learner_constants *rules = memory->rules;
    uint16_t before = memory->offered[label];
    memory->offered[label] = (uint16_t)(before + 1u);
    if (rules->hold_every == 0 || before % rules->hold_every != rules->hold_every - 1) {
        return TT_NOWHERE;
    }
    return (uint16_t)(before / rules->hold_every % rules->held);
}

uint16_t tt_memory_reserve(tt_memory *memory, uint16_t label, uint32_t step)
{
    const tt_learner_constants *rules = memory->rules;
    uint32_t room = (uint32_t)rules->slots - rules->held;
    uint32_t stored = memory->stored[label];
    if (memory->seen[label] < SEEN_LIMIT) {
        memory->seen[label]++;
    }
    if (stored < room) {
        memory->stored[label]++;
        return (uint16_t)(rules->held + stored);
    }
    uint32_t drawn = tt_choose(tt_hash((uint32_t)rules->seed + 1u, step), memory->seen[label]);
    return (uint16_t)(drawn < room ? rules->held + drawn : TT_NOWHERE);
}

void tt_memory_write(tt_memory *memory, uint16_t label, uint16_t place, const int8_t *features,
                     uint8_t state, uint16_t guess)
{
    if (place == TT_NOWHERE) {
        return;
    }
    size_t index = tt_memory_index(memory, label, place);
    memcpy(memory->samples + index * memory->features, features, memory->features);
    memory->state[index] = state;
    memory->guess[index] = guess;
}

uint16_t tt_memory_confirmation(const tt_memory *memory, uint16_t label, uint16_t guess)
{
    for (uint16_t place = 0; place < memory->rules->slots; place++) {
        size_t index = tt_memory_index(memory, label, place);
        if (memory->state[index] == TT_SLOT_ASIDE && memory->guess[index] == guess) {
            return place;
        }
    }
    return TT_NOWHERE;
}

int32_t tt_memory_replayed(const tt_memory *memory, uint16_t classes, uint32_t step, uint16_t turn,
                           uint16_t *label, uint16_t *place)
{
    const tt_learner_constants *rules = memory->rules;
    uint32_t counter = step * 256u + turn;
    uint32_t row = tt_choose(tt_hash((uint32_t)rules->seed, counter), classes);
    uint16_t tried = 0;
    while (memory->stored[row] == 0) {
        if (++tried == classes) {
            return 0;
        }
        row = row + 1u == classes ? 0u : row + 1u;
    }
    uint32_t drawn = tt_choose(tt_hash(~(uint32_t)rules->seed, counter), memory->stored[row]);
    *label = (uint16_t)row;
    *place = (uint16_t)(rules->held + drawn);
    return memory->state[tt_memory_index(memory, *label, *place)] == TT_SLOT_LEARNED;
}
