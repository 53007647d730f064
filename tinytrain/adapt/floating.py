"""The float32 head that the integer ones are measured by: plain SGD, all rows, no gates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinytrain.head import PROBABILITY_BITS, Head, HeadConstants, HeadOptions, units
from tinytrain.training.data import IndexArray, Int8Array
from tinytrain.training.evaluate import FloatHead, float_head_learn


def real_features(head: Head, features: Int8Array) -> npt.NDArray[np.float32]:
    """(n, D) in real units."""
    steps = features.astype(np.float64) - head.constants.feature_zero_point
    return (steps * head.feature_scale).astype(np.float32)


def factory_head(head: Head) -> FloatHead:
    """The dequantized factory head."""
    scale = head.weight_scale[:, None]
    weights = (head.constants.weights * scale).astype(np.float32)
    bias = (head.constants.bias * head.weight_scale * head.feature_scale).astype(np.float32)
    return FloatHead(weights, bias, np.zeros(0, np.int64))


def float_head(
    head: Head, features: Int8Array, labels: IndexArray, before: FloatHead | None = None
) -> FloatHead:
    """From `before`, or the factory head, with the device's eta, a step a sample (n, D)."""
    first = before or factory_head(head)
    energy = head.energy * head.feature_scale**2
    return float_head_learn(
        real_features(head, features),
        labels,
        first.weights,
        first.bias,
        eta=head.options.eta,
        energy=energy,
    )


def quantized_head(
    weights: npt.NDArray[np.floating],
    bias: npt.NDArray[np.floating],
    features: Int8Array,
    feature_scale: float,
    feature_zero_point: int,
    options: HeadOptions,
) -> Head:
    """An int8 head from a linear classifier (C, D), (C,) of real features, as a network's last
    layer becomes one. `features` (n, D): samples that the step size rests on."""
    scale = np.maximum(np.abs(weights).max(axis=1), 1e-9) / 127.0
    x = features.astype(np.float64) - feature_zero_point
    energy = float((x**2).sum(axis=1).mean())
    every = np.concatenate([scale, np.full(options.reserved, scale.max())])
    constants = HeadConstants(
        classes=len(weights),
        capacity=len(every),
        features=weights.shape[1],
        rows=options.rows,
        tau=round(options.tau * (1 << PROBABILITY_BITS)),
        wide=int(options.masters == 32),
        feature_zero_point=feature_zero_point,
        units=units(every, feature_scale, weights.shape[1], options.eta, energy),
        weights=np.rint(weights / scale[:, None]).astype(np.int8),
        bias=np.rint(bias / (scale * feature_scale)).astype(np.int32),
    )
    return Head(0, 0, constants, options, feature_scale, scale, energy)
