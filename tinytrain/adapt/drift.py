"""How far a device may leave its own baseline before that is drift: found out by playing what known
people gave, each against a baseline of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinytrain.adapt.answers import Answers, answers
from tinytrain.adapt.people import Class
from tinytrain.adapt.streams import BURSTS, StreamOptions, make_stream
from tinytrain.emulator import drift as drifting
from tinytrain.errors import InputError
from tinytrain.head import HeadConstants
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import UNLIMITED, DriftConstants
from tinytrain.training.data import IndexArray, Int8Array

Int = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]

STREAMS = 3
"""Of each person."""
WATCHED = 768
"""Observations of a stream after its baseline."""
MOST_PEOPLE = 64
LEAST_SAMPLES = 64
"""A person with fewer varies less than a device would; where nobody has more, all are one."""
LARGEST_SCALE = 8.0
"""Of thresholds over what known people reach."""
STRANGE = 1.75
"""An untaught device whose baseline is so much farther than the farthest known person's has begun
with drift."""


@dataclass(frozen=True)
class DriftOptions:
    """How drift is watched."""

    shift: int = 5
    """The running means forget with a factor of 2^-shift a sample. 1 to 12."""
    settle: int = 8
    """The baseline is of the first 2^settle samples. 4 to 9."""
    false_alarms: float = 0.01
    """Share of the samples of people without drift at which the alarm is on. 0 to 0.5."""

    def __post_init__(self) -> None:
        if not 1 <= self.shift <= 12:
            raise InputError(f"drift shift {self.shift}: 1 to 12")
        if not 4 <= self.settle <= 9:
            raise InputError(f"drift settle {self.settle}: 4 to 9")
        if not 0 < self.false_alarms <= 0.5:
            raise InputError(f"false alarms {self.false_alarms}: more than 0, at most 0.5")


@dataclass(frozen=True, eq=False)
class _Risen:
    """How far the running means of S streams rose above their baselines."""

    spreads: Float
    """(S, T, 2) distance and doubt, in spreads of the baseline."""
    people: Int
    """(S,) whose streams they are."""
    strange: npt.NDArray[np.bool_]
    """(S,) whether the network was not trained on them."""


def drift_constants(
    constants: HeadConstants,
    lda: LdaConstants,
    training: Class,
    validation: Class,
    options: DriftOptions,
) -> DriftConstants:
    """Thresholds that no more than a share `options.false_alarms` of the observations of a person
    passes that they were not made from: with each known person left out in turn, on average over
    the training people, and over the strangers among the validation people."""
    usual = answers(constants, training.features)
    expected = _expected(lda, usual)
    seen = drifting.signals(lda, expected, usual.x, usual.classes, usual.probabilities)
    spreads = [max(int(128 * spread), 1) for spread in seen.std(axis=0)]
    unset = DriftConstants(
        options.shift, options.settle, 1, spreads[0], 1, spreads[1], UNLIMITED, expected
    )
    strangers = np.setdiff1d(_groups(validation), _groups(training))
    people = _people(training, validation, strangers)
    values = [
        drifting.signals(lda, expected, found.x, found.classes, found.probabilities)
        for found in (answers(constants, person.features) for person in people)
    ]
    on = np.rint(256 * _thresholds(_risen(unset, people, values), options.false_alarms))
    distance_on, doubt_on = np.clip(on, 1, 1 << 16).astype(int).tolist()
    limit = UNLIMITED
    if len(strangers):
        farthest = max(float(value[:, 0].mean()) for value in values)
        limit = _limit(farthest, float(expected[usual.classes].mean()))
    return replace(unset, distance_on=distance_on, doubt_on=doubt_on, distance_limit=limit)


def _limit(farthest: float, expected: float) -> int:
    """STRANGE times the distance of the farthest person, of which `expected` is taken off."""
    return round((STRANGE * (farthest + expected) - expected) * (1 << drifting.FRACTION_BITS))


def alarms(
    constants: HeadConstants, lda: LdaConstants, drift: DriftConstants, features: Int8Array
) -> npt.NDArray[np.bool_]:
    """(S, T) whether the alarm is on at each sample of S untaught devices, features (S, T, D)."""
    streams, length, width = features.shape
    seen = answers(constants, features.reshape(-1, width))
    values = drifting.signals(lda, drift.usual, seen.x, seen.classes, seen.probabilities)
    state, devices = drifting.start(streams), np.arange(streams)
    found = np.zeros((streams, length), bool)
    for step, value in enumerate(values.reshape(streams, length, -1).transpose(1, 0, 2)):
        drifting.follow(drift, state, devices, value, np.ones(streams, bool))
        found[:, step] = state.alarm
    return found


def bursts(x: Int8Array, labels: IndexArray, length: int, key: tuple[int, int]) -> IndexArray:
    """(length,) which of the samples (n, D) one person gives, in runs of a class as bursts have
    them, over and over. `key`: the person, the number of the stream."""
    options, parts = StreamOptions(BURSTS), []
    for turn in range(-(-length // len(x))):
        stream = make_stream(x, labels, int(labels.max()) + 1, options, (*key, turn))
        parts.append(stream.samples)
    return np.concatenate(parts)[:length]


def _groups(known: Class) -> Int:
    return np.unique(known.dataset.group[known.samples])


@dataclass(frozen=True, eq=False)
class _Person:
    """The n samples of one person."""

    features: Int8Array
    """(n, D)"""
    labels: IndexArray
    """(n,)"""
    strange: bool


def _people(training: Class, validation: Class, strangers: Int) -> list[_Person]:
    """All known people, or MOST_PEOPLE of them."""
    samples = np.concatenate([training.samples, validation.samples])
    features = np.concatenate([training.features, validation.features])
    group, labels = training.dataset.group[samples], training.dataset.y[samples]
    names, counts = np.unique(group, return_counts=True)
    enough = names[counts >= LEAST_SAMPLES]
    if not len(enough):
        return [_Person(features, labels, False)]
    return [
        _Person(features[group == name], labels[group == name], name in strangers)
        for name in enough[:: -(-len(enough) // MOST_PEOPLE)]
    ]


def _expected(lda: LdaConstants, usual: Answers) -> npt.NDArray[np.int16]:
    """(C0,) mean distances from each class, of what is taken for it; of all where nothing is."""
    distance = drifting.distances(lda, usual.x, usual.classes)
    found = np.full(len(lda.means), distance.mean())
    for label in np.unique(usual.classes):
        found[label] = distance[usual.classes == label].mean()
    return np.clip(np.rint(found), 0, np.iinfo(np.int16).max).astype(np.int16)


def _risen(constants: DriftConstants, people: Sequence[_Person], values: Sequence[Int]) -> _Risen:
    """Each person's streams, played on devices of their own."""
    settle = 1 << constants.settle_shift
    streams = [
        value[bursts(person.features, person.labels, settle + WATCHED, (number, stream))]
        for number, (person, value) in enumerate(zip(people, values, strict=True))
        for stream in range(STREAMS)
    ]
    state, devices = drifting.start(len(streams)), np.arange(len(streams))
    risen = np.zeros((len(streams), WATCHED, drifting.SIGNALS))
    for step, value in enumerate(np.stack(streams, axis=1)):
        drifting.follow(constants, state, devices, value, np.ones(len(streams), bool))
        if step >= settle:
            risen[:, step - settle] = (state.running - state.level) / state.spread
    strange = np.array([person.strange for person in people])
    return _Risen(risen, np.repeat(np.arange(len(people)), STREAMS), np.repeat(strange, STREAMS))


