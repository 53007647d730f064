"""What the host finds out for the learner, from people whom the device's user is not among.

Validation people stand for the user: the network was not trained on them. Where a task has none,
training people do, and weights of what training saw come out too large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinytrain.adapt.people import Class, pupils
from tinytrain.adapt.simulation import Lesson, moments, teach
from tinytrain.adapt.streams import StreamOptions
from tinytrain.emulator import head
from tinytrain.emulator.learner import answering_rows
from tinytrain.errors import InputError
from tinytrain.head import HeadConstants
from tinytrain.lda import LdaOptions, build_lda
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import ONE_BIT, LearnerParts
from tinytrain.learner_options import LearnerOptions, learner_constants

CLEARLY = 0.005
"""Accuracy by which a setting has to beat the usual one."""
PRIORS = (1.0, 3.0, 10.0)
RIDGES = (0.1, 0.2, 0.5)
BLENDS = (25, 100, 400)
TEMPERATURES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
UNGUARDED = LearnerOptions("lda", slots=0, implausible=0, work_every=0, guard=False)
"""An analytic head that learns whatever comes."""


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
    """The options with the value of `name` that is most accurate; the start's, unless it is
    clearly beaten: these are few people."""
    scores = {value: _accuracy(known, replace(start, **{name: value})) for value in values}
    best = max(values, key=lambda value: scores[value])
    clear = scores[best] > scores[getattr(start, name)] + CLEARLY
    return replace(start, **{name: best}) if clear else start


def _accuracy(known: Known, options: LdaOptions) -> float:
    """The mean over people, after their lessons."""
    taught = teach(_parts(known, options), known.lessons, points=2)
    return float(np.mean([one.curve[-1][1] for one in taught]))


def _parts(known: Known, options: LdaOptions) -> LearnerParts:
    return LearnerParts(learner_constants(UNGUARDED), known.constants, analytic(known, options))


def _temperature(known: Known, options: LdaOptions) -> LdaOptions:
    """By the loss that is left after the lessons."""
    losses = {t: _loss(known, replace(options, temperature=t)) for t in TEMPERATURES}
    return replace(options, temperature=min(TEMPERATURES, key=lambda t: losses[t]))


def _loss(known: Known, options: LdaOptions) -> float:
    """Bits that a test sample loses after the lessons, as the guard counts them; the mean over
    people."""
    cap = learner_constants(UNGUARDED).loss_cap
    parts = _parts(known, options)
    *_, last = moments(parts, known.lessons, finish=True)
    losses = []
    for device, lesson in enumerate(known.lessons):
        rows = answering_rows(parts, last.state, np.array([device]))
        z = head.logits(parts.units, rows, head.centered(parts.head, lesson.test_features))
        loss = head.loss(z, head.softmax(z)[1], lesson.test_labels, rows.classes)
        losses.append(float(np.minimum(loss, cap).mean()) / ONE_BIT)
    return float(np.mean(losses))
