"""A learner: a network with its loss and its optimizer, one compiled call a batch.

n samples, K classes. Everything that decides the next step lies in `state`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.libraries import Model, Tensor, load_keras, load_tensorflow
from tinytrain.training.normalization import fused_normalization

Float32Array = NDArray[np.float32]
State = list[NDArray[np.generic]]

_WARM_UP_SHARE = 0.1
_TEMPERATURE = 3.0
"""Of distillation; Hinton et al. found 2.5 to 4 best for small networks (section 3)."""


@dataclass(frozen=True)
class Optimization:
    """AdamW whose rate warms up to its peak and decays to 0 on a cosine, over `updates` steps."""

    peak_rate: float
    weight_decay: float
    updates: int


@dataclass(frozen=True)
class Learner:
    step: Callable[[Float32Array, Float32Array, Float32Array], tuple[Tensor, Tensor]]
    """Samples (n, *shape), targets (n, K) and weights (n,) to the loss before the step and the
    share of right answers. An autoencoder's targets are its samples, (n, elements)."""
    outputs: Callable[[Float32Array], Tensor]
    """Samples to what the head gives."""
    variables: list[Any]

    def state(self) -> State:
        """A copy of all weights, of the optimizer's and of the random layers' state."""
        return [variable.numpy().copy() for variable in self.variables]

    def restore(self, state: State) -> None:
        for variable, value in zip(self.variables, state, strict=True):
            variable.assign(value)


def make_learner(
    model: Model, optimization: Optimization, teacher: Model | None, distillation: float
) -> Learner:
    """`model` up to its head, ready for training in place; `distillation` is the teacher's share.

    The loss reads the logits: a cross-entropy of rounded probabilities loses its gradient.
    """
    tensorflow, keras = load_tensorflow(), load_keras()
    network = keras.Model(model.input, model.get_layer("head").output)
    guide = (
        None if teacher is None else keras.Model(teacher.input, teacher.get_layer("head").output)
    )
    reconstructs = not any(layer.name == "probabilities" for layer in model.layers)
    optimizer = _optimizer(optimization)
    optimizer.build(network.trainable_variables)

    def step(samples: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        with tensorflow.GradientTape() as tape:
            answer = network(samples, training=True)
            if reconstructs:
                errors = tensorflow.reduce_mean(tensorflow.square(answer - targets), axis=1)
            else:
                errors = tensorflow.nn.softmax_cross_entropy_with_logits(targets, answer)
            loss = tensorflow.reduce_mean(weights * errors)
            if guide is not None:
                told = guide(samples, training=False)
                loss += distillation * (_distillation(answer, told) - loss)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        right = tensorflow.argmax(answer, axis=1) == tensorflow.argmax(targets, axis=1)
        return loss, tensorflow.reduce_mean(tensorflow.cast(right, tensorflow.float32))

    float32 = tensorflow.float32
    samples = tensorflow.TensorSpec(network.input.shape, float32)
    targets = tensorflow.TensorSpec(network.output.shape, float32)
    weights = tensorflow.TensorSpec((None,), float32)
    learn = tensorflow.function(step, input_signature=(samples, targets, weights), autograph=False)
    with fused_normalization(network, optimizer.iterations.value):
        learn.get_concrete_function()
    return Learner(
        step=learn,
        outputs=tensorflow.function(
            lambda given: network(given, training=False), input_signature=(samples,)
        ),
        variables=[*network.variables, *optimizer.variables],
    )


def _optimizer(optimization: Optimization) -> Any:
    keras = load_keras()
    updates = optimization.updates
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, round(updates * (1 - _WARM_UP_SHARE))),
        warmup_target=optimization.peak_rate,
        warmup_steps=max(1, round(updates * _WARM_UP_SHARE)),
    )
    return keras.optimizers.AdamW(rate, weight_decay=optimization.weight_decay)


def _distillation(answer: Tensor, told: Tensor) -> Tensor:
    """T^2 KL(softmax(told / T) || softmax(answer / T)), the mean over a batch.

    Hinton et al., "Distilling the Knowledge in a Neural Network" (arXiv 1503.02531), section 2; the
    factor keeps the gradient's size whatever T is.
    """
    nn = load_tensorflow().nn
    target = nn.softmax(told / _TEMPERATURE)
    difference = nn.log_softmax(told / _TEMPERATURE) - nn.log_softmax(answer / _TEMPERATURE)
    divergence = load_tensorflow().reduce_sum(target * difference, axis=1)
    return _TEMPERATURE**2 * load_tensorflow().reduce_mean(divergence)
