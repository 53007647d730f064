"""How the analytic head weighs what it knows: found out on people whom training did not see.

Validation people stand for the user. Where a task has none, the usual settings stay: training
people would ask for far too much trust in what training saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from tinytrain.adapt.people import Class, pupils
from tinytrain.adapt.simulation import Lesson, moments, teach
from tinytrain.adapt.streams import StreamOptions
from tinytrain.emulator import head as rows
from tinytrain.emulator.learner import answering_rows
from tinytrain.errors import InputError
from tinytrain.head import Head
from tinytrain.lda import LdaOptions, build_lda
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import ONE_BIT, LearnerParts
from tinytrain.learner_options import LearnerOptions, learner_constants

PRIORS = (1.0, 3.0, 10.0)
RIDGES = (0.1, 0.2, 0.5)
BLENDS = (25, 100, 400)
USUAL_BLEND = 100
TEMPERATURES = (0.1, 0.2, 0.3, 0.5)
CLEARLY = 0.005
"""Accuracy by which a setting has to beat the usual one: validation people are few."""
NEARLY = 1.02
"""Of losses: temperatures that lose so little more than the best are as good."""

UNGUARDED = LearnerOptions("lda", slots=0, implausible=0, guard=False)
"""Learns whatever comes."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known before a device meets its user."""

    head: Head
    training: Class
    """The samples that the analytic head is made from."""
    lessons: tuple[Lesson, ...]
    """Of people that training did not see; there may be none."""


def known_people(head: Head, training: Class, validation: Class, shots: int, seed: int) -> Known:
    """`training` and the lessons of those validation people who have samples enough."""
    data = validation.dataset
    strangers = np.setdiff1d(data.group[validation.samples], data.group[training.samples])
    lessons: list[Lesson] = []
    for person in strangers.tolist():
        try:
            found = pupils(validation, [person], shots, StreamOptions(), 1, seed)
        except InputError:
            continue
        lessons += [pupil.lesson for pupil in found]
    return Known(head, training, tuple(lessons))


def analytic(known: Known, options: LdaOptions) -> LdaConstants:
    """The constants of the analytic head, from the training people."""
    constants, training = known.head.constants, known.training
    return build_lda(
        training.features,
        training.dataset.y[training.samples],
        constants.feature_zero_point,
        constants.classes,
        constants.capacity,
        options,
        known.head.feature_scale,
        known.head.options.eta,
    )


def calibrated(known: Known, blended: bool = False) -> LdaOptions:
    """Ridge, prior and blend by the accuracy that they bring the people of `known`, one after the
    other; then the temperature by the loss that is left."""
    best = LdaOptions(blend=USUAL_BLEND if blended else 0)
    if not known.lessons:
        return best
    best = _best(known, best, [replace(best, ridge=ridge) for ridge in RIDGES])
    best = _best(known, best, [replace(best, prior=prior) for prior in PRIORS])
    if blended:
        best = _best(known, best, [replace(best, blend=blend) for blend in BLENDS])
    return _temperature(known, best)


def _best(known: Known, usual: LdaOptions, others: Sequence[LdaOptions]) -> LdaOptions:
    """The most accurate of the others where it clearly beats the usual one, or else that."""
    scores = [_accuracy(known, options) for options in others]
    clear = max(scores) > _accuracy(known, usual) + CLEARLY
    return others[int(np.argmax(scores))] if clear else usual


def _accuracy(known: Known, options: LdaOptions) -> float:
    """The mean over people, after their lessons."""
    taught = teach(_parts(known, options), known.lessons, points=2)
    return float(np.mean([one.curve[-1][1] for one in taught]))


def _parts(known: Known, options: LdaOptions) -> LearnerParts:
    rules = learner_constants(UNGUARDED)
    return LearnerParts(rules, known.head.constants, analytic(known, options))


def _temperature(known: Known, options: LdaOptions) -> LdaOptions:
    """The lowest of those that lose nearly least after the lessons."""
    losses = {t: _loss(known, replace(options, temperature=t)) for t in TEMPERATURES}
    enough = NEARLY * min(losses.values())
    return replace(options, temperature=min(t for t in TEMPERATURES if losses[t] <= enough))


def _loss(known: Known, options: LdaOptions) -> float:
    """Bits that a test sample loses after the lessons, as the guard counts them; the mean over
    people. Infinite where the logits would leave their range."""
    try:
        parts = _parts(known, options)
    except InputError:
        return inf
    cap = parts.rules.loss_cap
    *_, last = moments(parts, known.lessons)
    losses = []
    for device, lesson in enumerate(known.lessons):
        answering = answering_rows(parts, last.state, np.array([device]))
        z = rows.logits(parts.units, answering, rows.centered(parts.head, lesson.test_features))
        loss = rows.loss(z, rows.softmax(z)[1], lesson.test_labels, answering.classes)
        losses.append(float(np.minimum(loss, cap).mean()) / ONE_BIT)
    return float(np.mean(losses))
