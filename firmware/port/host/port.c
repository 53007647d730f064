/* The port of the host: the link is the process's standard input and output. */
#include "port.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

size_t tt_port_read(uint8_t *bytes, size_t capacity)
{
    ssize_t count;
    do {
        count = read(STDIN_FILENO, bytes, capacity);
    } while (count < 0 && errno == EINTR);
    return count > 0 ? (size_t)count : 0;
}

void tt_port_write(const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, count);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            tt_port_exit(1); /* nobody listens any more */
        }
        bytes += written;
        count -= (size_t)written;
    }
}

_Noreturn void tt_port_exit(int code)
{
    exit(code);
}

bool tt_port_measure(void (*work)(void *context), void *context, uint64_t *instructions,
                     uint32_t *stack_bytes)
{
    (void)work;
    (void)context;
    (void)instructions;
    (void)stack_bytes;
    return false;
}

bool tt_port_has_counter(void)
{
    return false;
}
