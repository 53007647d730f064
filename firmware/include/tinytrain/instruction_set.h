/* Which kernels a build gets: by what the compiler is told of the processor, never by hand.
 *
 * TT_USE_PORTABLE leaves the extensions unused. TT_USE_DSP and TT_USE_MVE, for whoever wants to be
 * sure of them, stop the build where the processor lacks them.
 */
#ifndef TINYTRAIN_INSTRUCTION_SET_H
#define TINYTRAIN_INSTRUCTION_SET_H

#if defined(__GNUC__) && defined(__ARM_FEATURE_MVE)
#define TT_HAS_MVE 1
#endif
#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define TT_HAS_DSP 1
#endif

#if defined(TT_USE_MVE) && !defined(TT_HAS_MVE)
#error "TT_USE_MVE (KERNELS=mve): this processor has no vector extension; mend -mcpu or leave it"
#endif
#if defined(TT_USE_DSP) && !defined(TT_HAS_DSP)
#error "TT_USE_DSP (KERNELS=dsp): this processor has no DSP extension; mend -mcpu or leave it"
#endif

#if defined(TT_USE_PORTABLE)
#define TT_KERNELS_PORTABLE 1
#elif defined(TT_HAS_MVE) && !defined(TT_USE_DSP)
#define TT_KERNELS_MVE 1
#elif defined(TT_HAS_DSP)
#define TT_KERNELS_DSP 1
#elif defined(__GNUC__) && (defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__))
/* ARMv8-M's baseline (Cortex-M23) has all instructions of ARMv6-M. */
#define TT_KERNELS_V6M 1
#else
#define TT_KERNELS_PORTABLE 1
#endif

/* The numbers of tinytrain/variants/instruction_set.py. */
#if defined(TT_KERNELS_DSP)
#define TT_INSTRUCTION_SET 1
#elif defined(TT_KERNELS_MVE)
#define TT_INSTRUCTION_SET 2
#elif defined(TT_KERNELS_V6M)
#define TT_INSTRUCTION_SET 3
#else
#define TT_INSTRUCTION_SET 0
#endif

#endif
