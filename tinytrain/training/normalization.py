"""Batch normalization in one fused operation while a network trains.

Keras computes it from a dozen operations, each of which walks the activations; in small networks
that is half of a step. The fused one gives the same up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinytrain.training.libraries import Model, Tensor, load_keras, load_tensorflow


@contextmanager
def fused_normalization(model: Model) -> Iterator[None]:
    """Within, calls of `model` with training=True are fused; to be used around a trace."""
    norms = [layer for layer in model.layers if _can_fuse(layer)]
    for layer in norms:
        # Past Keras's own attribute, which would track the function as a part of the layer.
        object.__setattr__(layer, "call", _fused_call(layer))
    try:
        yield
    finally:
        for layer in norms:
            object.__delattr__(layer, "call")


def _can_fuse(layer: Any) -> bool:
    if not isinstance(layer, load_keras().layers.BatchNormalization):
        return False
    axes = {layer.axis} if isinstance(layer.axis, int) else set(layer.axis)
    return len(layer.input.shape) == 4 and axes <= {-1, 3} and layer.scale and layer.center


def _fused_call(layer: Any) -> Any:
    plain = layer.call

    def call(inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        if not training or not layer.trainable:
            return plain(inputs, training=training, mask=mask)
        tensorflow = load_tensorflow()
        answer, mean, variance = tensorflow.compat.v1.nn.fused_batch_norm(
            inputs, layer.gamma.value, layer.beta.value, epsilon=layer.epsilon, is_training=True
        )
        # The fused variance is that of the population (n - 1), Keras keeps that of the batch.
        count = tensorflow.cast(tensorflow.size(inputs[..., 0]), tensorflow.float32)
        variance *= (count - 1) / count
        fresh = 1 - layer.momentum
        layer.moving_mean.assign(layer.moving_mean * layer.momentum + mean * fresh)
        layer.moving_variance.assign(layer.moving_variance * layer.momentum + variance * fresh)
        return answer

    return call
