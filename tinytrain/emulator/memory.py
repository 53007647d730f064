"""The memory of labelled samples in numpy, for any number of devices at once: the reference of
firmware/src/learn/memory.c. The rules stand in firmware/LEARNING.md, section 6 ("Store").

Letters: n devices, k of them taking part, R rows of classes, L slots, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.learner import LearnerConstants

Int = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]

SEEN_LIMIT = (1 << 16) - 1


class Slot(IntEnum):
    """What a place of the memory holds."""

    EMPTY = 0
    LEARNED = 1
    ASIDE = 2
    """An implausible label that waits for a second one."""
    HELD = 3
    """Never learned from: it judges."""


@dataclass(frozen=True, eq=False)
class Memory:
    """What n devices remember. Written in place."""

    features: Int8
    """(n, R, L, D)"""
    state: npt.NDArray[np.uint8]
    """(n, R, L) of Slot."""
    guess: npt.NDArray[np.uint16]
    """(n, R, L) the class that the candidate gave when the sample came."""
    stored: npt.NDArray[np.int64]
    """(n, R) places in use of those that are not for held samples."""
    seen: Int
    """(n, R) samples offered to those, up to SEEN_LIMIT."""
    offered: Int
    """(n, R) samples offered at all, uint16 that wraps."""


def empty(devices: int, capacity: int, features: int, slots: int) -> Memory:
    """The memory of devices that have seen nothing."""
    shape = (devices, capacity, slots)
    return Memory(
        np.zeros((*shape, features), np.int8),
        np.zeros(shape, np.uint8),
        np.zeros(shape, np.uint16),
        np.zeros((devices, capacity), np.int64),
        np.zeros((devices, capacity), np.int64),
        np.zeros((devices, capacity), np.int64),
    )


def clear(memory: Memory, devices: Int) -> None:
    """Forgets everything on these devices."""
    for array in (memory.features, memory.state, memory.guess):
        array[devices] = 0
    for count in (memory.stored, memory.seen, memory.offered):
        count[devices] = 0


def offer(memory: Memory, rules: LearnerConstants, devices: Int, labels: Int) -> Int:
    """Counts a sample of each of k devices; the places (k,) to hold them aside, or -1."""
    before = memory.offered[devices, labels]
    memory.offered[devices, labels] = (before + 1) & 0xFFFF
    if not rules.hold_every:
        return np.full(len(devices), -1, np.int64)
    held = before % rules.hold_every == rules.hold_every - 1
    return np.where(held, (before // rules.hold_every) % rules.held, -1)


def reserve(memory: Memory, rules: LearnerConstants, devices: Int, labels: Int, steps: Int) -> Int:
    """The places (k,) of samples that are not held, by a reservoir; -1 where there is none."""
    room = rules.slots - rules.held
    seen = np.minimum(memory.seen[devices, labels] + 1, SEEN_LIMIT)
    memory.seen[devices, labels] = seen
    stored = memory.stored[devices, labels]
    drawn = fixed.choose(fixed.hash(rules.seed + 1, steps), seen)
    place = np.where(stored < room, stored, np.where(drawn < room, drawn, -1))
    memory.stored[devices, labels] = np.minimum(stored + 1, room)
    return np.where(place < 0, -1, rules.held + place)


def write(
    memory: Memory,
    devices: Int,
    labels: Int,
    places: Int,
    features: Int8,
    state: Slot,
    guesses: Int,
) -> None:
    """Stores one sample on each device whose place is not -1."""
    at = np.flatnonzero(places >= 0)
    where = devices[at], labels[at], places[at]
    memory.features[where] = features[at]
    memory.state[where] = state
    memory.guess[where] = guesses[at]


def confirmation(memory: Memory, devices: Int, labels: Int, guesses: Int) -> Int:
    """(k,) the first place of each sample's class that is ASIDE with the same guess, or -1."""
    if not memory.state.shape[2]:
        return np.full(len(devices), -1, np.int64)
    match = (memory.state[devices, labels] == Slot.ASIDE) & (
        memory.guess[devices, labels] == guesses[:, None]
    )
    return np.where(match.any(axis=1), match.argmax(axis=1), -1)


def replayed(
    memory: Memory, rules: LearnerConstants, devices: Int, classes: Int, steps: Int, turn: int
) -> tuple[Int, Int]:
    """The class and place (k,) of the sample that is replayed `turn`-th in a step; -1 for none."""
    counter = (steps * 256 + turn) & 0xFFFFFFFF
    stored = memory.stored[devices]
    first = fixed.choose(fixed.hash(rules.seed, counter), classes)
    places = np.arange(stored.shape[1])
    used = (stored > 0) & (places < classes[:, None])
    distance = np.where(used, (places - first[:, None]) % classes[:, None], stored.shape[1])
    label = distance.argmin(axis=1)
    count = stored[np.arange(len(devices)), label]
    drawn = fixed.choose(fixed.hash(~rules.seed & 0xFFFFFFFF, counter), np.maximum(count, 1))
    place = rules.held + drawn
    learned = used.any(axis=1) & (
        memory.state[devices, label, np.minimum(place, memory.state.shape[2] - 1)] == Slot.LEARNED
    )
    return label, np.where(learned, place, -1)
