"""Evaluation: accuracy for each person, and the float32 head that the device is held to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.data import DataSet, IndexArray
from tinytrain.training.network import Model, as_network_input

Float32Array = NDArray[np.float32]

_BATCH = 512


@dataclass(frozen=True)
class FloatHead:
    """A softmax layer on F features, K classes, and what learning it wrote."""

    weights: Float32Array
    """(K, F)"""
    bias: Float32Array
    """(K,)"""
    rows_written: IndexArray
    """(steps,): rows changed by each step, 0..K."""


def accuracy_by_group(model: Model, dataset: DataSet, indices: IndexArray) -> dict[str, float]:
    """Accuracy (0..1) of a Keras network for each person among the windows `indices`."""
    predicted = [
        np.asarray(model(as_network_input(dataset.x[part]), training=False)).argmax(axis=1)
        for part in np.array_split(indices, -(-len(indices) // _BATCH))
    ]
    return group_accuracies(dataset, indices, np.concatenate(predicted))


def group_accuracies(
    dataset: DataSet, indices: IndexArray, predicted: IndexArray
) -> dict[str, float]:
    """Share of right predictions (n,) for each person among the windows `indices` (n,)."""
    right = predicted == dataset.y[indices]
    people = dataset.group[indices]
    return {
        dataset.group_names[person]: float(right[people == person].mean())
        for person in np.unique(people)
    }


def feature_energy(features: Float32Array) -> float:
    """Mean |x|^2 over the rows of (n, F) features: what turns eta into a learning rate."""
    return float(np.square(features, dtype=np.float32).sum(axis=1).mean())


def float_head_learn(
    features: Float32Array,
    labels: IndexArray,
    weights: Float32Array,
    bias: Float32Array,
    *,
    eta: float,
    energy: float,
    tau: float | None = None,
    rows: int | None = None,
) -> FloatHead:
    """Softmax regression by plain SGD in float32, one step a sample, in the order given.

    features (n, F) in real units, labels (n,), weights (K, F), bias (K,). The learning rate is
    eta / energy, with `energy` from `feature_energy` on the training set. `tau` and `rows` switch
    on the device's gates (ARITHMETIC.md section 2): skip a step when 1 - p[label] <= tau; write
    the label's row and the rows - 1 others of largest |error|, the lowest index first.
    """
    weights, bias = weights.astype(np.float32), bias.astype(np.float32)
    rate = np.float32(eta / energy)
    written = np.zeros(len(labels), dtype=np.int64)
    for step, (x, label) in enumerate(zip(features.astype(np.float32), labels, strict=True)):
        error = _softmax(weights @ x + bias)
        error[label] -= np.float32(1)
        if tau is not None and -error[label] <= tau:
            continue
        if rows is not None:
            magnitude = np.abs(error)
            magnitude[label] = np.inf
            error[np.argsort(-magnitude, kind="stable")[rows:]] = 0
        weights -= rate * np.outer(error, x)
        bias -= rate * error
        written[step] = np.count_nonzero(error)
    return FloatHead(weights, bias, written)


def float_head_predict(
    features: Float32Array, weights: Float32Array, bias: Float32Array
) -> IndexArray:
    """(n,) classes of (n, F) features."""
    return np.asarray((features @ weights.T + bias).argmax(axis=1), dtype=np.int64)


def _softmax(logits: Float32Array) -> Float32Array:
    """(K,) probabilities; the largest logit is taken off first, so that exp cannot overflow."""
    power = np.exp(logits - logits.max())
    return np.asarray(power / power.sum(), dtype=np.float32)
