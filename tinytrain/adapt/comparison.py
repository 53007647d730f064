"""The heads beside each other: what each brings, and costs, the people that training never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from statistics import fmean

import numpy as np

from tinytrain.adapt.calibrate import UNGUARDED, Known, analytic, calibrated
from tinytrain.adapt.confusion import Confusion, confusion
from tinytrain.adapt.cost import learner_bytes
from tinytrain.adapt.floating import float_head, real_features
from tinytrain.adapt.people import Pupil
from tinytrain.adapt.simulation import Taught, curve_points, teach
from tinytrain.lda import LdaOptions
from tinytrain.learner import LearnerParts
from tinytrain.learner_options import LearnerOptions, learner_constants
from tinytrain.training.evaluate import float_head_predict
from tinytrain.training.tasks import Learner

HARM = 0.01
"""An accuracy that falls by more than this is harm, one that rises by more is a gain."""
HARMLESS = 0.02
"""Share of the devices that a recommended head may harm."""
ALIKE = 0.002
"""Accuracies so near decide nothing: the head that takes less memory is recommended."""

FLOAT = "float32 sgd"
SGD, FROZEN, BLENDED, LDA_SGD = "sgd", "lda frozen", "lda blended", "lda+sgd"
OWN = "task's own"


@dataclass(frozen=True)
class DeviceResult:
    """One person's device and one stream. Accuracies 0 to 1, of the person's other samples."""

    person: str
    before: float
    after: float
    rows_written: float | None
    """Share of all rows; None where a solve writes them all from time to time."""
    curve: tuple[tuple[int, float], ...]
    """(samples given, accuracy)"""


@dataclass(frozen=True)
class HeadResult:
    """What one way to learn made of all devices."""

    head: str
    guarded: bool
    ram: int
    """Bytes of learning; 0 for the float32 head, which is for comparison only."""
    devices: tuple[DeviceResult, ...]
    confusion_before: Confusion
    """Of the test samples of all devices."""
    confusion_after: Confusion
    settings: Mapping[str, object] = field(default_factory=dict)
    """Keys of a task's table [learner] that make a device of it; none for the float32 head."""

    def mean(self, field: str) -> float:
        return float(np.mean([getattr(device, field) for device in self.devices]))

    @property
    def gain(self) -> float:
        return self.mean("after") - self.mean("before")

    @property
    def worst(self) -> float:
        """What the device that lost most gained."""
        return min(device.after - device.before for device in self.devices)

    @property
    def worst_person(self) -> float:
        """What the person gained whose devices lost most, the mean of these."""
        return min(after - before for before, after in self.people.values())

    @property
    def people(self) -> dict[str, tuple[float, float]]:
        """Each person's accuracy before and after, the mean over their streams."""
        found: dict[str, list[DeviceResult]] = {}
        for device in self.devices:
            found.setdefault(device.person, []).append(device)
        return {
            person: (fmean(d.before for d in own), fmean(d.after for d in own))
            for person, own in found.items()
        }

    @property
    def rows_written(self) -> float | None:
        """Share of all rows, the mean of the devices; None where it is not counted."""
        shares = [d.rows_written for d in self.devices if d.rows_written is not None]
        return fmean(shares) if len(shares) == len(self.devices) else None

    @property
    def gainers(self) -> float:
        """Share of the devices."""
        return float(np.mean([device.after - device.before > HARM for device in self.devices]))

    @property
    def losers(self) -> float:
        """Share of the devices."""
        return float(np.mean([device.before - device.after > HARM for device in self.devices]))


@dataclass(frozen=True)
class Comparison:
    """All heads on the same streams."""

    task: str
    seed: int
    order: str
    noise: float
    label_names: tuple[str, ...]
    heads: tuple[HeadResult, ...]

    @property
    def own(self) -> HeadResult | None:
        """The task's own."""
        return next((head for head in self.heads if head.head == OWN), None)

    @property
    def recommended(self) -> HeadResult | None:
        """The guarded head that is best among those that do no harm, or else least; None where
        none gains anything."""
        guarded = [head for head in self.heads if head.guarded and head.gain > 0]
        if not guarded:
            return None
        fewest = max(HARMLESS, min(head.losers for head in guarded))
        fit = [head for head in guarded if head.losers <= fewest]
        best = max(head.gain for head in fit)
        return min((head for head in fit if head.gain >= best - ALIKE), key=lambda head: head.ram)

    def as_json(self) -> dict[str, object]:
        chosen = self.recommended
        return {
            **asdict(self),
            "recommended": None if chosen is None else chosen.head,
            "recommended_learner": None if chosen is None else dict(chosen.settings),
        }


