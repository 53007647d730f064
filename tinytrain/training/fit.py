"""Fit: train a network on the people of a split, the same every time; go on where it stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from tinytrain.progress import Progress
from tinytrain.training.ahead import ahead
from tinytrain.training.anomaly import area_under_curve, squared_errors
from tinytrain.training.augment import sampler
from tinytrain.training.batches import Batch, batches
from tinytrain.training.checkpoint import Checkpoint, load, save
from tinytrain.training.data import DataSet, IndexArray, Split, split
from tinytrain.training.evaluate import group_accuracies
from tinytrain.training.learner import Learner, Optimization, State, make_learner
from tinytrain.training.libraries import make_deterministic
from tinytrain.training.network import Model, as_network_input, build_for
from tinytrain.training.tasks import Task

_VALIDATION_BATCH = 512


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training samples ended with; accuracies in 0..1.

    An autoencoder has no accuracy (0); its validation accuracy is the area under the curve of
    telling other classes from the first, 0.5 where there is one class only.
    """

    loss: float
    accuracy: float
    validation_accuracy: float


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; `stage` is what progress calls it."""

    stage: str
    epochs: int
    rate: float
    """Peak learning rate as a multiple of the task's."""


@dataclass(frozen=True)
class Trained:
    """A Keras network and the epochs that led to it."""

    model: Model
    history: tuple[Epoch, ...]


@dataclass
class _Course:
    """How far a training is; with the learner's state, all that an epoch leaves to the next."""

    generator: np.random.Generator
    history: list[Epoch] = field(default_factory=list)
    best: State = field(default_factory=list)


def train(
    task: Task, dataset: DataSet, seed: int, progress: Progress, checkpoint: Path | None = None
) -> Trained:
    """A new network, trained on the people that `seed` leaves in the training set.

    Two runs with the same seed on the same machine give the same weights, bit for bit. Where the
    task asks for a teacher, it is trained first. `checkpoint` is a folder for a file of each: a
    run that was interrupted goes on after its last finished epoch.
    """
    shape, classes = dataset.x.shape[1:], len(dataset.label_names)
    teacher: Model | None = None
    if task.training.teacher_width > 0 and task.network.name != "autoencoder":
        make_deterministic(seed)
        width = task.network.width * task.training.teacher_width
        teacher = build_for(
            replace(task, network=replace(task.network, width=width)), shape, classes
        )
        _fit_from(teacher, task, dataset, seed, "teacher", progress, checkpoint)
    make_deterministic(seed)
    model = build_for(task, shape, classes)
    history = _fit_from(model, task, dataset, seed, "train", progress, checkpoint, teacher)
    return Trained(model, history)


def split_of(task: Task, dataset: DataSet, seed: int) -> Split:
    """The people of `seed`, as the task shares them out."""
    return split(dataset, task.split, seed)


