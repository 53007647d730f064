"""Quantization-aware fine-tuning: train a network while its weights and activations are rounded as
int8 rounds them.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018, section 3: rounding in the forward pass, no rounding in the gradient
(straight-through). The network has its normalizations folded, so what is rounded is what the
converter will round; with a scale for each output channel that is no different from rounding
before folding, because a normalization only multiplies a channel, and the channel's scale with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.progress import Progress
from tinytrain.training.channels import CONVOLUTIONS, DEPTHWISE, MERGES
from tinytrain.training.data import DataSet
from tinytrain.training.equalize import RECTIFIERS
from tinytrain.training.fit import Epoch, Schedule, fit
from tinytrain.training.groups import is_classifier
from tinytrain.training.libraries import Model, Tensor, load_keras, load_tensorflow
from tinytrain.training.tasks import Task
from tinytrain.training.walk import Walk, copied, walk

Float32Array = NDArray[np.float32]

_KERNELS = CONVOLUTIONS | DEPTHWISE | {"Dense"}
_NEW_SCALES = (
    _KERNELS
    | MERGES
    | RECTIFIERS
    | {"Activation", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"}
)
"""What gives its output a range of its own; other steps pass on what is rounded already."""

_BATCH = 256
_RATE = 0.1
_DISTILLATION = 0.5


def fine_tune(
    model: Model,
    teacher: Model,
    samples: Float32Array,
    task: Task,
    dataset: DataSet,
    seed: int,
    progress: Progress,
) -> tuple[Epoch, ...]:
    """Train `model` in place, as if it were int8; its normalizations are folded.

    `teacher` is the float network it is held to, `samples` (n, *shape) show the ranges of the
    activations, which stay as they are found.
    """
    rounded = as_if_int8(model, samples)
    taught = is_classifier(model)
    return fit(
        rounded,
        task,
        dataset,
        seed,
        schedule=Schedule("quantization-aware", task.quantization.epochs, _RATE),
        progress=progress,
        teacher=teacher if taught else None,
        distillation=_DISTILLATION if taught else 0.0,
    )


def as_if_int8(model: Model, samples: Float32Array) -> Model:
    """A network on the weights of `model` itself, with rounded weights and activations."""
    ranges = activation_ranges(walk(model), model, samples)
    quantized_weights, quantized_activation = _layers()

    def wrapped(layer: Any) -> Any:
        if type(layer).__name__ in _KERNELS:
            return quantized_weights(layer, name=layer.name)
        return layer if layer.weights else type(layer).from_config(layer.get_config())

    def rounded(layer: Any, *inputs: Any, **options: Any) -> Any:
        answer = layer(*inputs, **options)
        if layer.name not in ranges:
            return answer
        return quantized_activation(*ranges[layer.name], name=f"{layer.name}_rounded")(answer)

    return copied(model, wrapped, rounded)


def activation_ranges(
    graph: Walk, model: Model, samples: Float32Array
) -> Mapping[str, tuple[float, float]]:
    """(lowest, highest) of what each step stores, by its layer's name; 0 is always inside.

    A step whose only reader is a rectifier stores nothing: both are one operator.
    """
    stored = {}
    for step in graph.steps:
        readers = graph.readers(step.outputs[0])
        fused = len(readers) == 1 and readers[0].kind in RECTIFIERS
        if step.kind in _NEW_SCALES and not fused:
            stored[step.name] = step.tensors[0]
    network = load_keras().Model(model.input, stored)
    found = dict.fromkeys(stored, (0.0, 0.0))
    for part in np.array_split(samples, -(-len(samples) // _BATCH)):
        for name, value in network(part, training=False).items():
            low, high = found[name]
            array = np.asarray(value)
            found[name] = (min(low, float(array.min())), max(high, float(array.max())))
    return found


def rounded_weights(kernel: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The kernel in symmetric int8 with a scale for each channel; `axes` are all the others."""
    tensorflow = load_tensorflow()
    largest = tensorflow.reduce_max(tensorflow.abs(kernel), axis=axes, keepdims=True)
    scale = tensorflow.stop_gradient(tensorflow.maximum(largest, 1e-12) / 127)
    return scale * _rounded(kernel / scale)


def rounded_activation(x: Tensor, low: float, high: float) -> Tensor:
    """x in int8 of the range [low, high], moved so that 0 is a step; clamped beyond."""
    scale = max(high - low, 1e-12) / 255
    zero = round(-low / scale)
    return scale * (_rounded(load_tensorflow().clip_by_value(x / scale, -zero, 255 - zero)))


def _rounded(x: Tensor) -> Tensor:
    tensorflow = load_tensorflow()
    return x + tensorflow.stop_gradient(tensorflow.round(x) - x)


@cache
def _layers() -> tuple[Any, Any]:
    """The two Keras layers that round; Keras is imported late, so they are made late."""
    keras = load_keras()
    base: Any = keras.layers.Layer

    class QuantizedWeights(base):  # type: ignore[misc]
        """A layer with its kernel rounded."""

        def __init__(self, inner: Any, name: str) -> None:
            super().__init__(name=name)
            self.inner = inner
            self.kernel = inner.trainable_variables[0]
            rank, channel = len(self.kernel.shape), 2 if type(inner).__name__ in DEPTHWISE else 1
            self.axes = tuple(axis for axis in range(rank) if axis != rank - channel)

        def call(self, x: Tensor) -> Tensor:
            kernel = rounded_weights(self.kernel.value, self.axes)
            with keras.StatelessScope(state_mapping=[(self.kernel, kernel)]):
                return self.inner(x)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return self.inner.compute_output_shape(input_shape)

    class QuantizedActivation(base):  # type: ignore[misc]
        """An activation rounded within a fixed range."""

        def __init__(self, low: float, high: float, name: str) -> None:
            super().__init__(name=name)
            self.low, self.high = low, high

        def call(self, x: Tensor) -> Tensor:
            return rounded_activation(x, self.low, self.high)

    return QuantizedWeights, QuantizedActivation