def _thresholds(risen: _Risen, rate: float) -> Float:
    """(2,) of distance and doubt, in spreads: what a share rate / 2 of the observations passes,
    and as much more as people need whom it was not made from."""
    low, high = 1.0, LARGEST_SCALE
    if _left_out(risen, rate, low) > rate:
        for _ in range(8):
            middle = (low + high) / 2
            low, high = (low, middle) if _left_out(risen, rate, middle) <= rate else (middle, high)
        low = high
    return low * _passed(risen.spreads, rate)


def _passed(spreads: Float, rate: float) -> Float:
    """(2,) above 0, so that half of it is below it."""
    found = np.quantile(spreads.reshape(-1, drifting.SIGNALS), 1 - rate / 2, axis=0)
    return np.maximum(found, 1 / 64)


def _left_out(risen: _Risen, rate: float, scale: float) -> float:
    """The share of observations with an alarm, of each person by the others' thresholds: of the
    strangers or of the others, whoever has more."""
    on = np.zeros((len(risen.people), drifting.SIGNALS))
    for person in np.unique(risen.people):
        own = risen.people == person
        others = risen.spreads[own if own.all() else ~own]
        on[own] = scale * _passed(others, rate)
    alarm, count = np.zeros(len(on), bool), np.zeros(len(on))
    for step in range(risen.spreads.shape[1]):
        now = risen.spreads[:, step]
        alarm = (now > on).any(axis=1) | (alarm & ~(now < on / 2).all(axis=1))
        count += alarm
    sides = (count[risen.strange == side] for side in (False, True))
    return max(float(side.mean()) for side in sides if len(side)) / risen.spreads.shape[1]
