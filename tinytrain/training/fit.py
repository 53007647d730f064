"""Fit: train a network on the people of a split, with motion augmentation, the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tinytrain.progress import Progress
from tinytrain.training.data import DataSet, IndexArray, Split, split_people
from tinytrain.training.evaluate import accuracy_by_group
from tinytrain.training.network import (
    Model,
    as_network_input,
    build,
    load_keras,
    load_tensorflow,
    plan_architecture,
)
from tinytrain.training.tasks import Augmentation, Task

Float32Array = NDArray[np.float32]

_WARM_UP_SHARE = 0.1
_WEIGHT_DECAY = 1e-2


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training windows ended with; accuracies in 0..1."""

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


def train(task: Task, dataset: DataSet, seed: int, progress: Progress) -> Trained:
    """A new network, trained on the people that `seed` leaves in the training set.

    Two runs with the same seed on the same machine give the same weights, bit for bit.
    """
    make_deterministic(seed)
    _, window, sensors = dataset.x.shape
    model = build(plan_architecture(task, window, sensors, len(dataset.label_names)))
    schedule = Schedule("train", task.epochs, rate=1.0)
    history = fit(model, task, dataset, seed, schedule=schedule, progress=progress)
    return Trained(model, history)


def split_of(task: Task, dataset: DataSet, seed: int) -> Split:
    """The people of `seed`, as the task shares them out."""
    return split_people(dataset, seed, task.unseen_people, task.validation_people)


def make_deterministic(seed: int) -> None:
    """Seed Python, numpy and TensorFlow, and forbid operators that depend on thread timing."""
    load_keras().utils.set_random_seed(seed)
    load_tensorflow().config.experimental.enable_op_determinism()


def fit(
    model: Model,
    task: Task,
    dataset: DataSet,
    seed: int,
    *,
    schedule: Schedule,
    progress: Progress,
) -> tuple[Epoch, ...]:
    """Train `model` in place; the learning rate warms up, then decays to 0 on a cosine."""
    split = split_of(task, dataset, seed)
    steps = max(1, len(split.train) // task.batch_size)
    trainable = _compiled(model, task.learning_rate * schedule.rate, schedule.epochs * steps)
    batches = _batches(task, dataset, split.train, seed)
    history: list[Epoch] = []
    for epoch in range(1, schedule.epochs + 1):
        loss = accuracy = 0.0
        for windows, labels in islice(batches, steps):
            batch = trainable.train_on_batch(windows, labels, return_dict=True)
            loss += float(batch["loss"]) / steps
            accuracy += float(batch["accuracy"]) / steps
        others = accuracy_by_group(model, dataset, split.validation).values()
        last = Epoch(loss, accuracy, sum(others) / len(others))
        history.append(last)
        message = f"accuracy {last.accuracy:.3f}, other people {last.validation_accuracy:.3f}"
        progress(schedule.stage, epoch, schedule.epochs, message)
    return tuple(history)


def augment(
    windows: Float32Array, augmentation: Augmentation, generator: np.random.Generator
) -> Float32Array:
    """The same motions by other people: (n, 3 T / 2, C) long windows to (n, T, C).

    Each comes out at another speed and phase, from a sensor that sits a little askew (the same
    rotation for each triple of channels), with another strength, and half of them mirrored.
    """
    count, long, channels = windows.shape
    length = long * 2 // 3
    speed = generator.uniform(1 - augmentation.speed, 1 + augmentation.speed, (count, 1))
    start = generator.uniform(0, 1, (count, 1)) * (long - 1 - speed * (length - 1))
    place = start + speed * np.arange(length)
    left = np.minimum(place.astype(np.int64), long - 2)
    weight = (place - left)[:, :, None]
    row = np.arange(count)[:, None]
    moved = windows[row, left] * (1 - weight) + windows[row, left + 1] * weight
    if augmentation.tilt_degrees:
        tilt = _rotations(generator, count, augmentation.tilt_degrees)
        triples = moved.reshape(count, length, channels // 3, 3)
        moved = np.einsum("ntgc,ndc->ntgd", triples, tilt).reshape(count, length, channels)
    moved *= generator.uniform(1 - augmentation.gain, 1 + augmentation.gain, (count, 1, 1))
    if augmentation.mirror:
        flip = generator.random((count, 1, 1)) < 0.5
        moved = np.where(flip, moved * np.array(augmentation.mirror), moved)
    moved += generator.normal(0, augmentation.noise, moved.shape)
    clipped: Float32Array = np.clip(moved, -1.0, 127.0 / 128.0).astype(np.float32)
    return clipped


def _compiled(model: Model, peak_rate: float, updates: int) -> Model:
    """`model` up to its logits, ready for `updates` calls of train_on_batch."""
    keras = load_keras()
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, round(updates * (1 - _WARM_UP_SHARE))),
        warmup_target=peak_rate,
        warmup_steps=max(1, round(updates * _WARM_UP_SHARE)),
    )
    # The loss reads the logits: a cross-entropy of rounded probabilities loses its gradient.
    trainable = keras.Model(model.input, model.get_layer("head").output)
    trainable.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return trainable


def _batches(
    task: Task, dataset: DataSet, train: IndexArray, seed: int
) -> Iterator[tuple[Float32Array, IndexArray]]:
    """Endless batches of augmented training windows; each epoch is shuffled anew.

    An epoch leaves out the windows that do not fill a batch, others each time.
    """
    generator = np.random.default_rng(seed)
    long = _long_windows(dataset, train)
    while True:
        order = generator.permutation(len(train))
        for first in range(0, max(1, len(order) - task.batch_size + 1), task.batch_size):
            chosen = order[first : first + task.batch_size]
            windows = augment(long[chosen], task.augmentation, generator)
            yield windows, dataset.y[train[chosen]]


def _long_windows(dataset: DataSet, train: IndexArray) -> Float32Array:
    """Each training window and the half window that follows it in the recording: (n, 3 T / 2, C).

    At the end of a recording the last half is played backwards instead.
    """
    half = dataset.x.shape[1] // 2
    here, follower = dataset.x[train], np.minimum(train + 1, len(dataset.x) - 1)
    goes_on = (dataset.recording[follower] == dataset.recording[train]) & (follower > train)
    backwards = here[:, half:][:, ::-1]
    tail = np.where(goes_on[:, None, None], dataset.x[follower, half:], backwards)
    return as_network_input(np.concatenate([here, tail], axis=1))


def _rotations(generator: np.random.Generator, count: int, degrees: float) -> NDArray[np.float64]:
    """(count, 3, 3) rotations about random axes by normal angles (Rodrigues' formula)."""
    axis = generator.normal(size=(count, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.radians(generator.normal(0, degrees, (count, 1, 1)))
    # Column i of the cross-product matrix of an axis is axis x unit vector i.
    cross = np.swapaxes(np.cross(axis[:, None, :], np.eye(3)), 1, 2)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
