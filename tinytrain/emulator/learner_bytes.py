"""The state of one learner as the bytes of its regions: what tt_learner_region of
firmware/src/learn/learner_state.c gives.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import learner_state
from tinytrain.emulator.drift import SIGNALS
from tinytrain.emulator.head import Rows
from tinytrain.emulator.learner_state import State
from tinytrain.learner import MAX_VERSIONS, LearnerParts

MAGIC = b"TTL1"

REGION_NAMES = (
    "counters", "candidate's weights", "candidate's bias", "candidate's low bits",
    "sums of the analytic head", "memory's guesses", "memory's seen", "memory's offered",
    "memory's samples", "memory's states", "memory's stored", "active weights", "active bias",
    *(f"{part} of version {1 + place}" for place in range(MAX_VERSIONS)
      for part in ("weights", "bias")),
)  # fmt: skip
"""By index."""

FIRST_COPY = 11
"""The regions from here on are pairs, weights and bias: the active rows, then the versions."""


SOURCE_COUNTER = 7
"""Which of the counters, 4 bytes each, is the learner.Source that answers."""


def region(parts: LearnerParts, state: State, index: int, device: int = 0) -> bytes:
    """The bytes of one region, an index of REGION_NAMES; some are empty."""
    if index < FIRST_COPY:
        return _REGIONS[index](parts, state, device)
    copies = (state.active, *state.versions)[: parts.copies]
    copy = (index - FIRST_COPY) // 2
    if copy >= len(copies):
        return b""
    return (
        _weights(copies[copy], device)
        if (index - FIRST_COPY) % 2 == 0
        else _bias(copies[copy], device)
    )


def header(parts: LearnerParts, model: int) -> bytes:
    """What an exported state begins with; `model`: the hash of its source."""
    rules = (int(getattr(parts.rules, field.name)) for field in fields(parts.rules))
    layout = zlib.crc32(struct.pack("<16Hi", *rules))
    settle_shift = 0 if parts.drift is None else parts.drift.settle_shift
    sizes = struct.pack("<HHH", parts.head.capacity, parts.head.features, settle_shift)
    layout = zlib.crc32(sizes, layout)
    state = learner_state.initial(parts, 1)
    size = sum(len(region(parts, state, index)) for index in range(len(REGION_NAMES)))
    return struct.pack("<4sIII", MAGIC, model, layout, size)


def exported(parts: LearnerParts, state: State, model: int, device: int = 0) -> bytes:
    """The state as tt_learner_export writes it."""
    regions = (region(parts, state, index, device) for index in range(len(REGION_NAMES)))
    data = header(parts, model) + b"".join(regions)
    return data + struct.pack("<I", zlib.crc32(data))


def _weights(rows: Rows, device: int) -> bytes:
    return rows.weights[device].astype("<i2").tobytes()


def _bias(rows: Rows, device: int) -> bytes:
    return rows.bias[device].astype("<i4").tobytes()


def _low(parts: LearnerParts, state: State, device: int) -> bytes:
    del parts
    low = state.candidate.low
    return b"" if low is None else low[device].astype("<u2").tobytes()


def _counters(parts: LearnerParts, state: State, device: int) -> bytes:
    """The struct tt_learner_counters."""
    copies = [rows.classes[device] for rows in (state.active, *state.versions)][: parts.copies]
    copies += [0] * (1 + MAX_VERSIONS - len(copies))
    values = [
        *(
            array[device]
            for array in (
                state.step, state.today, state.level, state.due, state.best, state.stale,
                state.stopped, state.source, state.kept, state.candidate.classes,
            )
        ),
        *copies,
        *_drift(state, device),
    ]  # fmt: skip
    return np.array(values, np.int64).astype("<u4").tobytes()


def _drift(state: State, device: int) -> list[int]:
    """The counters of drift: `settled`, level, spread and running mean of each signal, `alarm`."""
    drift = state.drift
    if drift is None:
        return [0] * (2 + 3 * SIGNALS)
    signals = np.stack([drift.level, drift.spread, drift.running], axis=2)[device]
    return [int(drift.settled[device]), *signals.ravel().tolist(), int(drift.alarm[device])]


def _sums(parts: LearnerParts, state: State, device: int) -> bytes:
    del parts
    lda = state.lda
    if lda is None:
        return b""
    data = lda.sums[device].astype("<i4").tobytes() + lda.scatter[device].astype("<i4").tobytes()
    data += lda.counts[device].astype("<u2").tobytes()
    data += lda.scatter_count[device].astype("<u2").tobytes()
    return data + bytes(-len(data) % 4)


def _memory(name: str, layout: str) -> Callable[[LearnerParts, State, int], bytes]:
    def read(parts: LearnerParts, state: State, device: int) -> bytes:
        del parts
        array: npt.NDArray[np.generic] = getattr(state.memory, name)[device]
        return array.astype(layout).tobytes()

    return read


_REGIONS: tuple[Callable[[LearnerParts, State, int], bytes], ...] = (
    _counters,
    lambda _, state, device: _weights(state.candidate, device),
    lambda _, state, device: _bias(state.candidate, device),
    _low,
    _sums,
    _memory("guess", "<u2"),
    _memory("seen", "<u2"),
    _memory("offered", "<u2"),
    _memory("features", "<i1"),
    _memory("state", "<u1"),
    _memory("stored", "<u1"),
)
