"""C text for numbers, arrays and parameter structs."""

from __future__ import annotations

import struct
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.operators.kernel import Parameters
from tinytrain.variants.instruction_set import InstructionSet

C_TYPES = {
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "float32": "float",
}


@dataclass(frozen=True, eq=False)
class ConstantArray:
    """An array in flash."""

    name: str
    data: npt.NDArray[np.generic]

    behind: int = 0
    """Bytes that may be read behind it; it begins on a word then."""
    dsp: npt.NDArray[np.generic] | None = None
    """What it holds where the DSP extension is used, if that is something else."""

    @property
    def definition(self) -> str:
        plain = self._definition(self.data)
        if self.dsp is None:
            return plain
        return f"#if TT_KERNELS_DSP\n{self._definition(self.dsp)}\n#else\n{plain}\n#endif"

    def _definition(self, data: npt.NDArray[np.generic]) -> str:
        kind = "tt_channel" if data.dtype.names else C_TYPES[data.dtype.name]
        place = " TT_ON_WORD" if self.behind else ""
        size = data.size + self.behind
        return f"static const {kind} {self.name}[{size}]{place} = {{\n{_values(data)}\n}};"


@dataclass(frozen=True, eq=False)
class ConstantBlock:
    """A stretch of flash that a device can read back, and what has to be there."""

    name: str
    pointer: str
    """C for its address."""
    data: bytes
    layout: str
    """Of the items: a numpy type for arrays, a format of Python's struct for structs."""
    labels: tuple[str, ...] = ()
    """What each item is called; empty for an array."""
    behind: int = 0
    """Bytes of the array that come after it."""
    dsp: ConstantBlock | None = None
    """What is in its place where the DSP extension is used, if that is something else."""

    def on(self, instruction_set: InstructionSet) -> ConstantBlock:
        """What has to be there on a device with these kernels."""
        return self.dsp if self.dsp and instruction_set is InstructionSet.DSP else self

    @property
    def size(self) -> str:
        """C for its bytes."""
        alike = self.dsp is None or len(self.dsp.data) == len(self.data)
        if alike:
            return str(len(self.data))
        return f"sizeof {self.pointer}" + (f" - {self.behind}" if self.behind else "")

    def items(self, data: bytes) -> npt.NDArray[Any]:
        """The numbers in what was read back."""
        if self.labels:
            return np.array(struct.unpack(self.layout, data))
        return np.frombuffer(data, self.layout)

    def describe(self, item: int) -> str:
        """An item as messages name it."""
        return f"{self.name}.{self.labels[item]}" if self.labels else f"{self.name}[{item}]"


@dataclass(frozen=True)
class ConstantStruct:
    """A parameters struct in flash, with designated initializers."""

    name: str
    type: str
    members: tuple[tuple[str, str], ...]
    runs: tuple[ConstantBlock, ...]
    """Its numbers: a block for each run of them without a pointer or struct in between."""
    constant: bool = True
    """False: in RAM, where pointers to other arrays may take the places of these."""

    @property
    def declaration(self) -> str:
        return f"static {'const ' if self.constant else ''}{self.type} {self.name}"

    @property
    def initializer(self) -> str:
        """For a struct inside another."""
        return "{" + ", ".join(f".{member} = {value}" for member, value in self.members) + "}"


def _values(data: npt.NDArray[np.generic]) -> str:
    return wrapped(_literal(value) for value in data.reshape(-1).tolist())


def wrapped(items: Iterable[str]) -> str:
    """Items separated by commas, in lines of at most 100 columns."""
    # An item with spaces in it, a struct, stays in one line.
    text = ", ".join(item.replace(" ", "\0") for item in items)
    lines = textwrap.wrap(text, 96, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines).replace("\0", " ")


def _literal(value: int | float | tuple[int, ...]) -> str:
    """INT32_MIN has no literal in C: its digits are out of range before the sign applies. A tuple
    is a struct.
    """
    if isinstance(value, tuple):
        return "{" + ", ".join(map(_literal, value)) + "}"
    if isinstance(value, float):
        return float_literal(value)
    return "INT32_MIN" if value == -(1 << 31) else str(value)


def float_literal(value: float) -> str:
    """A float32 in nine digits, which read back as the same one; hexadecimal ones came to C++ with
    its version 17 only."""
    digits = f"{value:.9g}"
    return f"{digits}f" if "." in digits or "e" in digits else f"{digits}.0f"


def constants_of(
    parameters: Parameters, prefix: str, place: str = ""
) -> tuple[list[ConstantArray], ConstantStruct]:
    """The arrays and the struct that hold a parameters dataclass; names start with `prefix`.

    An empty array is NULL; parameters inside parameters are a struct inside the struct, at `place`.
    """
    place = place or prefix
    arrays: list[ConstantArray] = []
    members: list[tuple[str, str]] = []
    runs: list[ConstantBlock] = []
    numbers: dict[str, int | float] = {}
    for field in fields(parameters):  # type: ignore[arg-type]
        value = getattr(parameters, field.name)
        name = f"{prefix}_{field.name}"
        if isinstance(value, int | float):
            members.append((field.name, _literal(value)))
            numbers[field.name] = value
            continue
        runs += _run(parameters, place, numbers)
        numbers = {}
        if isinstance(value, Parameters):
            found, inner = constants_of(value, name, f"{place}.{field.name}")
            arrays += found
            runs += inner.runs
            members.append((field.name, inner.initializer))
        else:
            arrays += [ConstantArray(name, value)] if value.size else []
            members.append((field.name, name if value.size else "NULL"))
    runs += _run(parameters, place, numbers)
    return arrays, ConstantStruct(prefix, parameters.structure, tuple(members), tuple(runs))


def struct_of(
    name: str, kind: str, pointers: Iterable[tuple[str, str]], numbers: Mapping[str, int]
) -> ConstantStruct:
    """A struct of pointers and, side by side, int32 or uint32 below 2^31."""
    members = (*pointers, *((member, str(value)) for member, value in numbers.items()))
    layout = f"<{len(numbers)}i"
    data = struct.pack(layout, *numbers.values())
    run = ConstantBlock(name, f"&{name}.{next(iter(numbers))}", data, layout, tuple(numbers))
    return ConstantStruct(name, kind, members, (run,))


def _run(
    parameters: Parameters, place: str, numbers: dict[str, int | float]
) -> list[ConstantBlock]:
    """Neighbouring numbers of a struct; all are 4 bytes, but for the short ones, of which an odd
    number is followed by 2 bytes of padding."""
    if not numbers:
        return []
    layout = "<"
    for name, value in numbers.items():
        short = name in parameters.short
        if not short and struct.calcsize(layout) % 4:
            layout += "2x"
        layout += "H" if short else "f" if isinstance(value, float) else "i"
    data = struct.pack(layout, *numbers.values())
    return [ConstantBlock(place, f"&{place}.{next(iter(numbers))}", data, layout, tuple(numbers))]
