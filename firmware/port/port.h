/* What the application needs of a machine. One folder beside this file for each target gives it. */
#ifndef TINYTRAIN_PORT_H
#define TINYTRAIN_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The next bytes of the link: waits for at least 1 and returns how many, at most `capacity`; 0 when
 * the link is closed. */
size_t tt_port_read(uint8_t *bytes, size_t capacity);

/* Sends all bytes over the link. */
void tt_port_write(const uint8_t *bytes, size_t count);

/* Ends the program: 0 for success, 1 to 127 for a failure. */
_Noreturn void tt_port_exit(int code);

/* Calls work(context) and counts the instructions that it executed and the bytes of stack that it
 * used at its deepest, without the measuring itself. Returns false where the target has no counter;
 * nothing is called then. */
bool tt_port_measure(void (*work)(void *context), void *context, uint64_t *instructions,
                     uint32_t *stack_bytes);

/* Whether tt_port_measure counts. */
bool tt_port_has_counter(void);

#endif
