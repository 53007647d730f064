"""C text for numbers, arrays and parameter structs."""

from __future__ import annotations

import struct
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.operators.kernel import Parameters

C_TYPES = {
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
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
    """A parameters struct in flash, with designated initializers: numbers, then all else."""

    name: str
    type: str
    members: tuple[tuple[str, str], ...]
    scalars: tuple[tuple[str, int | float], ...]
    """The members that are numbers."""
    layout: str
    """Of those, as a format of Python's struct."""
    inner: tuple[ConstantStruct, ...] = ()
    """The structs inside it, by their C names, such as outer.inner."""

    @property
    def initializer(self) -> str:
        """For a struct inside another."""
        return "{" + ", ".join(f".{member} = {value}" for member, value in self.members) + "}"

    @property
    def size_of_scalars(self) -> str:
        """C for the bytes in front of the first member that is no number."""
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
            return np.array(struct.unpack(self.layout, data))
        return np.frombuffer(data, self.layout)

    def describe(self, item: int) -> str:
        """An item as messages name it."""
        return f"{self.name}.{self.labels[item]}" if self.labels else f"{self.name}[{item}]"


def wrapped(items: Iterable[str]) -> str:
    """Items separated by commas, in lines of at most 100 columns."""
    return "\n".join(
        textwrap.wrap(", ".join(items), 96, initial_indent="    ", subsequent_indent="    ")
    )


def _literal(value: int | float) -> str:
    """INT32_MIN has no literal in C: its digits are out of range before the sign applies. Floats
    are written in hexadecimal, which loses nothing.
    """
    if isinstance(value, float):
        return f"{value.hex()}f"
    return "INT32_MIN" if value == -(1 << 31) else str(value)


def constants_of(parameters: Parameters, prefix: str) -> tuple[list[ConstantArray], ConstantStruct]:
    """The arrays and the struct that hold a parameters dataclass; names start with `prefix`.

    An empty array is NULL; parameters inside parameters are a struct inside the struct.
    """
    arrays: list[ConstantArray] = []
    members: list[tuple[str, str]] = []
    scalars: list[tuple[str, int | float]] = []
    inner: list[ConstantStruct] = []
    for field in fields(parameters):  # type: ignore[arg-type]
        value = getattr(parameters, field.name)
        name = f"{prefix}_{field.name}"
        if isinstance(value, Parameters):
            found, within = constants_of(value, name)
            arrays += found
            inner.append(replace(within, name=f"{prefix}.{field.name}"))
            members.append((field.name, within.initializer))
        elif isinstance(value, np.ndarray):
            arrays += [ConstantArray(name, value)] if value.size else []
            members.append((field.name, name if value.size else "NULL"))
        else:
            members.append((field.name, _literal(value)))
            scalars.append((field.name, value))
    layout = "<" + "".join(_format(parameters, name, value) for name, value in scalars)
    kind = parameters.structure
    return arrays, ConstantStruct(
        prefix, kind, tuple(members), tuple(scalars), layout, tuple(inner)
    )


def _format(parameters: Parameters, name: str, value: int | float) -> str:
    """A number as Python's struct has it."""
    if isinstance(value, float):
        return "f"
    return "H" if name in parameters.short else "i"
