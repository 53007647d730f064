"""What a table of recordings calls the channels of a front end of motion, and their unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MOST_UNIT = 1e30
"""Far above any; a number that a float holds."""


@dataclass(frozen=True)
class Columns:
    """Of the recordings that a model was trained on."""

    time: str
    """Seconds."""
    channels: tuple[str, ...]
    """In the order in which the front end takes them."""
    unit: float
    """Of 1 in the sensor's int16, in the units of the table."""

    def as_json(self) -> dict[str, Any]:
        return {"time": self.time, "channels": list(self.channels), "unit": self.unit}


def read_columns(found: Mapping[str, Any], channels: int) -> Columns:
    """What `as_json` wrote, for so many channels. Raises ValueError, which begins with the key."""
    time, names, unit = found.get("time"), found.get("channels"), found.get("unit")
    if not isinstance(time, str) or not time:
        raise ValueError(f"time is {repr(time)[:40]}; the name of a column is expected")
    listed = names if isinstance(names, list) else []
    named = tuple(name for name in listed if isinstance(name, str) and name)
    if len(set(named)) != channels or len(listed) != channels:
        raise ValueError(
            f"channels is {repr(names)[:40]}; the names of {channels} columns are expected"
        )
    if isinstance(unit, bool) or not isinstance(unit, int | float) or not 0 < unit < _MOST_UNIT:
        raise ValueError(f"unit is {repr(unit)[:40]}; a number above 0 is expected")
    return Columns(time, named, float(unit))
