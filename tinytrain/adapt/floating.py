"""The float32 head that the integer ones are measured by: plain SGD, all rows, no gates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinytrain.head import Head
from tinytrain.training.data import IndexArray, Int8Array
from tinytrain.training.evaluate import FloatHead, float_head_learn


def real_features(head: Head, features: Int8Array) -> npt.NDArray[np.float32]:
    """(n, D) in real units."""
    steps = features.astype(np.float64) - head.constants.feature_zero_point
    return (steps * head.feature_scale).astype(np.float32)


def float_head(head: Head, features: Int8Array, labels: IndexArray) -> FloatHead:
    """From the dequantized factory head, with the device's eta, a step a sample (n, D)."""
    scale = head.weight_scale[:, None]
    weights = (head.constants.weights * scale).astype(np.float32)
    bias = (head.constants.bias * head.weight_scale * head.feature_scale).astype(np.float32)
    energy = head.energy * head.feature_scale**2
    return float_head_learn(
        real_features(head, features),
        labels,
        weights,
        bias,
        eta=head.options.eta,
        energy=energy,
    )
