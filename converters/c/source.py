"""C text for numbers, arrays and parameter structs."""

from __future__ import annotations

import struct
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.operators.kernel import Parameters

C_TYPES = {
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "uint8": "uint8_t",
    "float32": "float",
}


@dataclass(frozen=True, eq=False)
class ConstantArray:
    """An array in flash."""

    name: str
    data: npt.NDArray[np.generic]

    @property
    def declaration(self) -> str:
        return f"static const {C_TYPES[self.data.dtype.name]} {self.name}[{self.data.size}]"

    @property
    def values(self) -> str:
        return wrapped(_literal(value) for value in self.data.reshape(-1).tolist())


@dataclass(frozen=True)
class ConstantStruct:
    """A parameters struct in flash, with designated initializers: numbers first, then pointers."""

    name: str
    type: str
    members: tuple[tuple[str, str], ...]
    scalars: tuple[tuple[str, int], ...]
    """The members that are numbers."""
    layout: str
    """Of those, as a format of Python's struct."""

    @property
    def size_of_scalars(self) -> str:
        """C for the bytes in front of the first pointer."""
        if len(self.scalars) == len(self.members):
            return f"sizeof {self.name}"
        return f"offsetof({self.type}, {self.members[len(self.scalars)][0]})"


@dataclass(frozen=True, eq=False)
class ConstantBlock:
    """A stretch of flash that a device can read back, and what has to be there."""

    name: str
    pointer: str
    """C for its address."""
    size: str
    """C for its bytes."""
    data: bytes
    layout: str
    """Of the items: a numpy type for arrays, a format of Python's struct for structs."""
    labels: tuple[str, ...] = ()
    """What each item is called; empty for an array."""

    def items(self, data: bytes) -> npt.NDArray[Any]:
        """The numbers in what was read back."""
        if self.labels:
            return np.array(struct.unpack(self.layout, data), np.int64)
        return np.frombuffer(data, self.layout)

    def describe(self, item: int) -> str:
        """An item as messages name it."""
        return f"{self.name}.{self.labels[item]}" if self.labels else f"{self.name}[{item}]"


def wrapped(items: Iterable[str]) -> str:
    """Items separated by commas, in lines of at most 100 columns."""
    return "\n".join(
        textwrap.wrap(", ".join(items), 96, initial_indent="    ", subsequent_indent="    ")
    )


def _literal(value: int) -> str:
    """INT32_MIN has no literal in C: its digits are out of range before the sign applies."""
    return "INT32_MIN" if value == -(1 << 31) else str(value)


def constants_of(parameters: Parameters, prefix: str) -> tuple[list[ConstantArray], ConstantStruct]:
    """The arrays and the struct that hold a parameters dataclass; names start with `prefix`."""
    arrays: list[ConstantArray] = []
    members: list[tuple[str, str]] = []
    scalars: list[tuple[str, int]] = []
    for field in fields(parameters):  # type: ignore[arg-type]
        value = getattr(parameters, field.name)
        if isinstance(value, np.ndarray):
            arrays.append(ConstantArray(f"{prefix}_{field.name}", value))
            members.append((field.name, arrays[-1].name))
        else:
            members.append((field.name, _literal(value)))
            scalars.append((field.name, value))
    layout = "<" + "".join("H" if name in parameters.short else "i" for name, _ in scalars)
    structure = parameters.structure
    return arrays, ConstantStruct(prefix, structure, tuple(members), tuple(scalars), layout)
