/* Arm semihosting: calls that the emulator answers (Arm, "Semihosting for AArch32 and AArch64"). */
#ifndef TINYTRAIN_SEMIHOSTING_H
#define TINYTRAIN_SEMIHOSTING_H

#include <stdint.h>

enum {
    SYS_OPEN = 0x01,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT_EXTENDED = 0x20,
};

static inline uint32_t semihosting_call(uint32_t operation, const void *arguments)
{
    register uint32_t result __asm("r0") = operation;
    register const void *block __asm("r1") = arguments;
    __asm volatile("bkpt 0xab" : "+r"(result) : "r"(block) : "memory");
    return result;
}

#endif
