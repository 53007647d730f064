/* Start-up and faults of the Cortex-M targets under QEMU.
 *
 * The stack lies at the bottom of the RAM: a stack that grows too deep leaves the RAM, and the
 * fault handler reports it, instead of overwriting variables unseen. Where the board answers below
 * its RAM, the memory protection unit forbids it.
 */
#include <stdint.h>
#include <string.h>

#include "port.h"
#include "semihosting.h"
#include "target.h"

/* By the linker script. */
extern uint32_t tt_stack_bottom[];
extern uint32_t tt_stack_top[];
extern uint32_t tt_data_start[];
extern uint32_t tt_data_end[];
extern const uint32_t tt_data_load[];
extern uint32_t tt_bss_start[];
extern uint32_t tt_bss_end[];

extern int main(void);

void tt_start(void);
void tt_report_fault(uint32_t stack_pointer);

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CONFIGURATION_CONTROL REGISTER(0xe000ed14u)
#define FAULT_STATUS REGISTER(0xe000ed28u)
#define COPROCESSOR_ACCESS REGISTER(0xe000ed88u)
#define PROTECTION_CONTROL REGISTER(0xe000ed94u)
#define PROTECTION_NUMBER REGISTER(0xe000ed98u)
#define PROTECTION_BASE REGISTER(0xe000ed9cu)
#define PROTECTION_ATTRIBUTES REGISTER(0xe000eda0u)

#define TRAP_UNALIGNED (1u << 3)
#define LOW_OVERHEAD_LOOPS (1u << 19)

/* A region of 2^(26 + 1) bytes without access, as ARMv7-M encodes it; elsewhere nothing changes. */
#define GUARD_BYTES (1u << 27)
#define GUARD_ATTRIBUTES (26u << 1 | 1u)
#define PROTECTION_ON_BACKGROUND 5u

/* What a faulted program exits with. */
#define FAULT_EXIT 70

__attribute__((noinline)) static void enable_features(void)
{
#if TT_GUARD_STACK
    PROTECTION_NUMBER = 0;
    PROTECTION_BASE = (uint32_t)tt_stack_bottom - GUARD_BYTES;
    PROTECTION_ATTRIBUTES = GUARD_ATTRIBUTES;
    PROTECTION_CONTROL = PROTECTION_ON_BACKGROUND;
#endif
#if TT_TRAP_UNALIGNED
    CONFIGURATION_CONTROL |= TRAP_UNALIGNED;
#endif
#if defined(__ARM_FEATURE_MVE)
    CONFIGURATION_CONTROL |= LOW_OVERHEAD_LOOPS;
#endif
#if defined(__ARM_FP)
    COPROCESSOR_ACCESS |= 0xfu << 20;
#endif
    __asm volatile("dsb\n isb" ::: "memory");
}

static size_t bytes_between(const uint32_t *start, const uint32_t *end)
{
    return (size_t)((uintptr_t)end - (uintptr_t)start);
}

/* A function of its own, so that no floating-point register is touched before they are enabled. */
__attribute__((noinline, noreturn)) static void run(void)
{
    memcpy(tt_data_start, tt_data_load, bytes_between(tt_data_start, tt_data_end));
    memset(tt_bss_start, 0, bytes_between(tt_bss_start, tt_bss_end));
    tt_port_exit(main());
}

void tt_start(void)
{
    enable_features();
    run();
}

/* Takes a fresh stack: the fault may be that there is none left. */
__attribute__((naked)) static void fault(void)
{
    __asm volatile("mov r0, sp\n"
                   "ldr r1, =tt_stack_top\n"
                   "mov sp, r1\n"
                   "bl tt_report_fault\n");
}

static void print_word(const char *label, uint32_t word)
{
    char text[] = " 0x00000000";
    for (size_t i = 0; i < 8; i++) {
        text[10 - i] = "0123456789abcdef"[(word >> (4 * i)) & 15u];
    }
    semihosting_call(SYS_WRITE0, label);
    semihosting_call(SYS_WRITE0, text);
}

void tt_report_fault(uint32_t stack_pointer)
{
    /* The exception frame: r0 to r3, r12, lr, pc, xpsr. */
    const uint32_t frame_words = 8;
    const uint32_t bottom = (uint32_t)tt_stack_bottom;
    const uint32_t top = (uint32_t)tt_stack_top;
    semihosting_call(SYS_WRITE0, "device: hard fault");
    if (stack_pointer < bottom) {
        semihosting_call(SYS_WRITE0, ", stack overflow");
    } else if (stack_pointer <= top - 4 * frame_words) {
        print_word(" at pc", ((const uint32_t *)stack_pointer)[6]);
    }
    print_word(", fault status", FAULT_STATUS);
    semihosting_call(SYS_WRITE0, "\n");
    tt_port_exit(FAULT_EXIT);
}

/* Stack pointer, reset, NMI, hard fault; the other faults are not enabled and end there, too. */
__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    tt_stack_top,        (const void *)tt_start, (const void *)fault, (const void *)fault,
    (const void *)fault, (const void *)fault,    (const void *)fault, (const void *)fault,
    (const void *)fault, (const void *)fault,    (const void *)fault, (const void *)fault,
    (const void *)fault, (const void *)fault,    (const void *)fault, (const void *)fault,
};
