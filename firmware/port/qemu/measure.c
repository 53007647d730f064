/* Counting under QEMU: instructions by a timer, stack by painting.
 *
 * With `-icount shift=6` every instruction takes 64 ns of the emulated machine's time, so a timer
 * counts instructions exactly. target.h says which timer and its ticks per instruction. The timer
 * is started anew for each measurement, so that a count does not depend on the instant.
 */
#include "port.h"

#include "target.h"

extern uint32_t tt_stack_bottom[];

#define REGISTER(address) (*(volatile uint32_t *)(address))

#if TT_TIMER == TT_TIMER_CMSDK

/* CMSDK APB timer: counts down 32 bits (Arm DDI 0479, section 4.3). */
#define TIMER_CONTROL REGISTER(TT_TIMER_ADDRESS + 0x0u)
#define TIMER_VALUE REGISTER(TT_TIMER_ADDRESS + 0x4u)
#define TIMER_RELOAD REGISTER(TT_TIMER_ADDRESS + 0x8u)

static inline void start_timer(void)
{
    TIMER_CONTROL = 0;
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CONTROL = 1;
}

static inline uint64_t read_timer(void)
{
    return UINT32_MAX - TIMER_VALUE;
}

#else

/* SSE system counter: counts up 64 bits from where it stands (Arm 101370, memory-mapped counter).
 */
#define COUNTER_CONTROL REGISTER(TT_TIMER_ADDRESS + 0x0u)
#define COUNTER_LOW REGISTER(TT_TIMER_ADDRESS + 0x8u)
#define COUNTER_HIGH REGISTER(TT_TIMER_ADDRESS + 0xcu)

static inline void start_timer(void)
{
    COUNTER_CONTROL = 0;
    COUNTER_LOW = 0;
    COUNTER_HIGH = 0;
    COUNTER_CONTROL = 1;
}

static inline uint64_t read_timer(void)
{
    uint64_t low = COUNTER_LOW; /* first: the instant that counts */
    return low | (uint64_t)COUNTER_HIGH << 32;
}

#endif

#define PAINT 0xc5c5c5c5u

static inline uint32_t *stack_pointer(void)
{
    uint32_t *pointer;
    __asm volatile("mov %0, sp" : "=r"(pointer));
    return pointer;
}

/* Ticks of one call. Not inlined, so that every measurement runs the same instructions. The pointer
 * that receives the depth is written after the scan. */
__attribute__((noinline)) static uint64_t ticks_of(void (*work)(void *context), void *context,
                                                   uint32_t *stack_bytes)
{
    uint32_t *const top = stack_pointer();
    for (volatile uint32_t *word = tt_stack_bottom; word < top; word++) {
        *word = PAINT;
    }
    start_timer();
    work(context);
    uint64_t ticks = read_timer();
    const volatile uint32_t *deepest = tt_stack_bottom;
    while (deepest < top && *deepest == PAINT) {
        deepest++;
    }
    *stack_bytes = (uint32_t)((uintptr_t)top - (uintptr_t)deepest);
    return ticks;
}

/* Ticks are rounded down and there is more than one an instruction, so this is exact. */
static uint64_t instructions_of(uint64_t ticks)
{
    return (ticks * TT_INSTRUCTIONS + TT_TICKS - 1u) / TT_TICKS;
}

static void nothing(void *context)
{
    (void)context;
}

bool tt_port_measure(void (*work)(void *context), void *context, uint64_t *instructions,
                     uint32_t *stack_bytes)
{
    uint32_t unused;
    uint64_t overhead = instructions_of(ticks_of(nothing, NULL, &unused));
    uint64_t total = instructions_of(ticks_of(work, context, stack_bytes));
    *instructions = total - overhead;
    return true;
}

bool tt_port_has_counter(void)
{
    return true;
}
