"""Batches: an epoch of varied training samples with what the network is to say of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.augment import Sampler, mix
from tinytrain.training.data import DataSet, IndexArray
from tinytrain.training.tasks import Task, Training

Float32Array = NDArray[np.float32]
Batch = tuple[Float32Array, Float32Array, Float32Array]
"""Samples, targets and weights, as `Learner.step` takes them."""


def batches(
    draw: Sampler, task: Task, dataset: DataSet, train: IndexArray, generator: np.random.Generator
) -> Iterator[Batch]:
    """Shuffled batches of varied training samples.

    An epoch leaves out the samples that do not fill a batch, others each time.
    """
    size, y = task.training.batch_size, dataset.y[train]
    reconstructs = task.network.name == "autoencoder"
    classes = len(dataset.label_names)
    one_hot = _soft_labels(classes, task.training.label_smoothing)
    weight = _class_weights(y, classes, task.training)
    order = generator.permutation(len(train))
    for first in range(0, max(1, len(order) - size + 1), size):
        chosen = order[first : first + size]
        x = draw(chosen, generator)
        if reconstructs:
            yield x, x.reshape(len(x), -1), np.ones(len(x), np.float32)
        else:
            x, target = mix(x, one_hot[y[chosen]], generator, task.augmentation.mixup)
            yield x, target, weight[y[chosen]]


def _soft_labels(classes: int, smoothing: float) -> Float32Array:
    """(K, K): the target of each class; smoothing spreads that share over all (Szegedy 2016)."""
    return np.eye(classes, dtype=np.float32) * np.float32(1 - smoothing) + np.float32(
        smoothing / classes
    )


def _class_weights(y: IndexArray, classes: int, settings: Training) -> Float32Array:
    """(K,): 1, or inversely proportional to a class's frequency, 1 in the mean of the samples."""
    if not settings.class_weights:
        return np.ones(classes, np.float32)
    counts = np.bincount(y, minlength=classes)
    present = np.count_nonzero(counts)
    return (len(y) / (present * np.maximum(counts, 1))).astype(np.float32)
