"""For each user that training never saw: accuracy before and after learning on a device, beside a
float32 softmax head that learns the same samples from the same features.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.device.emulated import EmulatedDevice
from tinytrain.device.interface import Device
from tinytrain.emulator.inference import run
from tinytrain.errors import CheckError
from tinytrain.head import Head
from tinytrain.model import Model
from tinytrain.progress import Progress
from tinytrain.training.data import DataSet, PersonalSplit, Split, personal_split
from tinytrain.training.evaluate import FloatHead, float_head_learn, float_head_predict
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


@dataclass(frozen=True)
class Experiment:
    task: str
    target: str
    seed: int
    users: tuple[UserResult, ...]

    def mean(self, field: str) -> float:
        """The mean over users of one of their figures."""
        return float(np.mean([getattr(user, field) for user in self.users]))

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
) -> Experiment:
    """Every unseen person of `split` starts from the factory head of `device`.

    Raises CheckError where the device's trace leaves the emulator's.
    """
    users = []
    people = split.unseen_people
    for done, person in enumerate(people):
        progress("users", done, len(people), dataset.group_names[person])
        own = personal_split(dataset, person, task.head.shots, seed, split.unseen)
        users.append(_one_user(task, dataset, model, device, person, own))
        progress("users", done + 1, len(people), dataset.group_names[person])
    return Experiment(task.name, target, seed, tuple(users))


def _one_user(
    task: Task,
    dataset: DataSet,
    model: Model,
    device: Device,
    person: int,
    split: PersonalSplit,
) -> UserResult:
    assert model.head is not None
    stream = np.tile(split.learn, task.head.passes)
    x, y = dataset.x[stream], dataset.y[stream]
    test_x, test_y = dataset.x[split.test], dataset.y[split.test]
    device.reset()
    before = float((device.classify_many(test_x) == test_y).mean())
    steps = device.learn_many(x, y)
    after = float((device.classify_many(test_x) == test_y).mean())
    emulated, curve = _emulate(model, x, y, test_x, test_y, len(split.learn))
    if emulated[-1] != steps[-1].crc:
        raise CheckError("the device's learning trace leaves the emulator's; run `verify`")
    floating = _float_head(task, dataset, model, model.head, stream)
    predicted = float_head_predict(
        _features(model, model.head, test_x), floating.weights, floating.bias
    )
    written = sum(step.rows_written for step in steps)
    return UserResult(
        user=dataset.group_names[person],
        windows_learned=len(split.learn),
        steps=len(stream),
        before=before,
        after=after,
        float_after=float((predicted == test_y).mean()),
        rows_written=written / (len(stream) * model.head.constants.classes),
        curve=curve,
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
        curve.append((end, float((device.classify_many(test_x) == test_y).mean())))
    return crcs, tuple(curve)


def _features(model: Model, head: Head, x: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    """The features in real units, (n, D)."""
    values = run(model.graph, model.kernels, [x.reshape(len(x), -1)], head.operator)
    quantized = values[head.feature_tensor].astype(np.float64) - head.constants.feature_zero_point
    return (quantized * head.feature_scale).astype(np.float32)


def _float_head(
    task: Task, dataset: DataSet, model: Model, head: Head, stream: npt.NDArray[np.int64]
) -> FloatHead:
    """Plain float32 SGD, all rows, from the dequantized factory head, with the device's eta."""
    scale = head.weight_scale[:, None]
    weights = (head.constants.weights * scale).astype(np.float32)
    bias = (head.constants.bias * head.weight_scale * head.feature_scale).astype(np.float32)
    energy = head.energy * head.feature_scale**2
    features = _features(model, head, dataset.x[stream])
    return float_head_learn(
        features, dataset.y[stream], weights, bias, eta=task.head.eta, energy=energy
    )
