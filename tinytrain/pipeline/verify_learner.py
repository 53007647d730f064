"""What a learner remembers, counts and keeps: a device against the emulator."""

from __future__ import annotations

from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Device
from tinytrain.emulator.learner_bytes import REGION_NAMES
from tinytrain.protocol import Space


def learner_difference(device: Device, reference: EmulatedDevice) -> tuple[int, str | None]:
    """How many bytes of its state were compared, and the first that differs."""
    total = 0
    for index, name in enumerate(REGION_NAMES):
        ours = reference.memory(Space.LEARNER, index)
        theirs = device.read(Space.LEARNER, index, 0, len(ours))
        total += len(ours)
        for place, (first, second) in enumerate(zip(ours, theirs, strict=True)):
            if first != second:
                where = f"learner, {name}, byte {place}: emulator {first}, device {second}"
                return total, where
    return total, None
