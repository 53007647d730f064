"""Cycles that a Cortex-M4 would take, modelled: executed instructions by their timings.

Runs functions of a built firmware in `unicorn`, counts how often each basic block is executed and
left by a jump, and adds up what its instructions take by the Cortex-M4 technical reference manual
(Arm 100166, instruction set summary) at zero wait states. A board with flash wait states takes
about 1.3 times as long.

Needs the extra `bench`.
"""

from __future__ import annotations

import importlib.util
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tinytrain.device.interface import Array
from tinytrain.errors import InputError
from tinytrain.model import Model

MODELLED = "cortex-m4"
"""The target whose firmware is run."""
EXTRA = "pip install 'tinytrain[bench]'"

FLASH_BYTES = RAM_BYTES = 8 << 20
RAM = 0x2000_0000
UNUSED = RAM + (4 << 20)
"""RAM behind what the linker script gives the program."""
STACK_BYTES = 64 << 10
STACK_TOP = RAM + RAM_BYTES
ARGUMENT_BYTES = 64
"""Of the arguments that a called function finds on its stack."""
RETURN = 0x60_0000
"""Where a called function returns to: unused flash."""
DEVICE_BYTES = 4096
"""More than a tt_device has."""
HEAD_BYTES = 1 << 20
"""More than any learning head takes."""


@dataclass(frozen=True)
class Call:
    """What a call gave and took."""

    result: int
    """r0"""
    instructions: int
    cycles: int


@dataclass(frozen=True)
class Inference:
    """One inference, and each of its operators by a call of its own."""

    total: Call
    operators: tuple[Call, ...]
    output: bytes
    """The model's outputs."""


