"""Many devices at once give the bits that each gives alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.adapt.people_of_numbers import class_of, dataset, known
from tinytrain.adapt.calibrate import analytic
from tinytrain.adapt.comparison import learner_options
from tinytrain.adapt.people import pupils
from tinytrain.adapt.simulation import Lesson, moments, teach
from tinytrain.adapt.streams import StreamOptions
from tinytrain.emulator.learner_state import State
from tinytrain.lda import LdaOptions
from tinytrain.learner import LearnerParts
from tinytrain.learner_options import learner_constants

DATA = dataset()


def lessons() -> list[Lesson]:
    """Of different lengths."""
    taught = pupils(class_of(DATA, (3, 4, 5)), (3, 4, 5), 6, StreamOptions("noisy"), 2, 0)
    found = [pupil.lesson for pupil in taught]
    return [
        Lesson(one.features[:end], one.labels[:end], one.test_features, one.test_labels)
        for one, end in zip(found, (24, 24, 9, 17, 1, 20), strict=True)
    ]


def parts_of(kind: str, guarded: bool, blend: int) -> LearnerParts:
    here = known(DATA)
    lda = None if kind == "sgd" else analytic(here, LdaOptions(blend=blend))
    rules = learner_constants(learner_options(kind, guarded))
    return LearnerParts(rules, here.head.constants, lda)


WAYS = [
    ("sgd", False, 0),
    ("sgd", True, 0),
    ("lda", False, 0),
    ("lda", True, 0),
    ("lda", True, 20),
    ("lda+sgd", True, 0),
]


@pytest.mark.parametrize(("kind", "guarded", "blend"), WAYS)
def test_devices_together_give_the_bits_of_each_alone(kind: str, guarded: bool, blend: int) -> None:
    parts, every = parts_of(kind, guarded, blend), lessons()
    *_, together = moments(parts, every)
    for device, lesson in enumerate(every):
        *_, alone = moments(parts, [lesson])
        assert bits(together.state, device) == bits(alone.state, 0)


def bits(state: State, device: int) -> list[bytes]:
    """Everything that one device knows."""
    found = []
    for rows in (state.candidate, state.active, *state.versions):
        found += [rows.weights[device], rows.bias[device], rows.classes[device]]
    if state.lda is not None:
        found += [state.lda.sums[device], state.lda.counts[device], state.lda.scatter[device]]
    found += [state.memory.features[device], state.memory.state[device], state.step[device]]
    found += [state.level[device], state.best[device], state.source[device]]
    return [np.asarray(value).tobytes() for value in found]


@pytest.mark.parametrize(("kind", "guarded", "blend"), WAYS)
def test_what_is_reported_is_what_happened(kind: str, guarded: bool, blend: int) -> None:
    every = lessons()
    for lesson, taught in zip(every, teach(parts_of(kind, guarded, blend), every), strict=True):
        assert taught.curve[0][0] == 0
        assert taught.curve[-1][0] == len(lesson.labels)
        assert taught.curve[0][1] == (taught.before == lesson.test_labels).mean()
        assert taught.curve[-1][1] == (taught.after == lesson.test_labels).mean()
        assert sum(taught.outcomes) == len(lesson.labels)
        assert taught.rows_written is not None
        assert 0 <= taught.rows_written <= 1
