"""The instruction sets that fast kernels have bodies for."""

from enum import IntEnum


class InstructionSet(IntEnum):
    """What a build was compiled for: TT_INSTRUCTION_SET of instruction_set.h."""

    PORTABLE = 0
    DSP = 1
    MVE = 2
    V6M = 3
