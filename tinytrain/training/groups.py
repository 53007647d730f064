"""Groups: what a network is worth to each group of people, so that an average hides nobody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.anomaly import anomaly_scores, area_under_curve
from tinytrain.training.data import DataSet, IndexArray
from tinytrain.training.evaluate import accuracy_by_group
from tinytrain.training.libraries import Model

EVERYONE = "everyone"
"""The group of all samples, which is watched where no group has enough of them."""


def is_classifier(model: Model) -> bool:
    """Whether the head gives classes; an autoencoder's head gives the sample again."""
    return any(layer.name == "probabilities" for layer in model.layers)


def worth_by_group(model: Model, dataset: DataSet, indices: IndexArray) -> dict[str, float]:
    """Accuracy (0 to 1) of each group among the samples `indices`, and of everyone together.

    An autoencoder's is the area under the curve of telling other classes from the first.
    """
    if not is_classifier(model):
        return _areas(model, dataset, indices)
    accuracy = accuracy_by_group(model, dataset, indices)
    right = sum(accuracy[name] * n for name, n in group_sizes(dataset, indices).items())
    return {**accuracy, EVERYONE: right / len(indices)}


def areas_by_group(
    dataset: DataSet, indices: IndexArray, scores: NDArray[np.float64]
) -> dict[str, float]:
    """Of each group, how well the scores (n,) of an autoencoder tell other classes from the
    first: the area under the curve, 0.5 where the group has one kind only."""
    anomalous, group = dataset.y[indices] != 0, dataset.group[indices]
    return {
        dataset.group_names[one]: area_under_curve(scores[group == one], anomalous[group == one])
        for one in np.unique(group)
    }


def watched_groups(dataset: DataSet, indices: IndexArray, fewest: int) -> dict[str, int]:
    """The number of samples of each group that has at least `fewest`; else of everyone together."""
    sizes = group_sizes(dataset, indices)
    enough = {name: count for name, count in sizes.items() if count >= fewest}
    return enough or {EVERYONE: len(indices)}


def group_sizes(dataset: DataSet, indices: IndexArray) -> dict[str, int]:
    """The number of samples of each group among `indices`."""
    groups, counts = np.unique(dataset.group[indices], return_counts=True)
    return {
        dataset.group_names[group]: int(count) for group, count in zip(groups, counts, strict=True)
    }


def balanced(dataset: DataSet, indices: IndexArray, most: int, seed: int) -> IndexArray:
    """At most so many of the samples, ascending, as many of each group as are to be had."""
    mixed = np.random.default_rng(seed).permutation(np.sort(indices))
    group = dataset.group[mixed]
    turn = np.zeros(len(mixed), np.int64)
    for one in np.unique(group):
        turn[group == one] = np.arange(np.count_nonzero(group == one))
    return np.sort(mixed[np.argsort(turn, kind="stable")][:most])


def _areas(model: Model, dataset: DataSet, indices: IndexArray) -> dict[str, float]:
    scores = anomaly_scores(model, dataset.x[indices])
    everyone = area_under_curve(scores, dataset.y[indices] != 0)
    return {**areas_by_group(dataset, indices, scores), EVERYONE: everyone}
