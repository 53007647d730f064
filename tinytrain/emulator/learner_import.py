"""An exported state taken over, in numpy: what tt_learner_import of
firmware/src/learn/learner_state.c and learner_check.c do. firmware/LEARNING.md, section 8, has the
layout.

A state is not trusted: each number that others are bounded by is checked before it is used.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.emulator.drift import SIGNAL_BITS, SIGNALS
from tinytrain.emulator.head import Rows
from tinytrain.emulator.learner_bytes import FIRST_COPY, REGION_NAMES, header, region
from tinytrain.emulator.learner_state import State, initial
from tinytrain.emulator.memory import Slot
from tinytrain.errors import InputError
from tinytrain.learner import MAX_VERSIONS, LearnerParts, Source

SUMS_REGION = REGION_NAMES.index("sums of the analytic head")
HEADER_BYTES = 16
CHECKSUM_BYTES = 4
BIAS_LIMIT = 1 << 30
COUNT_LIMIT = 2047
SCATTER_COUNT_LIMIT = 4096
LARGEST_FEATURE = 255
LARGEST_PRODUCT = 512 * 512
LEVEL_LIMIT = 32 * 1024
LARGEST_BEST = 1 << 24
MEAN_LIMIT = 1 << 21
LARGEST_SQUARE = 1 << 22
"""Of signals of drift, as in firmware/src/learn/drift.h."""


@dataclass(frozen=True)
class Counters:
    """The struct tt_learner_counters, signed as in C."""

    step: int
    today: int
    level: int
    due: int
    best: int
    stale: int
    stopped: int
    source: int
    kept: int
    candidate: int
    """Classes."""
    copies: tuple[int, ...]
    """Classes of the active rows and of all versions."""
    settled: int
    signals: npt.NDArray[np.int64]
    """(SIGNALS, 3) of drift: level, spread and running mean."""
    alarm: int


def check_origin(parts: LearnerParts, model: int, state: bytes) -> None:
    """Raises InputError where a state is of another model, by its source's hash, or learner."""
    if state[:HEADER_BYTES] != header(parts, model):
        raise InputError("the state is of another model or learner")


def taken_over(parts: LearnerParts, exported: bytes) -> State:
    """What one device knows by an exported state of this learner. Raises InputError."""
    end = len(exported) - CHECKSUM_BYTES
    size = int.from_bytes(exported[12:HEADER_BYTES], "little")
    checksum = zlib.crc32(exported[:end]) if end > 0 else 0
    if end != HEADER_BYTES + size or int.from_bytes(exported[end:], "little") != checksum:
        raise InputError("the state is damaged: wrong length or checksum")
    state = initial(parts, 1, traced=True)
    regions, place = [], HEADER_BYTES
    for index in range(len(REGION_NAMES)):
        count = len(region(parts, state, index))
        regions.append(exported[place : place + count])
        place += count
    counters = _counters(regions[0])
    _fill(parts, state, regions)
    _fill_counters(parts, state, counters)
    fits = _counters_fit(parts, counters) and _padding_fits(state, regions[SUMS_REGION])
    if not (fits and _state_fits(parts, state)):
        raise InputError("the state is not one that a learner can have: a number is out of bounds")
    return state


def _counters(data: bytes) -> Counters:
    unsigned = [int(v) for v in np.frombuffer(data, "<u4")]
    signed = [int(v) for v in np.frombuffer(data, "<i4")]
    copies = 10 + 1 + MAX_VERSIONS
    return Counters(
        step=unsigned[0],
        today=unsigned[1],
        level=signed[2],
        due=unsigned[3],
        best=signed[4],
        stale=unsigned[5],
        stopped=unsigned[6],
        source=unsigned[7],
        kept=unsigned[8],
        candidate=unsigned[9],
        copies=tuple(unsigned[10:copies]),
        settled=unsigned[copies],
        signals=_signals(data[4 * (copies + 1) : -4]),
        alarm=unsigned[-1],
    )


def _signals(data: bytes) -> npt.NDArray[np.int64]:
    """(SIGNALS, 3): level and running mean int32, spread without sign."""
    signed = np.frombuffer(data, "<i4").astype(np.int64).reshape(SIGNALS, 3)
    unsigned = np.frombuffer(data, "<u4").astype(np.int64).reshape(SIGNALS, 3)
    return np.stack([signed[:, 0], unsigned[:, 1], signed[:, 2]], axis=1)


def _put(array: npt.NDArray[Any], data: bytes, layout: str) -> None:
    """The first bytes of `data` become a device's array (1, ...)."""
    array[0] = np.frombuffer(data, layout, array[0].size).reshape(array[0].shape)


