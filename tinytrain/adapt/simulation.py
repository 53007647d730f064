"""Many devices taught at once, by the vectorized learner: the same bits as one at a time.

Letters: T samples of a lesson, m samples of its test, D features, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinytrain.emulator import head, learner
from tinytrain.emulator.learner_state import State, initial
from tinytrain.learner import LearnerParts, Outcome
from tinytrain.training.data import IndexArray, Int8Array

CURVE_POINTS = 14
"""Points of a curve of accuracy over samples, the first before any."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one device is taught, and tested on. Features are those of the network, as they are."""

    features: Int8Array
    """(T, D)"""
    labels: IndexArray
    """(T,) as they are given to the device."""
    test_features: Int8Array
    """(m, D)"""
    test_labels: IndexArray
    """(m,)"""


@dataclass(frozen=True, eq=False)
class Taught:
    """What became of a lesson on its device."""

    curve: tuple[tuple[int, float], ...]
    """(samples given, accuracy on the test)"""
    before: IndexArray
    """(m,) the classes given to the test samples before the lesson."""
    after: IndexArray
    """(m,) after it."""
    rows_written: float | None
    """Share of the rows of the head that a sample wrote, the mean over the lesson; None where
    nobody counted."""
    outcomes: tuple[int, ...]
    """How many samples met each Outcome."""


def teach(
    parts: LearnerParts,
    lessons: Sequence[Lesson],
    points: int = CURVE_POINTS,
) -> tuple[Taught, ...]:
    """Gives each lesson to a device of its own that comes from the factory.

    Lessons may be of different lengths.
    """
    lengths = [len(lesson.labels) for lesson in lessons]
    at = [set(curve_points(length, points)) for length in lengths]
    notes = [_Notes() for _ in lessons]
    for moment in moments(parts, lessons):
        for place, device in enumerate(moment.devices.tolist()):
            note, lesson = notes[device], lessons[device]
            if moment.learned is not None:
                note.rows_written += int(moment.learned.rows_written[place])
                note.outcomes[moment.learned.outcome[place]] += 1
            if moment.step in at[device]:
                given = answers(parts, moment.state, device, lesson.test_features)
                note.curve.append((moment.step, float((given == lesson.test_labels).mean())))
                note.answers = [*note.answers[:1], given]
    return tuple(note.taught(parts) for note in notes)


def curve_points(length: int, points: int = CURVE_POINTS) -> list[int]:
    """After how many samples of a lesson its curve is looked at; the first 0, the last all."""
    return sorted(set(np.linspace(0, length, max(points, 2)).astype(int).tolist()))


@dataclass(frozen=True, eq=False)
class Moment:
    """Devices that have all just been given a sample, or none yet."""

    step: int
    """Samples given to each."""
    devices: IndexArray
    state: State
    learned: learner.Learned | None
    """What became of the sample on each of them."""


def moments(parts: LearnerParts, lessons: Sequence[Lesson]) -> Iterator[Moment]:
    """`teach`, sample by sample."""
    state = initial(parts, len(lessons))
    lengths = np.array([len(lesson.labels) for lesson in lessons])
    yield Moment(0, np.arange(len(lessons)), state, None)
    for step in range(int(lengths.max(initial=0))):
        devices = np.flatnonzero(lengths > step)
        given = [lessons[device] for device in devices.tolist()]
        features = np.stack([lesson.features[step] for lesson in given])
        labels = np.array([lesson.labels[step] for lesson in given], np.int64)
        learned = learner.learn(parts, state, devices, features, labels)
        learner.end_session(parts, state, devices[lengths[devices] == step + 1])
        yield Moment(step + 1, devices, state, learned)


class _Notes:
    """What is written down about one device on the way."""

    def __init__(self) -> None:
        self.curve: list[tuple[int, float]] = []
        self.answers: list[IndexArray] = []
        """To the test, at the first and the last point."""
        self.rows_written = 0
        self.outcomes = np.zeros(len(Outcome), np.int64)

    def taught(self, parts: LearnerParts) -> Taught:
        steps = max(int(self.outcomes.sum()), 1)
        return Taught(
            tuple(self.curve),
            self.answers[0],
            self.answers[-1],
            self.rows_written / (steps * parts.head.classes),
            tuple(self.outcomes.tolist()),
        )


def answers(parts: LearnerParts, state: State, device: int, features: Int8Array) -> IndexArray:
    """(m,) the classes that one device gives to m samples."""
    rows = learner.answering_rows(parts, state, np.array([device]))
    x = head.centered(parts.head, features)
    return head.classify(parts.units, rows, x)
