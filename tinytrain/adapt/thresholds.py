"""From where on a device takes what it sees for something else, and its answers for labels: found
out on people that training did not see, where there are any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.adapt.people import Class
from tinytrain.emulator import drift as drifting
from tinytrain.emulator import head
from tinytrain.errors import InputError
from tinytrain.head import PROBABILITY_BITS, HeadConstants
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import DriftConstants
from tinytrain.training.data import Int8Array

Int = npt.NDArray[np.int64]

PRECISION = 0.99
"""Share of right answers that pseudo-labels are to have."""
LEAST_ANSWERS = 20
"""Answers that a threshold for pseudo-labels has to rest on."""
UNREACHED = (1 << 31) - 1
"""Above every running mean."""


@dataclass(frozen=True)
class DriftOptions:
    """How drift is watched."""

    shift: int = 5
    """The running means forget with a factor of 2^-shift a sample. 1 to 12."""
    false_alarms: float = 0.01
    """Share of the samples of people without drift at which the alarm is on. 0 to 0.5."""

    def __post_init__(self) -> None:
        if not 1 <= self.shift <= 12:
            raise InputError(f"drift shift {self.shift}: 1 to 12")
        if not 0 < self.false_alarms <= 0.5:
            raise InputError(f"false alarms {self.false_alarms}: more than 0, at most 0.5")


@dataclass(frozen=True, eq=False)
class _Answers:
    """Of the factory head to n samples."""

    x: Int
    """(n, D)"""
    classes: Int
    """(n,)"""
    probabilities: Int
    """(n,) Q15, of those classes."""


def drift_constants(
    constants: HeadConstants,
    lda: LdaConstants,
    training: Class,
    validation: Class,
    options: DriftOptions,
) -> DriftConstants:
    """Thresholds that a share `options.false_alarms` of the observations of the validation people
    passes, half of it by either mean; off is half way back to the mean of the training people."""
    usual = _answers(constants, training.features)
    confidence = int(usual.probabilities.mean() * (1 << drifting.FRACTION_BITS))
    distance = drifting.distances(lda, usual.x, usual.classes).mean()
    distance = int(distance * (1 << drifting.FRACTION_BITS))
    quiet = DriftConstants(options.shift, confidence, -1, -1, distance, UNREACHED, UNREACHED)
    seen = [_running(constants, lda, validation, person, quiet)
            for person in np.unique(validation.dataset.group[validation.samples])]  # fmt: skip
    confidences, distances = np.concatenate(seen, axis=1)
    share = options.false_alarms / 2
    lowest = min(int(np.quantile(confidences, share)), confidence - 1)
    highest = max(int(np.quantile(distances, 1 - share)), distance + 1)
    return DriftConstants(
        drift_shift=options.shift,
        confidence=confidence,
        confidence_on=lowest,
        confidence_off=(lowest + confidence) // 2,
        distance=distance,
        distance_on=highest,
        distance_off=(highest + distance) // 2,
    )


def alarms(
    constants: HeadConstants, lda: LdaConstants, drift: DriftConstants, features: Int8Array
) -> npt.NDArray[np.bool_]:
    """(n,) whether the alarm is on at each of n samples, features (n, D), one after the other."""
    return _play(constants, lda, drift, features)[2].astype(np.bool_)


def _running(
    constants: HeadConstants,
    lda: LdaConstants,
    validation: Class,
    person: int,
    quiet: DriftConstants,
) -> Int:
    """(2, n) the running means of one person's samples, each class in turn as recorded."""
    data = validation.dataset
    own = validation.samples[data.group[validation.samples] == person]
    in_turn = own[np.argsort(data.y[own], kind="stable")]
    return _play(constants, lda, quiet, validation.of(in_turn))[:2]


def _play(
    constants: HeadConstants, lda: LdaConstants, drift: DriftConstants, features: Int8Array
) -> Int:
    """(3, n) confidence, distance and alarm after each sample."""
    seen = _answers(constants, features)
    state, device = drifting.start(drift, 1), np.zeros(1, np.int64)
    means = np.zeros((3, len(features)), np.int64)
    for step in range(len(features)):
        at = slice(step, step + 1)
        answer = seen.x[at], seen.classes[at], seen.probabilities[at]
        drifting.observe(drift, lda, state, device, *answer)
        means[:, step] = state.confidence[0], state.distance[0], state.alarm[0]
    return means


def pseudo_label_threshold(constants: HeadConstants, validation: Class) -> float:
    """The lowest probability from which on PRECISION of the answers are right; 1 where there is
    none."""
    seen = _answers(constants, validation.features)
    order = np.argsort(-seen.probabilities, kind="stable")
    right = (seen.classes == validation.dataset.y[validation.samples])[order]
    share = np.cumsum(right) / np.arange(1, len(right) + 1)
    enough = np.flatnonzero((share >= PRECISION) & (np.arange(len(right)) >= LEAST_ANSWERS - 1))
    if not len(enough):
        return 1.0
    return float(seen.probabilities[order[enough[-1]]]) / (1 << PROBABILITY_BITS)


def _answers(constants: HeadConstants, features: Int8Array) -> _Answers:
    x = head.centered(constants, features)
    z = head.logits((constants.units,), head.factory_rows(constants), x)
    classes = np.argmax(z, axis=1)
    return _Answers(x, classes, head.softmax(z)[0][np.arange(len(z)), classes])
