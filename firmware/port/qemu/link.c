/* The link under QEMU: semihosting on the standard input and output of the QEMU process. */
#include "port.h"

#include "semihosting.h"

/* fopen's modes "rb" and "ab"; appending, because "wb" would cut a file that the output goes to. */
enum {
    MODE_READ = 1,
    MODE_APPEND = 9,
};

#define CLOSED UINT32_MAX

static uint32_t input = CLOSED;
static uint32_t output = CLOSED;

static uint32_t open_file(const char *path, uint32_t path_bytes, uint32_t mode)
{
    const uint32_t arguments[3] = {(uint32_t)path, mode, path_bytes};
    uint32_t handle = semihosting_call(SYS_OPEN, arguments);
    if (handle == CLOSED) {
        semihosting_call(SYS_WRITE0, "device: cannot open its standard input or output\n");
        tt_port_exit(1);
    }
    return handle;
}

size_t tt_port_read(uint8_t *bytes, size_t capacity)
{
    static const char path[] = "/dev/stdin";
    if (input == CLOSED) {
        input = open_file(path, sizeof path - 1, MODE_READ);
    }
    const uint32_t arguments[3] = {input, (uint32_t)bytes, capacity};
    uint32_t missing = semihosting_call(SYS_READ, arguments);
    return missing <= capacity ? capacity - missing : 0;
}

void tt_port_write(const uint8_t *bytes, size_t count)
{
    static const char path[] = "/dev/stdout";
    if (output == CLOSED) {
        output = open_file(path, sizeof path - 1, MODE_APPEND);
    }
    while (count > 0) {
        const uint32_t arguments[3] = {output, (uint32_t)bytes, count};
        uint32_t missing = semihosting_call(SYS_WRITE, arguments);
        if (missing >= count) {
            tt_port_exit(1); /* nobody listens any more */
        }
        bytes += count - missing;
        count = missing;
    }
}

_Noreturn void tt_port_exit(int code)
{
    static const uint32_t application_exit = 0x20026;
    const uint32_t arguments[2] = {application_exit, (uint32_t)code};
    for (;;) {
        semihosting_call(SYS_EXIT_EXTENDED, arguments);
    }
}
