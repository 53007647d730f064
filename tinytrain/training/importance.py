"""Importance: how much a network would miss each channel of a group.

A channel's gates are what makes it vanish when it goes to zero: scale and offset of every batch
normalization in its group, and kernel and bias of layers that none follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.channels import Channels, Group
from tinytrain.training.data import DataSet, IndexArray
from tinytrain.training.groups import is_classifier
from tinytrain.training.libraries import Model, Tensor, load_keras, load_tensorflow
from tinytrain.training.network import as_network_input

FloatArray = NDArray[np.float64]

_BATCH_SIZE = 16
_MOST_SAMPLES = 2048


def importance(
    criterion: str,
    model: Model,
    channels: Channels,
    dataset: DataSet,
    train: IndexArray,
    seed: int,
) -> dict[int, FloatArray]:
    """For each group that may be pruned the importance (width,) of its channels, at least 0."""
    if criterion == "batch_norm":
        return batch_norm_importance(model, channels)
    return taylor_importance(model, channels, dataset, train, seed)


def taylor_importance(
    model: Model, channels: Channels, dataset: DataSet, train: IndexArray, seed: int
) -> dict[int, FloatArray]:
    """The squared change of the loss, to first order, when all gates of a channel go to zero.

    Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019, equation 8 and
    section 3.2; the sum over the gates of a group is squared for each batch of 16 of at most 2048
    training samples.
    """
    tensorflow = load_tensorflow()
    network = load_keras().Model(model.input, model.get_layer("head").output)
    loss = loss_of(model)
    gates = {place: _gates(model, group) for place, group in _free(channels)}
    variables = [gate.value for found in gates.values() for gate in found]

    def changes(samples: Tensor, labels: Tensor) -> list[Tensor]:
        with tensorflow.GradientTape() as tape:
            value = loss(samples, labels, network(samples, training=False))
        slopes = tape.gradient(value, variables)
        return [
            tensorflow.reduce_sum(slope * gate, axis=range(len(gate.shape) - 1))
            for slope, gate in zip(slopes, variables, strict=True)
        ]

    changes_on_graph = tensorflow.function(changes)
    scores = {place: np.zeros(channels.groups[place].width) for place in gates}
    chosen = np.random.default_rng(seed).permutation(train)[:_MOST_SAMPLES]
    size = min(_BATCH_SIZE, len(chosen))
    for first in range(0, len(chosen) - size + 1, size):
        batch = chosen[first : first + size]
        change = iter(changes_on_graph(as_network_input(dataset.x[batch]), dataset.y[batch]))
        for place, found in gates.items():
            scores[place] += np.square(sum(next(change).numpy() for _ in found))
    return scores


def batch_norm_importance(model: Model, channels: Channels) -> dict[int, FloatArray]:
    """The size of the normalizations' scales, summed over a group.

    Liu et al., "Learning Efficient Convolutional Networks through Network Slimming", ICCV 2017,
    section 3; the scales are those of the usual training, without its L1 term. A layer without
    normalization counts by the norm of its weights to each channel, as a share of the largest.
    """
    scores = {}
    for place, group in _free(channels):
        score = np.zeros(group.width)
        for name in group.norms:
            layer = model.get_layer(name)
            score += np.abs(np.asarray(layer.gamma)) if layer.scale else 1.0
        for name in group.bare:
            kernel = np.asarray(kernel_of(model.get_layer(name)))
            norm = np.sqrt(np.square(kernel).reshape(-1, group.width).sum(axis=0))
            score += norm / max(float(norm.max()), 1e-12)
        scores[place] = score
    return scores


def loss_of(model: Model) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A function of samples, labels and the head's outputs: what the network is trained to do."""
    tensorflow, reconstructs = load_tensorflow(), not is_classifier(model)

    def loss(samples: Tensor, labels: Tensor, outputs: Tensor) -> Tensor:
        if reconstructs:
            given = tensorflow.reshape(samples, tensorflow.shape(outputs))
            return tensorflow.reduce_mean(tensorflow.square(outputs - given))
        errors = tensorflow.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
        return tensorflow.reduce_mean(errors)

    return loss


def kernel_of(layer: Any) -> Any:
    """The variable that makes a layer's channels, channels last."""
    for name in ("pointwise_kernel", "_kernel", "kernel"):
        if hasattr(layer, name):
            return getattr(layer, name)
    raise TypeError(f"layer {layer.name!r} has no kernel")


def _free(channels: Channels) -> Iterator[tuple[int, Group]]:
    for place, group in enumerate(channels.groups):
        if not group.protected:
            yield place, group


def _gates(model: Model, group: Group) -> list[Any]:
    """The variables (..., width) of a group."""
    gates = []
    for name in group.norms:
        layer = model.get_layer(name)
        gates += [gate for gate in (layer.gamma, layer.beta) if gate is not None]
    for name in group.bare:
        layer = model.get_layer(name)
        gates += [gate for gate in (kernel_of(layer), layer.bias) if gate is not None]
    return gates