def _fill(parts: LearnerParts, state: State, regions: list[bytes]) -> None:
    """All arrays, as the regions have them."""
    candidate, memory = state.candidate, state.memory
    _put(candidate.weights, regions[1], "<i2")
    _put(candidate.bias, regions[2], "<i4")
    if candidate.low is not None:
        _put(candidate.low, regions[3], "<u2")
    if state.lda is not None:
        place = 0
        for name, layout in (
            ("sums", "<i4"), ("scatter", "<i4"), ("counts", "<u2"), ("scatter_count", "<u2"),
        ):  # fmt: skip
            array = getattr(state.lda, name)
            _put(array, regions[4][place:], layout)
            place += array.nbytes
    _put(memory.guess, regions[5], "<u2")
    _put(memory.seen, regions[6], "<u2")
    _put(memory.offered, regions[7], "<u2")
    _put(memory.features, regions[8], "<i1")
    _put(memory.state, regions[9], "<u1")
    _put(memory.stored, regions[10], "<u1")
    for i, rows in enumerate((state.active, *state.versions)[: parts.copies]):
        _put(rows.weights, regions[FIRST_COPY + 2 * i], "<i2")
        _put(rows.bias, regions[FIRST_COPY + 2 * i + 1], "<i4")


def _fill_counters(parts: LearnerParts, state: State, counters: Counters) -> None:
    for name in ("step", "today", "level", "due", "best", "stale", "stopped", "source", "kept"):
        getattr(state, name)[0] = getattr(counters, name)
    state.candidate.classes[0] = counters.candidate
    copies = (state.active, *state.versions)[: parts.copies]
    for rows, classes in zip(copies, counters.copies, strict=False):
        rows.classes[0] = classes
        rows.units[:] = state.candidate.units
    if state.drift is not None:
        state.drift.settled[0] = counters.settled
        signals = state.drift.level, state.drift.spread, state.drift.running
        for array, values in zip(signals, counters.signals.T, strict=True):
            array[0] = values
        state.drift.alarm[0] = counters.alarm


def _counters_fit(parts: LearnerParts, c: Counters) -> bool:
    guard, head = parts.rules.guard, parts.head
    sources = (Source.FACTORY, Source.ACTIVE if guard else Source.CANDIDATE)
    classes = (c.candidate, *c.copies[: parts.copies])
    return (
        c.source in sources
        and not any(c.copies[parts.copies :])
        and c.stopped <= 1
        and 0 <= c.level <= LEVEL_LIMIT
        and abs(c.best) <= LARGEST_BEST
        and c.kept <= (parts.rules.versions if guard else 0)
        and _drift_fits(parts, c)
        and all(head.classes <= count <= head.capacity for count in classes)
    )


def _drift_fits(parts: LearnerParts, c: Counters) -> bool:
    samples = 0 if parts.drift is None else 1 << parts.drift.settle_shift
    complete = 0 < samples == c.settled
    level, spread, running = c.signals.T
    if complete:
        fits = bool(np.all(np.abs(c.signals) <= MEAN_LIMIT))
    else:
        fits = bool(
            np.all(np.abs(level) <= c.settled << SIGNAL_BITS)
            and np.all(spread <= c.settled * LARGEST_SQUARE)
            and not running.any()
        )
    return fits and c.settled <= samples and c.alarm <= complete


def _state_fits(parts: LearnerParts, state: State) -> bool:
    copies = (state.active, *state.versions)[: parts.copies]
    return (
        all(_rows_fit(rows) for rows in (state.candidate, *copies))
        and _sums_fit(state)
        and _memory_fits(parts, state)
    )


def _rows_fit(rows: Rows) -> bool:
    return bool(np.all(np.abs(rows.bias.astype(np.int64)) <= BIAS_LIMIT))


def _padding_fits(state: State, sums: bytes) -> bool:
    """What fills the last word of the analytic head's sums is 0."""
    lda = state.lda
    if lda is None:
        return True
    arrays = (lda.sums, lda.scatter, lda.counts, lda.scatter_count)
    return not any(sums[sum(array.nbytes for array in arrays) :])


def _sums_fit(state: State) -> bool:
    lda = state.lda
    if lda is None:
        return True
    classes = int(state.candidate.classes[0])
    counts, scatter_count = lda.counts.astype(np.int64), int(lda.scatter_count[0])
    sums, scatter = np.abs(lda.sums.astype(np.int64)), np.abs(lda.scatter.astype(np.int64))
    return bool(
        np.all(counts <= COUNT_LIMIT)
        and not counts[:, classes:].any()
        and np.all(sums <= LARGEST_FEATURE * counts[..., None])
        and scatter_count <= (SCATTER_COUNT_LIMIT if scatter.size else 0)
        and np.all(scatter <= LARGEST_PRODUCT * scatter_count)
    )


def _memory_fits(parts: LearnerParts, state: State) -> bool:
    """Every stored place is in use, no other one is, and none is of a class that there is not."""
    memory, rules, classes = state.memory, parts.rules, int(state.candidate.classes[0])
    (stored,), (states,), (guess,) = memory.stored, memory.state, memory.guess
    counts = (memory.stored, memory.seen, memory.offered)
    places = np.arange(rules.slots)
    held = np.broadcast_to(places < rules.held, states.shape)
    used = ~held & (places < rules.held + stored[:, None])
    kept = (states == Slot.LEARNED) | (states == Slot.ASIDE)
    empty = states == Slot.EMPTY
    fits = np.where(held, empty | (states == Slot.HELD), np.where(used, kept, empty))
    return bool(
        np.all(fits)
        and np.all(guess < parts.head.capacity)
        and np.all(stored <= rules.slots - rules.held)
        and not any(count[0, classes:].any() for count in counts)
        and np.all(empty[classes:])
    )
