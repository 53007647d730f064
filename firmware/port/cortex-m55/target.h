/* What is particular to QEMU's mps3-an547 as a Cortex-M55. */
#ifndef TINYTRAIN_TARGET_H
#define TINYTRAIN_TARGET_H

#include "timer.h"

/* System counter, 32 MHz; its CMSDK timers always read 0. */
#define TT_TIMER TT_TIMER_SSE
#define TT_TIMER_ADDRESS 0x58100000u

/* Instructions of 64 ns in TT_TICKS ticks: 64 / 31.25 = 256 / 125. */
#define TT_INSTRUCTIONS 125u
#define TT_TICKS 256u

/* The compiler uses unaligned accesses, which this core allows. */
#define TT_TRAP_UNALIGNED 0

/* This board faults below its RAM. */
#define TT_GUARD_STACK 0

#endif
