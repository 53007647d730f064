"""For each user that training never saw: accuracy before and after learning on a device, beside a
float32 softmax head that learns the same samples from the same features.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from tinytrain.adapt.confusion import Confusion, confusion
from tinytrain.adapt.floating import float_head, real_features
from tinytrain.adapt.people import PersonStream, features, head_of, person_stream
from tinytrain.adapt.streams import SHUFFLED, StreamOptions
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Device
from tinytrain.errors import CheckError
from tinytrain.learner import LearnerParts
from tinytrain.learner_options import KINDS
from tinytrain.model import Model
from tinytrain.progress import Progress
from tinytrain.training.data import DataSet, Split, personal_split
from tinytrain.training.evaluate import float_head_predict
from tinytrain.training.tasks import Task

CURVE_POINTS = 14
"""Points of the curve of accuracy over samples, in the first pass."""


@dataclass(frozen=True)
class UserResult:
    """Accuracies 0 to 1 on windows that were not learned from."""

    user: str
    windows_learned: int
    steps: int
    before: float
    after: float
    """By the device."""
    float_after: float
    """By the float32 head on the same features."""
    rows_written: float
    """Share of all rows of the head, over all steps."""
    curve: tuple[tuple[int, float], ...]
    """(steps done, accuracy)"""
    confusion_before: Confusion = ()
    confusion_after: Confusion = ()
    stream: int = 0
    """Which of the person's streams, from 0."""


@dataclass(frozen=True)
class Experiment:
    task: str
    target: str
    seed: int
    """Of the streams."""
    users: tuple[UserResult, ...]
    """A result for each person and stream."""
    head: str = ""
    """What learned, as `head_name` says it."""
    order: str = SHUFFLED
    noise: float = 0.0
    """Share of wrong labels."""
    label_names: tuple[str, ...] = ()

    def mean(self, field: str) -> float:
        """The mean over users of one of their figures."""
        return float(np.mean([getattr(user, field) for user in self.users]))

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(user.user for user in self.users))

    @property
    def streams(self) -> int:
        """Of each person."""
        return len({user.stream for user in self.users})

    def confusion(self, field: str) -> Confusion:
        """The sum over users of `confusion_before` or `confusion_after`."""
        counts = np.sum([getattr(user, field) for user in self.users], axis=0)
        return tuple(map(tuple, counts.tolist()))

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def learning_experiment(
    task: Task,
    dataset: DataSet,
    split: Split,
    model: Model,
    device: Device,
    target: str,
    seed: int,
    progress: Progress,
    options: StreamOptions,
    streams: int,
) -> Experiment:
    """Every unseen person of `split` starts from the factory head of `device`, with each stream.

    Raises CheckError where the device's trace leaves the emulator's.
    """
    users: list[UserResult] = []
    people = split.unseen_people
    for done, person in enumerate(people):
        progress("users", done, len(people), dataset.group_names[person])
        own = personal_split(dataset, person, task.head.shots, seed, split.unseen)
        for number in range(streams):
            given = person_stream(dataset, own, options, (seed, person, number))
            user = _one_user(dataset, model, device, person, given, options.passes)
            users.append(replace(user, stream=number))
        progress("users", done + 1, len(people), dataset.group_names[person])
    return Experiment(
        task.name,
        target,
        seed,
        tuple(users),
        head_name(model.learner),
        options.order,
        options.wrong,
        dataset.label_names,
    )


def head_name(learner: LearnerParts | None) -> str:
    """What learns, for a human: the kind of learner, and whether it is guarded."""
    if learner is None:
        return "sgd without a guard"
    kind = next(name for name, kind in KINDS.items() if kind == learner.rules.kind)
    if kind == "lda":
        kind = "lda blended" if learner.blended else "lda frozen"
    return f"{kind} {'with the' if learner.rules.guard else 'without a'} guard"


def _one_user(
    dataset: DataSet, model: Model, device: Device, person: int, given: PersonStream, passes: int
) -> UserResult:
    head = head_of(model)
    x, y, test_x, test_y = given.x, given.labels, given.test_x, given.test_labels
    device.reset()
    before = device.classify_many(test_x)
    steps = device.learn_many(x, y)
    device.end_session()
    after = device.classify_many(test_x)
    emulated, curve = _emulate(model, x, y, test_x, test_y, len(y) // passes)
    if emulated[-1] != steps[-1].crc:
        raise CheckError("the device's learning trace leaves the emulator's; run `verify`")
    floating = float_head(head, features(model, x), y)
    float_after = float_head_predict(
        real_features(head, features(model, test_x)), floating.weights, floating.bias
    )
    written = sum(step.rows_written for step in steps)
    return UserResult(
        user=dataset.group_names[person],
        windows_learned=len(y) // passes,
        steps=len(y),
        before=float((before == test_y).mean()),
        after=float((after == test_y).mean()),
        float_after=float((float_after == test_y).mean()),
        rows_written=written / (len(y) * head.constants.classes),
        curve=curve,
        confusion_before=confusion(test_y, before, len(dataset.label_names)),
        confusion_after=confusion(test_y, after, len(dataset.label_names)),
    )


def _emulate(
    model: Model,
    x: npt.NDArray[np.int8],
    y: npt.NDArray[np.int64],
    test_x: npt.NDArray[np.int8],
    test_y: npt.NDArray[np.int64],
    one_pass: int,
) -> tuple[list[int], tuple[tuple[int, float], ...]]:
    """The emulator's trace, and its accuracy along the way: in the first pass, then at each end."""
    early = np.linspace(0, one_pass, CURVE_POINTS).astype(np.int64)
    points = sorted({*early.tolist(), *range(one_pass, len(x) + 1, one_pass)})
    device = EmulatedDevice(model)
    crcs: list[int] = []
    curve = []
    for first, end in zip([0, *points[:-1]], points, strict=True):
        if end > first:
            crcs += [step.crc for step in device.learn_many(x[first:end], y[first:end])]
        if end == len(x):
            device.end_session()
        curve.append((end, float((device.classify_many(test_x) == test_y).mean())))
    return crcs, tuple(curve)
