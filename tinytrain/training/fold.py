"""Fold: the same network without batch normalizations, as a converter makes it.

A normalization behind a layer with weights is a factor and an offset for each output channel:
kernel' = kernel * gamma / sqrt(variance + epsilon), bias' = (bias - mean) * the same + beta
(Jacob et al., "Quantization and Training of Neural Networks", CVPR 2018, section 3.2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.channels import CONVOLUTIONS, DEPTHWISE, SEPARABLE
from tinytrain.training.libraries import Model
from tinytrain.training.walk import Walk, activation_of, copied, walk

WEIGHTED = CONVOLUTIONS | DEPTHWISE | SEPARABLE | {"Dense"}


def folded(model: Model) -> Model:
    """A new network of the same layers and the same answers; a normalization that does not follow
    a layer with weights stays."""
    norms = foldable(walk(model))
    layers = {norm.name: layer for layer, norm in norms.values()}

    def with_bias(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in norms:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def without_norm(layer: Any, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if layer.name in layers else layer(*inputs, **options)

    smaller = copied(model, with_bias, without_norm)
    for layer in smaller.layers:
        if layer.name in norms:
            layer.set_weights(_folded_weights(*norms[layer.name]))
        elif layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return smaller


def foldable(graph: Walk) -> dict[str, tuple[Any, Any]]:
    """Layers by name, each with the normalization that alone reads it."""
    uses = [step.name for step in graph.steps]
    pairs = {}
    for step in graph.steps:
        if step.kind != "BatchNormalization" or uses.count(step.name) > 1:
            continue
        before = graph.writer(step.inputs[0])
        channels_last = step.operation.axis in (-1, len(step.input_shapes[0]) - 1)
        alone = len(graph.readers(step.inputs[0])) == 1 and uses.count(before.name) == 1
        linear = before.kind in WEIGHTED and activation_of(before.operation) == "linear"
        if channels_last and alone and linear:
            pairs[before.name] = (before.operation, step.operation)
    return pairs


def _folded_weights(layer: Any, norm: Any) -> list[NDArray[np.float32]]:
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    gamma = np.asarray(norm.gamma) if norm.scale else np.ones_like(mean)
    beta = np.asarray(norm.beta) if norm.center else np.zeros_like(mean)
    factor = gamma / np.sqrt(variance + norm.epsilon)
    kernels = layer.get_weights()[: -1 if layer.use_bias else None]
    bias = layer.get_weights()[-1] if layer.use_bias else np.zeros_like(mean)
    # A depthwise kernel is (..., channels, multiplier), and its outputs are in that order.
    shape = kernels[-1].shape[-2:] if type(layer).__name__ in DEPTHWISE else (-1,)
    kernels[-1] = kernels[-1] * factor.reshape(shape)
    return [*kernels, (bias - mean) * factor + beta]
