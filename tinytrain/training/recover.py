"""Recover: the integer network that keeps most of the float network's accuracy, in every group.

Plain int8 comes first, and is mostly good enough. Where it loses more than the task allows, the
channels' ranges are equalized, which costs nothing on the device and needs no training; then the
network is fine-tuned as if it were int8; at last its activations become int16, if the task and the
device allow. Each step is measured as the device computes it, and the first that is good enough is
taken; if none is, the best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from tinytrain.errors import InputError
from tinytrain.progress import Progress
from tinytrain.training.data import DataSet, IndexArray
from tinytrain.training.equalize import equalized
from tinytrain.training.fit import split_of
from tinytrain.training.fold import folded
from tinytrain.training.groups import EVERYONE, balanced, worth_by_group
from tinytrain.training.libraries import Model, make_deterministic
from tinytrain.training.network import as_network_input
from tinytrain.training.quantization_aware import fine_tune
from tinytrain.training.quantize import calibration_samples, quantize
from tinytrain.training.tasks import Quantization, Task

Accuracy = Mapping[str, float]
"""0 to 1 by group."""
Measure = Callable[[bytes], Accuracy]
"""A .tflite to its accuracy on the samples of `measured_samples`; an autoencoder's is the area
under the curve. Raises InputError where the emulator cannot run it."""

WHO = "people of training and validation"
MOST_SAMPLES = 2000
"""To measure on: enough to see one point, few enough for an emulator."""

INT8, EQUALIZED, AWARE, INT16 = (
    "int8",
    "equalized int8",
    "quantization-aware int8",
    "int16 activations",
)


@dataclass(frozen=True)
class Quantized:
    """The .tflite, how it was made (INT8, EQUALIZED, AWARE or INT16), and what was tried."""

    data: bytes
    how: str
    float_accuracy: Accuracy
    accuracies: Mapping[str, Accuracy]
    """Of everything that was tried, in order, on people of training and validation."""
    notes: tuple[str, ...]
    """For a human."""


def quantize_best(
    model: Model, task: Task, dataset: DataSet, seed: int, measure: Measure, progress: Progress
) -> Quantized:
    """The first way of quantizing `model` that loses no more than the task allows, else the best.

    `measure` computes as the device does; it is called once for each way that is tried.
    """
    make_deterministic(seed)
    goal = worth_by_group(model, dataset, measured_samples(task, dataset, seed))
    tried: dict[str, tuple[bytes, Accuracy]] = {}
    notes: list[str] = []
    for how, data in _ways(model, task, dataset, seed, progress):
        try:
            tried[how] = data, measure(data)
        except InputError as error:
            if how == INT8:
                raise
            notes.append(f"{how}: the device cannot run it: {error}")
            continue
        notes.append(f"{how} against float32, on {WHO}: {_told(goal, tried[how][1])}")
        if not needs_recovery(goal, tried[how][1], task.quantization):
            break
    best = min(tried, key=lambda how: _excess(goal, tried[how][1], task.quantization))
    return Quantized(
        data=tried[best][0],
        how=best,
        float_accuracy=goal,
        accuracies={how: accuracy for how, (_, accuracy) in tried.items()},
        notes=tuple(notes),
    )


def needs_recovery(before: Accuracy, after: Accuracy, quantization: Quantization) -> bool:
    """Whether int8 (`after`) lost more than the task allows, in the mean over the groups or in
    one; as measured, with nothing set aside for chance: trying is cheap, and the best is taken."""
    return _excess(before, after, quantization) > 1e-9


def _told(before: Accuracy, after: Accuracy) -> str:
    """What was lost or gained, and by whom most, for a human."""
    loss, worst, group = losses(before, after)
    change = f"{'gains' if loss < 0 else 'loses'} {abs(100 * loss):.1f} points"
    nobody = worst <= 0 or group == EVERYONE
    return change if nobody else f"{change}; largest loss {100 * worst:.1f} ({group})"


def losses(before: Accuracy, after: Accuracy) -> tuple[float, float, str]:
    """What was lost in the mean over the groups, and in the worst, and which that is."""
    groups = [name for name in before if name in after]
    # Everyone together is no group of its own, except in data without groups.
    groups = [name for name in groups if name != EVERYONE] or groups
    worst = max(groups, key=lambda name: before[name] - after[name])
    overall = fmean(before[name] - after[name] for name in groups)
    return overall, before[worst] - after[worst], worst


def measured_samples(task: Task, dataset: DataSet, seed: int) -> IndexArray:
    """The samples that decide, ascending: people of training and validation."""
    split = split_of(task, dataset, seed)
    return balanced(dataset, np.concatenate([split.train, split.validation]), MOST_SAMPLES, seed)


def _ways(
    model: Model, task: Task, dataset: DataSet, seed: int, progress: Progress
) -> Iterator[tuple[str, bytes]]:
    """The ways of quantizing, from the cheapest to the dearest; made when they are asked for."""
    samples = calibration_samples(task, dataset, seed)
    steps = 2 + (task.quantization.epochs > 0) + task.quantization.int16
    progress("quantize", 0, steps)
    yield INT8, quantize(model, samples)
    progress("quantize", 1, steps, "int8 loses too much; equalizing")
    plain = equalized(folded(model), as_network_input(samples))
    yield EQUALIZED, quantize(plain, samples)
    if task.quantization.epochs > 0:
        progress("quantize", 2, steps, "fine-tuning as int8")
        fine_tune(plain, model, as_network_input(samples), task, dataset, seed, progress)
        yield AWARE, quantize(plain, samples)
    if task.quantization.int16:
        progress("quantize", steps - 1, steps, "int16 activations")
        yield INT16, quantize(model, samples, "int16")


def _excess(before: Accuracy, after: Accuracy, quantization: Quantization) -> float:
    """By how much the worse of both limits is broken; negative where there is room."""
    overall, worst, _ = losses(before, after)
    return max(overall - quantization.max_loss, worst - quantization.max_group_loss)
