/* What is particular to QEMU's mps2-an505 as a Cortex-M33. */
#ifndef TINYTRAIN_TARGET_H
#define TINYTRAIN_TARGET_H

#include "timer.h"

/* Timer 0, 20 MHz; wraps after 3.3e9 instructions. */
#define TT_TIMER TT_TIMER_CMSDK
#define TT_TIMER_ADDRESS 0x50000000u

/* Instructions of 64 ns in TT_TICKS ticks: 64 / 50 = 32 / 25. */
#define TT_INSTRUCTIONS 25u
#define TT_TICKS 32u

/* The compiler uses unaligned accesses, which this core allows. */
#define TT_TRAP_UNALIGNED 0

/* This board faults below its RAM. */
#define TT_GUARD_STACK 0

#endif
