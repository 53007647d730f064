"""Cycles that a Cortex-M4 would take for a call, modelled: executed instructions by their timings.

Runs functions of a built firmware in `unicorn`, counts how often each basic block is executed and
left by a jump, and adds up what its instructions take by the Cortex-M4 technical reference manual
(Arm 100166, instruction set summary) at zero wait states. A board with flash wait states takes
about 1.3 times as long.

Needs the extra `bench`: pip install 'tinytrain[bench]'.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs, CsInsn
from unicorn import UC_ARCH_ARM, UC_HOOK_BLOCK, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn import arm_const as arm

FLASH_BYTES = RAM_BYTES = 8 << 20
RAM = 0x2000_0000
STACK_TOP = RAM + RAM_BYTES
RETURN = 0x60_0000
"""Where a called function returns to: unused flash."""

ARGUMENTS = (arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3)


@dataclass(frozen=True)
class Call:
    """What a call gave and took."""

    result: int
    """r0"""
    instructions: int
    cycles: int


class Firmware:
    """A linked program in memory, whose functions can be called by name."""

    def __init__(self, elf: Path) -> None:
        self._machine = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self._machine.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        self._machine.mem_map(0, FLASH_BYTES)
        self._machine.mem_map(RAM, RAM_BYTES)
        image = elf.with_suffix(".bin")
        subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", elf, image], check=True)
        self._machine.mem_write(0, image.read_bytes())
        names = subprocess.run(
            ["arm-none-eabi-nm", elf], check=True, capture_output=True, text=True
        )
        self.symbols = {
            fields[-1]: int(fields[0], 16)
            for fields in map(str.split, names.stdout.splitlines())
            if len(fields) == 3
        }
        self._blocks: Counter[tuple[int, int]] = Counter()
        self._taken = 0
        self._next = 0
        """The end of the last block: to begin elsewhere is to jump."""
        self._machine.hook_add(UC_HOOK_BLOCK, self._count)

    def write(self, address: int, data: bytes) -> None:
        self._machine.mem_write(address, data)

    def call(self, function: str, *arguments: int) -> Call:
        """Calls a function with words: four in registers, more on the stack."""
        self._blocks.clear()
        self._taken, self._next = 0, self.symbols[function] & ~1
        stack = STACK_TOP - 64
        for register, value in zip(ARGUMENTS, arguments, strict=False):
            self._machine.reg_write(register, value)
        for place, value in enumerate(arguments[len(ARGUMENTS) :]):
            self._machine.mem_write(stack + 4 * place, value.to_bytes(4, "little"))
        self._machine.reg_write(arm.UC_ARM_REG_SP, stack)
        self._machine.reg_write(arm.UC_ARM_REG_LR, RETURN | 1)
        self._machine.emu_start(self.symbols[function] & ~1 | 1, RETURN)
        return self._called()

    def _count(self, machine: Any, address: int, size: int, data: Any) -> None:
        del machine, data
        self._blocks[address, size] += 1
        self._taken += address != self._next
        self._next = address + size

    def _called(self) -> Call:
        instructions = cycles = 0
        for (address, size), times in self._blocks.items():
            code = list(self._decoder.disasm(bytes(self._machine.mem_read(address, size)), address))
            instructions += times * len(code)
            cycles += times * sum(timings(code))
        result = self._machine.reg_read(arm.UC_ARM_REG_R0)
        return Call(result, instructions, cycles + TAKEN_CYCLES * self._taken)

    @cached_property
    def _decoder(self) -> Cs:
        return Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)


DIVIDE_CYCLES = 6
TAKEN_CYCLES = 2
"""More, where a branch is taken."""


def timings(block: list[CsInsn]) -> Iterator[int]:
    """Cycles of each instruction of a basic block, but for the branch at its end."""
    after_memory = False
    for code in block:
        name = code.mnemonic.split(".")[0]
        several = name.startswith(("ldm", "stm", "push", "pop"))
        if several:
            # Of ldm and stm the address comes first.
            yield 1 + code.op_str.split("{")[-1].count(",") + 1
        elif name.startswith(("ldrd", "strd")):
            yield 2 if after_memory else 3
        elif name.startswith("ldr"):
            yield 1 if after_memory else 2
        else:
            yield DIVIDE_CYCLES if name in ("udiv", "sdiv") else 1
        after_memory = several or name.startswith(("ldr", "str"))
