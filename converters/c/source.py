"""C text for numbers, arrays and parameter structs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, fields

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
    """A parameters struct in flash, with designated initializers."""

    name: str
    type: str
    members: tuple[tuple[str, str], ...]

    @property
    def initializer(self) -> str:
        """For a struct inside another."""
        return "{" + ", ".join(f".{member} = {value}" for member, value in self.members) + "}"


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
    for field in fields(parameters):  # type: ignore[arg-type]
        value = getattr(parameters, field.name)
        name = f"{prefix}_{field.name}"
        if isinstance(value, Parameters):
            found, struct = constants_of(value, name)
            arrays += found
            members.append((field.name, struct.initializer))
        elif isinstance(value, np.ndarray):
            arrays += [ConstantArray(name, value)] if value.size else []
            members.append((field.name, name if value.size else "NULL"))
        else:
            members.append((field.name, _literal(value)))
    return arrays, ConstantStruct(prefix, parameters.structure, tuple(members))
