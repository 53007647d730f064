"""The heads of an emulated device: what answers and learns behind the features."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinytrain.device.interface import NOT_ASKED, LearnStep
from tinytrain.emulator import head as plain
from tinytrain.emulator import learner, learner_bytes, learner_state
from tinytrain.emulator.head import Rows
from tinytrain.errors import DeviceError, InputError
from tinytrain.head import Head
from tinytrain.learner import LearnerParts, Outcome
from tinytrain.protocol import STATUS_TEXTS, Region, Status

Int = NDArray[np.int64]
Int8 = NDArray[np.int8]

ONE = np.zeros(1, np.int64)
"""The index of the one device."""


class EmulatedHead(Protocol):
    """A head and what it has learned. Features are int8 (B, D)."""

    def logits(self, features: Int8) -> Int:
        """(B, C) by the rows that answer."""

    def probabilities(self, features: Int8) -> Int:
        """(C,) Q15 of one sample, (1, D), that the device meets: as `observe`."""

    def observe(self, features: Int8) -> tuple[int, bool]:
        """The class of one sample, (1, D), and whether there is drift."""

    def learn(self, features: Int8, label: int) -> LearnStep:
        """One labelled sample, (1, D)."""

    def add_class(self) -> int:
        """A class more; its index."""

    def roll_back(self, version: int) -> None:
        """To the factory (0) or a kept version."""

    def new_day(self) -> None:
        """The day's budget is whole again."""

    def end_session(self) -> None:
        """The work that would begin after some more samples."""

    def head_region(self, region: Region) -> bytes:
        """What READ gives of the head."""

    def learner_region(self, index: int) -> bytes:
        """What READ gives of the learner."""


def make_head(head: Head, parts: LearnerParts | None) -> EmulatedHead:
    """A head as it leaves the factory."""
    return PlainHead(head) if parts is None else LearnerHead(parts)


class PlainHead:
    """A head that only descends."""

    def __init__(self, head: Head) -> None:
        self._constants = head.constants
        self._rows = plain.factory_rows(head.constants)
        self._step: plain.Step | None = None
        self._crc = 0

    def logits(self, features: Int8) -> Int:
        x = plain.centered(self._constants, features)
        z = plain.logits((self._constants.units,), self._rows, x)
        return z[:, : self._rows.classes[0]]

    def probabilities(self, features: Int8) -> Int:
        return plain.softmax(self.logits(features))[0][0]

    def observe(self, features: Int8) -> tuple[int, bool]:
        return int(self.logits(features)[0].argmax()), False

    def learn(self, features: Int8, label: int) -> LearnStep:
        step = plain.learn(self._constants, self._rows, features, np.array([label], np.int64))
        self._step = step
        self._crc = plain.trace(self._rows, step, self._crc)
        written = int(step.rows_written[0])
        outcome = Outcome.LEARNED if written else Outcome.CONFIDENT
        return LearnStep(self._crc, int(step.predicted[0]), written, outcome)

    def add_class(self) -> int:
        (added,) = plain.add_class(self._rows).tolist()
        if added < 0:
            raise DeviceError(f"emulator: {STATUS_TEXTS[Status.FULL]}")
        return int(added)

    def roll_back(self, version: int) -> None:
        if version:
            raise DeviceError(f"emulator: {STATUS_TEXTS[Status.RANGE]}")
        self._rows = plain.factory_rows(self._constants)

    def end_session(self) -> None:
        """There is no work."""

    def new_day(self) -> None:
        raise DeviceError(f"emulator: {STATUS_TEXTS[Status.NO_LEARNER]}")

    def head_region(self, region: Region) -> bytes:
        data = region_of_rows(self._rows, region)
        return _region_of_step(self._step, region, self._rows) if data is None else data

    def learner_region(self, index: int) -> bytes:
        del index
        raise DeviceError(f"emulator: {STATUS_TEXTS[Status.NO_LEARNER]}")


class LearnerHead:
    """A head with a learner."""

    def __init__(self, parts: LearnerParts) -> None:
        self._parts = parts
        self._state = learner_state.initial(parts, 1, traced=True)

    def logits(self, features: Int8) -> Int:
        rows = learner.answering_rows(self._parts, self._state, ONE)
        z = plain.logits(self._parts.units, rows, plain.centered(self._parts.head, features))
        return z[:, : rows.classes[0]]

    def probabilities(self, features: Int8) -> Int:
        found = plain.softmax(self.logits(features))[0][0]
        self.observe(features)
        return found

    def observe(self, features: Int8) -> tuple[int, bool]:
        (label,) = learner.observe(self._parts, self._state, ONE, features)
        drift = self._state.drift
        return int(label), drift is not None and bool(drift.alarm[0])

    def learn(self, features: Int8, label: int) -> LearnStep:
        labels = np.array([label], np.int64)
        done = learner.learn(self._parts, self._state, ONE, features, labels)
        assert self._state.crc is not None
        return LearnStep(
            self._state.crc[0],
            int(done.predicted[0]) & NOT_ASKED,
            int(done.rows_written[0]),
            int(done.outcome[0]),
        )

    def add_class(self) -> int:
        try:
            (added,) = learner.add_class(self._parts, self._state, ONE)
        except InputError:
            raise DeviceError(f"emulator: {STATUS_TEXTS[Status.FULL]}") from None
        return int(added)

    def roll_back(self, version: int) -> None:
        try:
            learner.roll_back(self._parts, self._state, ONE, version)
        except InputError:
            raise DeviceError(f"emulator: {STATUS_TEXTS[Status.RANGE]}") from None

    def end_session(self) -> None:
        learner.end_session(self._parts, self._state, ONE)

    def new_day(self) -> None:
        learner.new_day(self._state, ONE)

    def head_region(self, region: Region) -> bytes:
        """Of what a step computes only the last one's trace is kept."""
        return region_of_rows(self._state.candidate, region) or b""

    def learner_region(self, index: int) -> bytes:
        return learner_bytes.region(self._parts, self._state, index)


def region_of_rows(rows: Rows, region: Region) -> bytes | None:
    """The rows that learn; None for a region that is none of theirs."""
    used = rows.classes[0]
    if region == Region.MASTER_WEIGHTS:
        return rows.weights[0, :used].astype("<i2").tobytes()
    if region == Region.MASTER_BIAS:
        return rows.bias[0, :used].astype("<i4").tobytes()
    if region == Region.MASTER_LOW:
        return b"" if rows.low is None else rows.low[0, :used].astype("<u2").tobytes()
    return None


def _region_of_step(step: plain.Step | None, region: Region, rows: Rows) -> bytes:
    if step is None:
        return b""
    if region == Region.WRITTEN:
        written = step.written[0]
        return written[written >= 0].astype("<u2").tobytes()
    used = rows.classes[0]
    if region == Region.PROBABILITIES:
        return step.probabilities[0, :used].astype("<u2").tobytes()
    values = step.logits if region == Region.LOGITS else step.error
    return values[0, :used].astype("<i4").tobytes()
