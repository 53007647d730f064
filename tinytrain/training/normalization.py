"""Batch normalization in one fused operation while a network trains.

Keras computes it from a dozen operations, each of which walks the activations; in small networks
that is half of a step. The fused one gives the same up to rounding. The statistics for inference
follow the first batches faster than Keras's: with its momentum of 0.99 a network of a few hundred
steps, as in a search or a fine-tuning, would be judged by the statistics it began with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinytrain.training.libraries import Model, Tensor, load_keras, load_tensorflow


@contextmanager
def fused_normalization(model: Model, updates: Tensor) -> Iterator[None]:
    """Within, calls of `model` with training=True are fused; to be used around a trace.

    After n `updates` the momentum is at most (1 + n) / (10 + n), the rule of TensorFlow's
    train.ExponentialMovingAverage.
    """
    norms = [layer for layer in model.layers if _can_fuse(layer)]
    for layer in norms:
        # Past Keras's own attribute, which would track the function as a part of the layer.
        object.__setattr__(layer, "call", _fused_call(layer, updates))
    try:
        yield
    finally:
        for layer in norms:
            object.__delattr__(layer, "call")


def _can_fuse(layer: Any) -> bool:
    if not isinstance(layer, load_keras().layers.BatchNormalization):
        return False
    axes = {layer.axis} if isinstance(layer.axis, int) else set(layer.axis)
    rank = len(layer.input.shape)
    return rank in (2, 4) and axes <= {-1, rank - 1} and layer.scale and layer.center


def _fused_call(layer: Any, updates: Tensor) -> Any:
    plain = layer.call

    def call(inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        if not training or not layer.trainable:
            return plain(inputs, training=training, mask=mask)
        tensorflow = load_tensorflow()
        image = inputs if len(inputs.shape) == 4 else inputs[:, None, None, :]
        answer, mean, variance = tensorflow.compat.v1.nn.fused_batch_norm(
            image, layer.gamma.value, layer.beta.value, epsilon=layer.epsilon, is_training=True
        )
        # The fused variance is that of the population (n - 1), Keras keeps that of the batch.
        count = tensorflow.cast(tensorflow.size(image[..., 0]), tensorflow.float32)
        variance *= (count - 1) / count
        done = tensorflow.cast(updates, tensorflow.float32)
        kept = tensorflow.minimum(layer.momentum, (1 + done) / (10 + done))
        layer.moving_mean.assign(layer.moving_mean * kept + mean * (1 - kept))
        layer.moving_variance.assign(layer.moving_variance * kept + variance * (1 - kept))
        return tensorflow.reshape(answer, tensorflow.shape(inputs))

    return call
