/* What test programs behind a link share: whole messages over the port. */
#ifndef TINYTRAIN_TESTS_EXCHANGE_H
#define TINYTRAIN_TESTS_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "port.h"

/* `bytes` from the link; ends the program where it closes before. */
static inline void receive(void *place, size_t bytes)
{
    uint8_t *next = place;
    while (bytes > 0) {
        size_t count = tt_port_read(next, bytes);
        if (count == 0) {
            tt_port_exit(2);
        }
        next += count;
        bytes -= count;
    }
}

static inline void send(const void *place, size_t bytes)
{
    tt_port_write(place, bytes);
}

#endif
