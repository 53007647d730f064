"""A reader of FlatBuffers that trusts nothing: every offset is checked before it is followed.

The format is described in the FlatBuffers project's "internals" document: a root offset; tables
that point back to a vtable of field offsets; vectors with a length in front; everything
little-endian. Reading is on demand, and cost is bounded by what the caller asks for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError

_FORMATS = {
    "i8": "<b",
    "u8": "<B",
    "i32": "<i",
    "u32": "<I",
    "u64": "<Q",
    "f32": "<f",
    "bool": "<B",
}
_VECTORS: dict[str, np.dtype[Any]] = {
    "u8": np.dtype("<u1"),
    "i32": np.dtype("<i4"),
    "i64": np.dtype("<i8"),
    "f32": np.dtype("<f4"),
    "u32": np.dtype("<u4"),
}
_SIZES = {name: struct.calcsize(form) for name, form in _FORMATS.items()}


@dataclass(frozen=True)
class Table:
    """A table at `position` of `data`; `name` says where it stands, for messages."""

    data: memoryview
    position: int
    vtable: int
    vtable_bytes: int
    table_bytes: int
    name: str

    def scalar(self, slot: int, kind: str, default: int | float) -> int | float:
        """The field in `slot`, or `default` where it is absent."""
        at = self._field(slot, _SIZES[kind])
        if at is None:
            return default
        value: int | float = struct.unpack_from(_FORMATS[kind], self.data, at)[0]
        if kind == "f32" and not isfinite(value):
            raise self._broken(slot, "is not a finite number")
        return value

    def integer(self, slot: int, kind: str, default: int = 0) -> int:
        return int(self.scalar(slot, kind, default))

    def string(self, slot: int, limit: int) -> str:
        """The first `limit` bytes of a text; what is not printable becomes a question mark."""
        found = self._vector(slot, 1)
        if found is None:
            return ""
        start, length = found
        text = bytes(self.data[start : start + min(length, limit)]).decode("utf-8", "replace")
        return "".join(c if c.isprintable() else "?" for c in text)

    def text(self, slot: int, limit: int) -> str:
        """A text whose every byte counts: at most `limit` bytes of printable UTF-8."""
        found = self._vector(slot, 1)
        if found is None:
            return ""
        start, length = found
        if length > limit:
            raise InputError(f"{self.name}: field {slot} has {length} bytes, more than {limit}")
        try:
            text = bytes(self.data[start : start + length]).decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if not text.isprintable():
            raise self._broken(slot, "is no printable text")
        return text

    def array(self, slot: int, kind: str) -> npt.NDArray[np.generic] | None:
        """A vector of numbers as a read-only view of the file, or None where it is absent."""
        dtype = _VECTORS[kind]
        found = self._vector(slot, dtype.itemsize)
        if found is None:
            return None
        start, length = found
        return np.frombuffer(self.data, dtype, count=length, offset=start)

    def table(self, slot: int, name: str) -> Table | None:
        at = self._field(slot, 4)
        return None if at is None else _table(self.data, self._follow(at, slot), name)

    def tables(self, slot: int, name: str, limit: int) -> list[Table]:
        """A vector of tables, at most `limit`."""
        found = self._vector(slot, 4)
        if found is None:
            return []
        start, length = found
        if length > limit:
            raise self._broken(slot, f"has {length} entries, more than {limit}")
        return [
            _table(self.data, self._follow(start + 4 * i, slot), f"{name} {i}")
            for i in range(length)
        ]

    def _field(self, slot: int, size: int) -> int | None:
        entry = 4 + 2 * slot
        if entry + 2 > self.vtable_bytes:
            return None
        offset = int(struct.unpack_from("<H", self.data, self.vtable + entry)[0])
        if offset == 0:
            return None
        if offset < 4 or offset + size > self.table_bytes:
            raise self._broken(slot, "lies outside its table")
        return self.position + offset

    def _follow(self, at: int, slot: int) -> int:
        target = at + int(struct.unpack_from("<I", self.data, at)[0])
        if target + 4 > len(self.data):
            raise self._broken(slot, "points outside the file")
        return target

    def _vector(self, slot: int, item: int) -> tuple[int, int] | None:
        at = self._field(slot, 4)
        if at is None:
            return None
        start = self._follow(at, slot)
        length = int(struct.unpack_from("<I", self.data, start)[0])
        if start + 4 + length * item > len(self.data):
            raise self._broken(slot, f"has {length} entries and runs over the end of the file")
        return start + 4, length

    def _broken(self, slot: int, what: str) -> InputError:
        return InputError(f"{self.name}: field {slot} {what}; the file is damaged")


def root(data: bytes, identifier: bytes, name: str) -> Table:
    """The root table of a file that bears `identifier` (4 bytes) behind the root offset."""
    if len(data) < 8 or data[4:8] != identifier:
        raise InputError(f"{name}: not a {identifier.decode()} file (its identifier is missing)")
    return _table(memoryview(data), int(struct.unpack_from("<I", data, 0)[0]), name)


def _table(data: memoryview, position: int, name: str) -> Table:
    if position + 4 > len(data):
        raise InputError(f"{name}: its table lies outside the file; the file is damaged")
    vtable = position - int(struct.unpack_from("<i", data, position)[0])
    if not 0 <= vtable <= len(data) - 4:
        raise InputError(f"{name}: its field index lies outside the file; the file is damaged")
    vtable_bytes, table_bytes = struct.unpack_from("<HH", data, vtable)
    if vtable_bytes < 4 or vtable + vtable_bytes > len(data) or position + table_bytes > len(data):
        raise InputError(f"{name}: its fields run over the end of the file; the file is damaged")
    return Table(data, position, vtable, vtable_bytes, table_bytes, name)
