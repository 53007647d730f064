"""The float32 head: the gradient of softmax regression, and gates that do what they say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tinytrain.training.data import IndexArray
from tinytrain.training.evaluate import (
    Float32Array,
    feature_energy,
    float_head_learn,
    float_head_predict,
    group_accuracies,
)
from tinytrain.training.sources import load
from tinytrain.training.task_file import find_task

FEATURES, CLASSES, STEPS = 12, 5, 60

Stream = tuple[Float32Array, IndexArray, Float32Array, Float32Array]
"""Features, labels, weights, bias."""


@pytest.fixture
def stream() -> Stream:
    generator = np.random.default_rng(7)
    labels = generator.integers(0, CLASSES, STEPS)
    centres = generator.normal(size=(CLASSES, FEATURES))
    features = centres[labels] + 0.3 * generator.normal(size=(STEPS, FEATURES))
    weights = 0.1 * generator.normal(size=(CLASSES, FEATURES))
    bias = np.zeros(CLASSES, dtype=np.float32)
    return features.astype(np.float32), labels, weights.astype(np.float32), bias


def test_one_step_follows_the_slope_of_the_cross_entropy(stream: Stream) -> None:
    features, labels, weights, bias = stream
    head = float_head_learn(features[:1], labels[:1], weights, bias, eta=1.0, energy=2.0)
    tiny = 1e-6

    def loss(w: NDArray[np.float64]) -> float:
        logits = w @ features[0].astype(np.float64)
        return float(np.log(np.exp(logits).sum()) - logits[labels[0]])

    for row, column in [(0, 0), (2, 5), (labels[0], 3)]:
        moved = weights.astype(np.float64)
        moved[row, column] += tiny
        slope = (loss(moved) - loss(weights.astype(np.float64))) / tiny
        step = head.weights[row, column] - weights[row, column]
        assert step == pytest.approx(-0.5 * slope, abs=1e-4)


def test_learning_fits_the_stream_and_leaves_its_arguments_alone(stream: Stream) -> None:
    features, labels, weights, bias = stream
    before = weights.copy()
    energy = feature_energy(features)
    head = float_head_learn(
        np.tile(features, (5, 1)), np.tile(labels, 5), weights, bias, eta=1.0, energy=energy
    )
    assert (float_head_predict(features, head.weights, head.bias) == labels).mean() > 0.95
    assert np.array_equal(weights, before)


def test_gates_write_at_most_the_rows_asked_for_and_skip_what_is_known(stream: Stream) -> None:
    features, labels, weights, bias = stream
    gated = float_head_learn(features, labels, weights, bias, eta=1.0, energy=5.0, tau=0.1, rows=2)
    assert gated.rows_written.max() == 2
    known = float_head_learn(
        features, labels, gated.weights * 100, gated.bias, eta=1.0, energy=5.0, tau=0.99
    )
    assert (known.rows_written == 0).any()


def test_the_row_of_the_label_is_always_written(stream: Stream) -> None:
    features, labels, weights, bias = stream
    head = float_head_learn(
        features[:1], labels[:1], weights, bias, eta=1.0, energy=5.0, tau=0.0, rows=1
    )
    changed = np.flatnonzero((head.weights != weights).any(axis=1))
    assert changed.tolist() == [labels[0]]


def test_accuracy_is_told_for_each_person() -> None:
    watch = load(find_task("watch"))
    indices = np.flatnonzero(watch.group < 2)
    predicted = np.where(watch.group[indices] == 0, watch.y[indices], (watch.y[indices] + 1) % 7)
    assert group_accuracies(watch, indices, predicted) == {"person 1": 1.0, "person 2": 0.0}
