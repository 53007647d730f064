"""Equalize: the same network with channels of like ranges, which int8 activations need.

Weights have a scale for each output channel, activations one for the whole tensor: a channel a
hundred times as strong as the others leaves these two of 256 steps. Between two layers with
weights, through ReLU, pooling and additions, a channel may be divided by any positive factor where
it is made and multiplied by it where it is read: Nagel et al., "Data-Free Quantization Through
Weight Equalization and Bias Correction", ICCV 2019, section 4.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.channels import DEPTHWISE, Analysis, Channels, View
from tinytrain.training.libraries import Model, load_keras
from tinytrain.training.walk import Step, Walk, activation_of, copied, walk

Float32Array = NDArray[np.float32]
FloatArray = NDArray[np.float64]

RECTIFIERS = frozenset({"ReLU", "Relu", "LeakyReLU"})
_SCALED = frozenset(
    "Activation Add Average AveragePooling1D AveragePooling2D Conv1D Conv2D Dense DepthwiseConv1D "
    "DepthwiseConv2D Dropout Flatten GlobalAveragePooling1D GlobalAveragePooling2D "
    "GlobalMaxPooling1D GlobalMaxPooling2D Identity LeakyReLU MaxPooling1D MaxPooling2D Maximum "
    "Minimum ReLU Relu Reshape Subtract UpSampling1D UpSampling2D ZeroPadding1D "
    "ZeroPadding2D".split()
)
"""f(s x) = s f(x) for s > 0, or a layer with weights that can take the factor up."""

_BATCH = 256

_LEAST = 1e-4
"""Of the largest range: what is smaller counts as this much."""


def equalized(model: Model, samples: Float32Array) -> Model:
    """A new network with the answers of `model`, which has its normalizations folded; `samples`
    (n, *shape) show the ranges of its activations."""
    graph = walk(model)
    channels = _Stretches(graph, ()).result()
    factors = _factors(channels, model, _ranges(graph, model, channels, samples))
    again = copied(model, lambda layer: type(layer).from_config(layer.get_config()))
    for layer in model.layers:
        values = layer.get_weights()
        if layer.name in channels.views and values:
            source, target = (_along(view, factors) for view in channels.views[layer.name])
            values = _scaled(layer, values, source, target)
        if values:
            again.get_layer(layer.name).set_weights(values)
    return again


class _Stretches(Analysis):
    """Groups of channels that are scaled together: from one layer with weights to the next."""

    def know(self, step: Step) -> bool:
        layer = step.operation
        rectified = activation_of(layer) in ("linear", "relu", "leaky_relu")
        limits = (getattr(layer, "max_value", None), getattr(layer, "threshold", None))
        bounded = limits[0] is not None or bool(limits[1])
        if step.kind not in _SCALED or not rectified or bounded:
            return False
        return super().know(step)

    def depthwise(self, step: Step) -> bool:
        if step.operation.depth_multiplier != 1:
            return False
        source = self.views[step.inputs[0]]
        target = View((self.new(step.operation.kernel.shape[-2]),))
        self.views[step.outputs[0]] = target
        self.layers[step.name] = source, target
        return True


def _ranges(
    graph: Walk, model: Model, channels: Channels, samples: Float32Array
) -> dict[int, FloatArray]:
    """For each group the largest magnitude (width,) of its channels where they are stored, which
    is where something else than a rectifier reads them."""
    stored = [
        tensor
        for step in graph.steps
        for tensor in step.tensors
        if any(reader.kind not in RECTIFIERS for reader in graph.readers(id(tensor)))
    ]
    largest = {place: np.zeros(width) for place, width in enumerate(channels.widths)}
    network = load_keras().Model(model.input, stored)
    for part in np.array_split(samples, -(-len(samples) // _BATCH)):
        for tensor, value in zip(stored, network(part, training=False), strict=True):
            view = channels.tensors[id(tensor)]
            # Only a group that stands alone can be scaled; others are protected anyway.
            if len(view.groups) == 1:
                (place,) = view.groups
                seen = np.abs(np.asarray(value)).reshape(-1, channels.widths[place])
                largest[place] = np.maximum(largest[place], seen.max(axis=0))
    return largest


def _factors(
    channels: Channels, model: Model, ranges: dict[int, FloatArray]
) -> dict[int, FloatArray]:
    """What each channel of each group is divided by.

    sqrt(r1 / r2) gives activations (range r1) and the weights that read them (r2, the largest
    share of an output's range) the same spread. A depthwise convolution has a scale for each
    channel, so where only these read, activations become all alike.
    """
    factors = {}
    for place, group in enumerate(channels.groups):
        top = ranges[place].max(initial=0.0)
        if group.protected or not top:
            factors[place] = np.ones(group.width)
            continue
        activations = np.maximum(ranges[place] / top, _LEAST)
        shares = [
            _share(model.get_layer(name), group.width)
            for name, (source, target) in channels.views.items()
            if source.groups == (place,) and source.groups != target.groups
        ]
        dense = [share for share in shares if share is not None]
        factors[place] = activations
        if dense:
            factors[place] = np.sqrt(activations / np.maximum(np.max(dense, axis=0), _LEAST))
    return factors


def _share(layer: Any, width: int) -> FloatArray | None:
    """(width,): the largest weight that reads each channel, as a share of its output's largest."""
    if type(layer).__name__ in DEPTHWISE:
        return None
    kernel = np.abs(layer.get_weights()[0]).astype(np.float64)
    kernel = kernel.reshape(-1, *kernel.shape[-2:]).max(axis=0)
    share = (kernel / np.maximum(kernel.max(axis=0), 1e-30)).max(axis=1)
    return np.asarray(share.reshape(-1, width).max(axis=0))


def _along(view: View, factors: dict[int, FloatArray]) -> FloatArray:
    """The factors along a last axis."""
    return np.tile(np.concatenate([factors[group] for group in view.groups]), view.positions)


def _scaled(
    layer: Any, values: list[Float32Array], source: FloatArray, target: FloatArray
) -> list[Float32Array]:
    """A layer's kernel and bias when its inputs have been divided by `source`, and its outputs
    are to be divided by `target`."""
    kernel, *biases = values
    depthwise = type(layer).__name__ in DEPTHWISE
    factor = (source / target)[:, None] if depthwise else source[:, None] / target
    return [
        (kernel * factor).astype(np.float32),
        *((bias / target).astype(np.float32) for bias in biases),
    ]
