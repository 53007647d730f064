"""What the host finds out for the learner, from people whom the device's user is not among.

Validation people stand for the user: the network was not trained on them. Where a task has none,
training people do, and weights of what training saw come out too large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinytrain.adapt.people import Class, pupils
from tinytrain.adapt.simulation import Lesson, teach
from tinytrain.adapt.streams import StreamOptions
from tinytrain.emulator import drift as drifting
from tinytrain.emulator import head
from tinytrain.emulator.learner_state import Parts
from tinytrain.errors import InputError
from tinytrain.head import HeadConstants
from tinytrain.lda import LdaOptions, build_lda
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import DriftConstants
from tinytrain.learner_options import LearnerOptions, learner_constants

PRIORS = (1.0, 3.0, 10.0)
RIDGES = (0.1, 0.2, 0.5)
BLENDS = (25, 100, 400)
TEMPERATURES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
PRECISION = 0.99
"""Share of right answers from which on answers without labels may be learned."""

UNGUARDED = LearnerOptions("lda", slots=0, implausible=0, work_every=0, guard=False)
"""An analytic head that learns whatever comes."""

NEVER = (1 << 31) - 1


@dataclass(frozen=True, eq=False)
class Known:
    """What is known before a device meets its user."""

    constants: HeadConstants
    training: Class
    """The samples that the analytic head is made from."""
    lessons: tuple[Lesson, ...]
    """Of people who stand for the user."""


def known_people(
    constants: HeadConstants,
    training: Class,
    validation: Class,
    shots: int,
    seed: int,
) -> Known:
    """Lessons of the validation people; of the training people, where nobody of the former has
    samples enough."""
    for among in (validation, training):
        found = []
        for person in np.unique(among.dataset.group[among.samples]).tolist():
            try:
                found += pupils(among, [person], shots, StreamOptions(), 1, seed)
            except InputError:
                continue
        if found:
            return Known(constants, training, tuple(pupil.lesson for pupil in found))
    raise InputError(
        f"data set {training.dataset.name!r}: nobody has {shots} samples of each class and others "
        "to test on; ask for fewer shots"
    )


def analytic(known: Known, options: LdaOptions) -> LdaConstants:
    """The constants of the analytic head, from the training people."""
    constants, training = known.constants, known.training
    labels = training.dataset.y[training.samples]
    return build_lda(
        training.features,
        labels,
        constants.feature_zero_point,
        constants.classes,
        constants.capacity,
        options,
    )


def calibrated_lda(known: Known, blended: bool = False) -> LdaOptions:
    """Prior, ridge and blend by what they bring the people of `known`, one after the other; then
    the temperature by the loss that is left."""
    best = LdaOptions(blend=BLENDS[1] if blended else 0)
    best = _best(known, best, "ridge", RIDGES)
    best = _best(known, best, "prior", PRIORS)
    if blended:
        best = _best(known, best, "blend", BLENDS)
    return _temperature(known, best)


def _best(known: Known, start: LdaOptions, name: str, values: Sequence[float]) -> LdaOptions:
    """The options with the value of `name` that is most accurate; of equal ones the start's."""
    scores = {value: _accuracy(known, replace(start, **{name: value})) for value in values}
    highest = max(scores.values())
    usual = getattr(start, name)
    if scores[usual] == highest:
        return start
    return replace(start, **{name: max(values, key=lambda value: scores[value])})


def _accuracy(known: Known, options: LdaOptions) -> float:
    """The mean over people, after their lessons."""
    taught = teach(_parts(known, options), known.lessons, points=2)
    return float(np.mean([one.curve[-1][1] for one in taught]))


def _parts(known: Known, options: LdaOptions) -> Parts:
    return Parts(learner_constants(UNGUARDED), known.constants, analytic(known, options))


def _temperature(known: Known, options: LdaOptions) -> LdaOptions:
    """By the loss of the prior's rows on samples that they were not made from."""
    x = np.concatenate([lesson.features for lesson in known.lessons])
    labels = np.concatenate([lesson.labels for lesson in known.lessons])
    losses = []
    for temperature in TEMPERATURES:
        constants = analytic(known, replace(options, temperature=temperature))
        losses.append(float(_losses(known, constants, x, labels).mean()))
    return replace(options, temperature=TEMPERATURES[int(np.argmin(losses))])