def can_model() -> bool:
    """Whether the extra is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("unicorn", "capstone"))


def model_inference(elf: Path, model: Model, sample: Array) -> Inference:
    """Runs one inference of a firmware built for MODELLED, `sample` being the model's inputs.

    Counts what a device counts, the operators without loading inputs and storing outputs. Raises
    InputError without the extra.
    """
    firmware = Firmware(elf)
    device, head = firmware.reserve(DEVICE_BYTES), firmware.reserve(HEAD_BYTES)
    inputs, arena_bytes = firmware.reserve(model.input_bytes), model.memory.arena_bytes
    arena = firmware.reserve(arena_bytes)
    firmware.write(inputs, sample.tobytes())
    run, place = f"{model.name}_run", firmware.symbols[f"{model.name}_model"]

    def load() -> None:
        """The state before an inference, variables included."""
        status = firmware.call("tt_init", device, place, arena, arena_bytes, head, HEAD_BYTES)
        assert status.result == 0, f"tt_init gave {status.result:#x}"
        firmware.call("tt_load_input", device, inputs)

    load()
    operators = tuple(firmware.call(run, arena, i, i + 1) for i in range(len(model.kernels)))
    load()
    total = firmware.call(run, arena, 0, len(model.kernels))
    output = b"".join(
        firmware.read(arena + model.memory.placements[tensor].offset, found.bytes)
        for tensor, found in zip(model.graph.outputs, model.outputs, strict=True)
    )
    return Inference(total, operators, output)


class Firmware:
    """A linked program in memory, whose functions can be called by name. None of it has run: its
    data are as the linker left them, and the stack is not its own."""

    def __init__(self, elf: Path) -> None:
        if not can_model():
            raise InputError(f"modelled cycles need unicorn and capstone: {EXTRA}")
        from unicorn import UC_ARCH_ARM, UC_HOOK_BLOCK, UC_MODE_MCLASS, UC_MODE_THUMB, Uc, arm_const

        self._registers = arm_const
        self._machine = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self._machine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        self._machine.mem_map(0, FLASH_BYTES)
        self._machine.mem_map(RAM, RAM_BYTES)
        image = _output("arm-none-eabi-objcopy", "-O", "binary", elf, "/dev/stdout")
        self._machine.mem_write(0, image)
        listed = map(str.split, _output("arm-none-eabi-nm", elf).decode().splitlines())
        self.symbols = {fields[-1]: int(fields[0], 16) for fields in listed if len(fields) == 3}
        self._copy_data()
        self._free = UNUSED
        self._blocks: Counter[tuple[int, int]] = Counter()
        self._taken = 0
        self._next = 0
        """The end of the last block: to begin elsewhere is to jump."""
        self._machine.hook_add(UC_HOOK_BLOCK, self._count)

    def reserve(self, size: int) -> int:
        """The address of so many bytes that nothing else uses, on a multiple of 16."""
        address = self._free
        self._free += -(-size // 16) * 16
        assert self._free <= STACK_TOP - STACK_BYTES, "out of emulated RAM"
        return address

    def write(self, address: int, data: bytes) -> None:
        self._machine.mem_write(address, data)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self._machine.mem_read(address, size))

    def call(self, function: str, *arguments: int) -> Call:
        """Calls a function with words: four in registers, more on the stack."""
        start = self.symbols[function] & ~1
        self._blocks.clear()
        self._taken, self._next = 0, start
        names = self._registers
        stack = STACK_TOP - ARGUMENT_BYTES
        first = (names.UC_ARM_REG_R0, names.UC_ARM_REG_R1, names.UC_ARM_REG_R2, names.UC_ARM_REG_R3)
        for register, value in zip(first, arguments, strict=False):
            self._machine.reg_write(register, value)
        for place, value in enumerate(arguments[len(first) :]):
            self.write(stack + 4 * place, value.to_bytes(4, "little"))
        self._machine.reg_write(names.UC_ARM_REG_SP, stack)
        self._machine.reg_write(names.UC_ARM_REG_LR, RETURN | 1)
        self._machine.emu_start(start | 1, RETURN)
        return self._called()

    def _copy_data(self) -> None:
        """What start-up code does first: initialized variables into RAM. The rest of it is zero."""
        names = ("tt_data_start", "tt_data_end", "tt_data_load")
        if all(name in self.symbols for name in names):
            start, end, load = (self.symbols[name] for name in names)
            self.write(start, self.read(load, end - start))

    def _count(self, machine: Any, address: int, size: int, data: Any) -> None:
        del machine, data
        self._blocks[address, size] += 1
        self._taken += address != self._next
        self._next = address + size

    def _called(self) -> Call:
        instructions = cycles = 0
        for (address, size), times in self._blocks.items():
            code = list(self._decoder.disasm(self.read(address, size), address))
            instructions += times * len(code)
            cycles += times * sum(timings(code))
        # The return is a jump, too, to where no block follows.
        cycles += TAKEN_CYCLES * (self._taken + 1)
        result = self._machine.reg_read(self._registers.UC_ARM_REG_R0)
        return Call(result, instructions, cycles)

    @cached_property
    def _decoder(self) -> Any:
        from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs

        return Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)


def _output(*command: object) -> bytes:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True).stdout


class Instruction(Protocol):
    """A decoded instruction, as capstone gives it."""

    mnemonic: str
    """Such as ldr.w or vmla.f32."""
    op_str: str


TAKEN_CYCLES = 2
"""More, where a branch is taken, of whatever kind: calls, returns, loads of the program counter."""
CYCLES = {
    **dict.fromkeys(("udiv", "sdiv"), 6),
    **dict.fromkeys(("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms"), 3),
    **dict.fromkeys(("vdiv", "vsqrt"), 14),
}
"""By the start of a name, which a condition may follow; everything else that touches no memory: 1.
"""
SEVERAL = ("ldm", "stm", "push", "pop", "vldm", "vstm", "vpush", "vpop")
MEMORY = ("ldr", "str", "vldr", "vstr", *SEVERAL)


def timings(block: Iterable[Instruction]) -> Iterator[int]:
    """Cycles of each instruction of a basic block, but for the branch at its end."""
    after_memory = False
    for code in block:
        name = code.mnemonic.split(".")[0]
        in_memory = name.startswith(MEMORY)
        if in_memory:
            yield _memory_cycles(name, code.op_str, after_memory)
        else:
            yield next((n for start, n in CYCLES.items() if name.startswith(start)), 1)
        after_memory = in_memory


def _memory_cycles(name: str, operands: str, after_memory: bool) -> int:
    """Of a load or store; the first of several in a row waits for its address."""
    if name.startswith(SEVERAL):
        # Of ldm and stm the address comes first.
        registers = operands.rsplit("{", maxsplit=1)[-1]
        return 1 + (registers.count(",") + 1) * (2 if registers.startswith("d") else 1)
    if name.startswith(("ldrd", "strd")) or (name[0] == "v" and operands.startswith("d")):
        return 2 if after_memory else 3
    return 2 if "ldr" in name and not after_memory else 1
