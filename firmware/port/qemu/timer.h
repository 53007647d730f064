/* The timers that measure.c knows. */
#ifndef TINYTRAIN_TIMER_H
#define TINYTRAIN_TIMER_H

#define TT_TIMER_CMSDK 1 /* CMSDK APB timer, 32 bits */
#define TT_TIMER_SSE 2   /* system counter of an SSE-300, 64 bits */

#endif
