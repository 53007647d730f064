"""Anomalies: how badly an autoencoder gives samples back, and how well that tells them apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.data import Int8Array
from tinytrain.training.network import Model, as_network_input

FloatArray = NDArray[np.float64]

_BATCH = 512


def anomaly_scores(model: Model, samples: Int8Array) -> FloatArray:
    """(n,): the mean squared error of each sample (n, *shape) given back by an autoencoder."""
    parts = np.array_split(samples, max(1, -(-len(samples) // _BATCH)))
    again = [np.asarray(model(as_network_input(part), training=False)) for part in parts]
    return squared_errors(np.concatenate(again), samples)


def squared_errors(again: NDArray[np.float32], samples: Int8Array) -> FloatArray:
    """(n,): the mean squared difference of (n, elements) from int8 samples (n, *shape)."""
    given = as_network_input(samples).reshape(len(samples), -1)
    return np.square(again - given, dtype=np.float64).mean(axis=1)


def area_under_curve(scores: FloatArray, anomalous: NDArray[np.bool_]) -> float:
    """The chance that an anomalous sample scores higher than a normal one; ties count half.

    The area under the receiver operating characteristic, from ranks (Hanley and McNeil, Radiology
    1982). 0.5 where there is one kind only.
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive, negative = int(anomalous.sum()), int((~anomalous).sum())
    if not positive or not negative:
        return 0.5
    above = float(rank[anomalous].sum()) - positive * (positive + 1) / 2
    return above / (positive * negative)