def fit(
    model: Model,
    task: Task,
    dataset: DataSet,
    seed: int,
    *,
    schedule: Schedule,
    progress: Progress,
    teacher: Model | None = None,
    distillation: float = 0.0,
    checkpoint: Path | None = None,
) -> tuple[Epoch, ...]:
    """Train `model` in place; the learning rate warms up, then decays to 0 on a cosine.

    With patience, training ends that many epochs after the best on the validation people, and the
    weights are those of the best. `distillation` is the share of `teacher` in the loss.
    `checkpoint` is a file, written after every epoch; where it is there, training goes on from it,
    to the same result. Raises InputError where it belongs to another training.
    """
    split = split_of(task, dataset, seed)
    chosen = split.train
    if task.network.name == "autoencoder":
        chosen = chosen[dataset.y[chosen] == 0]
    settings = task.training
    steps = max(1, len(chosen) // settings.batch_size)
    peak = settings.learning_rate * schedule.rate
    optimization = Optimization(peak, settings.weight_decay, schedule.epochs * steps)
    learner = make_learner(model, optimization, teacher, distillation)
    course = _Course(np.random.default_rng(seed))
    identity = ""
    if checkpoint is not None:
        identity = _identity(learner, teacher, task, dataset, seed, schedule, distillation)
        _resume(course, learner, load(checkpoint, identity))
    draw = sampler(task, dataset, chosen)
    progress(schedule.stage, len(course.history), schedule.epochs)
    while not _finished(course.history, schedule.epochs, settings.patience):
        loss, accuracy = _pass(learner, batches(draw, task, dataset, chosen, course.generator))
        others = _validate(learner, task, dataset, split.validation)
        course.history.append(Epoch(loss, accuracy, others))
        if settings.patience and _best(course.history) == len(course.history) - 1:
            course.best = learner.state()
        if checkpoint is not None:
            save(_checkpoint(course, learner, identity), checkpoint)
        progress(schedule.stage, len(course.history), schedule.epochs, _message(course.history[-1]))
    if course.best:
        learner.restore(course.best)
    return tuple(course.history)


def _fit_from(
    model: Model,
    task: Task,
    dataset: DataSet,
    seed: int,
    stage: str,
    progress: Progress,
    checkpoint: Path | None,
    teacher: Model | None = None,
) -> tuple[Epoch, ...]:
    """A whole training from fresh weights, with its file in the folder `checkpoint`."""
    return fit(
        model,
        task,
        dataset,
        seed,
        schedule=Schedule(stage, task.training.epochs, rate=1.0),
        progress=progress,
        teacher=teacher,
        distillation=task.training.distillation if teacher is not None else 0.0,
        checkpoint=None if checkpoint is None else checkpoint / f"{stage}.npz",
    )


def _pass(learner: Learner, epoch: Iterator[Batch]) -> tuple[float, float]:
    """One step a batch; the means of loss and accuracy."""
    results = [learner.step(*batch) for batch in ahead(epoch)]
    figures = np.array([[loss.numpy(), right.numpy()] for loss, right in results], np.float64)
    loss, accuracy = figures.mean(axis=0)
    return float(loss), float(accuracy)


def _validate(learner: Learner, task: Task, dataset: DataSet, validation: IndexArray) -> float:
    """Accuracy, the mean over the groups; of an autoencoder the area under the curve."""
    parts = np.array_split(validation, max(1, -(-len(validation) // _VALIDATION_BATCH)))
    answers = np.concatenate(
        [learner.outputs(as_network_input(dataset.x[part])).numpy() for part in parts]
    )
    if task.network.name == "autoencoder":
        scores = squared_errors(answers, dataset.x[validation])
        return area_under_curve(scores, dataset.y[validation] != 0)
    others = group_accuracies(dataset, validation, answers.argmax(axis=1)).values()
    return sum(others) / len(others)


def _finished(history: list[Epoch], epochs: int, patience: int) -> bool:
    done = len(history)
    return done >= epochs or (0 < patience <= done - 1 - _best(history))


def _best(history: list[Epoch]) -> int:
    """The first epoch of the best validation accuracy; -1 before any."""
    if not history:
        return -1
    return int(np.argmax([epoch.validation_accuracy for epoch in history]))


def _message(epoch: Epoch) -> str:
    own = f"accuracy {epoch.accuracy:.3f}" if epoch.accuracy else f"loss {epoch.loss:.4f}"
    return f"{own}, in validation {epoch.validation_accuracy:.3f}"


def _checkpoint(course: _Course, learner: Learner, identity: str) -> Checkpoint:
    record = {
        "generator": course.generator.bit_generator.state,
        "history": [asdict(epoch) for epoch in course.history],
    }
    return Checkpoint(identity, record, learner.state(), course.best)


def _resume(course: _Course, learner: Learner, found: Checkpoint | None) -> None:
    if found is None:
        return
    learner.restore(found.state)
    course.generator.bit_generator.state = found.record["generator"]
    course.history = [Epoch(**epoch) for epoch in found.record["history"]]
    course.best = found.best


def _identity(
    learner: Learner,
    teacher: Model | None,
    task: Task,
    dataset: DataSet,
    seed: int,
    schedule: Schedule,
    distillation: float,
) -> str:
    """A digest of everything that decides the result: settings, data, and the weights at first."""
    settings = (task.network, task.training, task.augmentation, task.split, task.data.kind)
    digest = hashlib.sha256(repr((settings, schedule, seed, distillation)).encode())
    start = learner.state() + ([] if teacher is None else teacher.get_weights())
    for array in (dataset.x, dataset.y, dataset.group, *start):
        digest.update(array.tobytes())
    return digest.hexdigest()
