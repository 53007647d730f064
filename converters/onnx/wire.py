"""A look at a protobuf before it is decoded: how many fields it has, all messages together.

A decoder makes an object of some hundred bytes of every empty message, and two bytes are enough to
write one. Format: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from typing import Any

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """Not a protobuf, or one cut off."""


def count_fields(data: bytes, descriptor: Any, limit: int) -> int:
    """Fields in a message of the type that `descriptor` (of protobuf) describes, and in those
    inside it; stops beyond `limit`.
    """
    count = 0
    waiting = [(0, len(data), descriptor)]
    while waiting and count <= limit:
        at, end, kind = waiting.pop()
        while at < end and count <= limit:
            key, at = _varint(data, at, end)
            start, at = _value(data, at, end, key & 7)
            field = kind.fields_by_number.get(key >> 3)
            if field is not None and field.message_type is not None and key & 7 == DELIMITED:
                waiting.append((start, at, field.message_type))
            count += 1
    return count


def _value(data: bytes, at: int, end: int, wire: int) -> tuple[int, int]:
    """Where a value's content starts and ends."""
    if wire == VARINT:
        return at, _varint(data, at, end)[1]
    length = {FIXED64: 8, FIXED32: 4}.get(wire)
    if wire == DELIMITED:
        length, at = _varint(data, at, end)
    if length is None or length > end - at:
        raise WireError("a field runs over its end")
    return at, at + length


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of 7 bits a byte, lowest first, and where it ends."""
    value = 0
    for place in range(at, min(end, at + 10)):
        value |= (data[place] & 0x7F) << (7 * (place - at))
        if data[place] < 0x80:
            return value, place + 1
    raise WireError("a number runs over its end")
