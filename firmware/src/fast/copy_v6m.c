/* Copying for ARMv6-M, where small C libraries copy byte by byte. */
#include "v6m.h"

#if TT_KERNELS_V6M

/* r0 to, r1 from, r2 bytes left; r3 to r6 data. */
/* clang-format off */
__asm(TT_V6M_FUNCTION("tt_v6m_copy")
    "   movs    r3, r0\n"
    "   orrs    r3, r1\n"
    "   lsls    r3, r3, #30\n"
    "   bne     4f\n"
    "   subs    r2, #16\n"
    "   blt     2f\n"
    "   push    {r4, r5, r6, lr}\n"
    "1: ldmia   r1!, {r3, r4, r5, r6}\n"
    "   stmia   r0!, {r3, r4, r5, r6}\n"
    "   subs    r2, #16\n"
    "   bge     1b\n"
    "   pop     {r4, r5, r6}\n"
    "   pop     {r3}\n"
    "   mov     lr, r3\n"
    "2: adds    r2, #12\n"
    "   blt     3f\n"
    "7: ldmia   r1!, {r3}\n"
    "   stmia   r0!, {r3}\n"
    "   subs    r2, #4\n"
    "   bge     7b\n"
    "3: adds    r2, #4\n"
    "4: subs    r2, #4\n" /* byte by byte */
    "   blt     6f\n"
    "5: ldrb    r3, [r1]\n"
    "   strb    r3, [r0]\n"
    "   ldrb    r3, [r1, #1]\n"
    "   strb    r3, [r0, #1]\n"
    "   ldrb    r3, [r1, #2]\n"
    "   strb    r3, [r0, #2]\n"
    "   ldrb    r3, [r1, #3]\n"
    "   strb    r3, [r0, #3]\n"
    "   adds    r1, #4\n"
    "   adds    r0, #4\n"
    "   subs    r2, #4\n"
    "   bge     5b\n"
    "6: adds    r2, #3\n" /* the last bytes from the end */
    "   blt     9f\n"
    "8: ldrb    r3, [r1, r2]\n"
    "   strb    r3, [r0, r2]\n"
    "   subs    r2, #1\n"
    "   bge     8b\n"
    "9: bx      lr\n"
    TT_V6M_END("tt_v6m_copy"));
/* clang-format on */

#endif
