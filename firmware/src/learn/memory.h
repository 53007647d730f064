/* The memory of labelled samples. The rules stand in firmware/LEARNING.md, section 6 ("Store");
 * tinytrain/emulator/memory.py computes the same. */
#ifndef TINYTRAIN_MEMORY_H
#define TINYTRAIN_MEMORY_H

#include <stdint.h>

#include "tinytrain/learner.h"

#define TT_NOWHERE 0xffffu

static inline uint32_t tt_memory_index(const tt_memory *memory, uint16_t label, uint16_t place)
{
    return (uint32_t)label * memory->rules->slots + place;
}

static inline const int8_t *tt_memory_sample(const tt_memory *memory, uint16_t label,
                                             uint16_t place)
{
    return memory->samples + (size_t)tt_memory_index(memory, label, place) * memory->features;
}

/* Forgets everything. */
void tt_memory_clear(tt_memory *memory);

/* Counts a sample; the place where it is to be held aside, or TT_NOWHERE. */
uint16_t tt_memory_offer(tt_memory *memory, uint16_t label);

/* The place of a sample that is not held, by a reservoir, or TT_NOWHERE. */
uint16_t tt_memory_reserve(tt_memory *memory, uint16_t label, uint32_t step);

void tt_memory_write(tt_memory *memory, uint16_t label, uint16_t place, const int8_t *features,
                     uint8_t state, uint16_t guess);

/* The first place of a class that is put aside with this guess, or TT_NOWHERE. */
uint16_t tt_memory_confirmation(const tt_memory *memory, uint16_t label, uint16_t guess);

/* The class and place of the sample that is replayed `turn`-th in a step; 0 where there is none. */
int32_t tt_memory_replayed(const tt_memory *memory, uint16_t classes, uint32_t step, uint16_t turn,
                           uint16_t *label, uint16_t *place);

#endif