@dataclass(frozen=True, eq=False)
class Way:
    """One way to learn."""

    head: str
    parts: LearnerParts
    settings: Mapping[str, object]
    """Keys of a task's table [learner]."""
    ram: int | None = None
    """Bytes; None for what a learner of these parts takes."""


def plans(known: Known) -> tuple[Way, ...]:
    """What each head learns by, without the guard and with it."""
    frozen, blended = calibrated(known), calibrated(known, blended=True)
    ways: tuple[tuple[str, str, LdaOptions | None], ...] = (
        (SGD, "sgd", None),
        (FROZEN, "lda", frozen),
        (BLENDED, "lda", blended),
        (LDA_SGD, "lda+sgd", frozen),
    )
    found = []
    for name, kind, options in ways:
        lda = None if options is None else analytic(known, options)
        for guarded in (False, True):
            chosen = learner_options(kind, guarded)
            parts = LearnerParts(learner_constants(chosen), known.head.constants, lda)
            found.append(Way(name, parts, task_keys(chosen, options)))
    return tuple(found)


def task_keys(chosen: LearnerOptions, lda: LdaOptions | None) -> dict[str, object]:
    """The keys of a task's table [learner] that differ from their defaults; of the analytic head
    all, so that they need not be found out again."""
    usual = Learner()
    keys: dict[str, object] = {"kind": chosen.kind}
    if lda is not None:
        keys |= {"prior": lda.prior, "ridge": lda.ridge, "blend": lda.blend}
    for entry in fields(LearnerOptions):
        value = getattr(chosen, entry.name)
        if hasattr(usual, entry.name) and value != getattr(usual, entry.name):
            keys[entry.name] = value
    return keys


def learner_options(kind: str, guarded: bool) -> LearnerOptions:
    """Of one kind, as it is compared."""
    if not guarded:
        return replace(UNGUARDED, kind=kind)
    if kind == "lda":
        return LearnerOptions(kind)
    # Gradient descent needs samples that it does not learn from to be judged by; replay makes up
    # for them.
    return LearnerOptions(kind, held=3, hold_every=3, replays=2)


def compare(
    known: Known,
    pupils: Sequence[Pupil],
    heads: Sequence[str] = (SGD, FROZEN, BLENDED, LDA_SGD),
    own: Way | None = None,
) -> tuple[HeadResult, ...]:
    """The heads, without and with the guard, plain SGD in float32, and the task's `own`."""
    ways = [way for way in plans(known) if way.head in heads]
    found = [_taught_result(way, pupils) for way in ways]
    last = [] if own is None else [_taught_result(own, pupils)]
    return (*found, float_result(known, pupils), *last)


def _taught_result(way: Way, pupils: Sequence[Pupil]) -> HeadResult:
    parts = way.parts
    taught: Sequence[Taught] = teach(parts, [pupil.lesson for pupil in pupils])
    if parts.blended:
        taught = [replace(one, rows_written=None) for one in taught]
    ram = learner_bytes(parts) if way.ram is None else way.ram
    found = _result(way.head, bool(parts.rules.guard), ram, pupils, taught)
    return replace(found, settings=way.settings)


def float_result(known: Known, pupils: Sequence[Pupil]) -> HeadResult:
    """Plain SGD in float32, all rows, on the same features in the same order."""
    taught = tuple(_float_taught(known, pupil) for pupil in pupils)
    return _result(FLOAT, False, 0, pupils, taught)


def _float_taught(known: Known, pupil: Pupil) -> Taught:
    lesson, head = pupil.lesson, known.head
    points = curve_points(len(lesson.labels))
    x, learned, answers = real_features(head, lesson.test_features), None, []
    for first, end in zip([0, *points[:-1]], points, strict=True):
        learned = float_head(head, lesson.features[first:end], lesson.labels[first:end], learned)
        answers.append(float_head_predict(x, learned.weights, learned.bias))
    right = [float((given == lesson.test_labels).mean()) for given in answers]
    return Taught(tuple(zip(points, right, strict=True)), answers[0], answers[-1], 1.0, ())


def _result(
    name: str, guarded: bool, ram: int, pupils: Sequence[Pupil], taught: Sequence[Taught]
) -> HeadResult:
    devices = tuple(
        DeviceResult(pupil.person, one.curve[0][1], one.curve[-1][1], one.rows_written, one.curve)
        for pupil, one in zip(pupils, taught, strict=True)
    )
    truth = np.concatenate([pupil.lesson.test_labels for pupil in pupils])
    given = [np.concatenate([getattr(one, end) for one in taught]) for end in ("before", "after")]
    classes = 1 + max(int(array.max()) for array in (truth, *given))
    before, after = (confusion(truth, answers, classes) for answers in given)
    return HeadResult(name, guarded, ram, devices, before, after)
