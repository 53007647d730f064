"""Many devices taught at once, by the vectorized learner: the same bits as one at a time.

Letters: T samples of a lesson, m samples of its test, D features, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinytrain.emulator import head, learner, learner_state
from tinytrain.learner import Outcome
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
    rows_written: float
    """Share of the rows of the head that a sample wrote, the mean over the lesson."""
    outcomes: tuple[int, ...]
    """How many samples met each Outcome."""


def teach(
    parts: learner_state.Parts,
    lessons: Sequence[Lesson],
    points: int = CURVE_POINTS,
    finish: bool = True,
) -> tuple[Taught, ...]:
    """Gives each lesson to a device of its own that comes from the factory.

    `finish`: the work that is due next is done once more at the end, as a device does that has
    time. Lessons may be of different lengths.
    """
    state = learner_state.initial(parts, len(lessons))
    lengths = np.array([len(lesson.labels) for lesson in lessons])
    at = [set(np.linspace(0, length, max(points, 2)).astype(int).tolist()) for length in lengths]
    notes = [_Notes() for _ in lessons]
    _note(parts, state, lessons, notes, at, 0)
    for step in range(int(lengths.max(initial=0))):
        devices = np.flatnonzero(lengths > step)
        features = np.stack([lessons[device].features[step] for device in devices])
        labels = np.array([lessons[device].labels[step] for device in devices], np.int64)
        learned = learner.learn(parts, state, devices, features, labels)
        for place, device in enumerate(devices):
            notes[device].rows_written += int(learned.rows_written[place])
            notes[device].outcomes[learned.outcome[place]] += 1
        ended = devices[lengths[devices] == step + 1]
        if finish and len(ended):
            learner.work(parts, state, ended)
        _note(parts, state, lessons, notes, at, step + 1)
    return tuple(note.taught(parts) for note in notes)


class _Notes:
    """What is written down about one device on the way."""

    def __init__(self) -> None:
        self.curve: list[tuple[int, float]] = []
        self.answers: list[IndexArray] = []
        """To the test, at the first and the last point."""
        self.rows_written = 0
        self.outcomes = np.zeros(len(Outcome), np.int64)

    def taught(self, parts: learner_state.Parts) -> Taught:
        steps = max(int(self.outcomes.sum()), 1)
        return Taught(
            tuple(self.curve),
            self.answers[0],
            self.answers[-1],
            self.rows_written / (steps * parts.head.classes),
            tuple(self.outcomes.tolist()),
        )


def _note(
    parts: learner_state.Parts,
    state: learner_state.State,
    lessons: Sequence[Lesson],
    notes: Sequence[_Notes],
    points: Sequence[set[int]],
    step: int,
) -> None:
    for device, (lesson, note) in enumerate(zip(lessons, notes, strict=True)):
        if step in points[device] and step <= len(lesson.labels):
            given = answers(parts, state, device, lesson.test_features)
            note.curve.append((step, float((given == lesson.test_labels).mean())))
            note.answers = [*note.answers[:1], given]


def answers(
    parts: learner_state.Parts, state: learner_state.State, device: int, features: Int8Array
) -> IndexArray:
    """(m,) the classes that one device gives to m samples."""
    rows = learner.answering_rows(parts, state, np.array([device]))
    x = head.centered(parts.head, features)
    return head.classify(parts.units, rows, x)
