/* What is particular to QEMU's mps2-an385 as a Cortex-M0. */
#ifndef TINYTRAIN_TARGET_H
#define TINYTRAIN_TARGET_H

#include "timer.h"

/* Timer 0, 25 MHz; wraps after 2.7e9 instructions. */
#define TT_TIMER TT_TIMER_CMSDK
#define TT_TIMER_ADDRESS 0x40000000u

/* Instructions of 64 ns in TT_TICKS ticks: 64 / 40 = 8 / 5. */
#define TT_INSTRUCTIONS 5u
#define TT_TICKS 8u

/* A Cortex-M0 faults at an unaligned access; so shall this one. */
#define TT_TRAP_UNALIGNED 1

/* This board ignores what is written below its RAM, and reads 0 there. */
#define TT_GUARD_STACK 1

#endif
