"""Prune: take whole channels out of a network and rebuild a smaller dense one, then fine-tune it.

The channels of a block come from its last normalization; taking one out also narrows the
depthwise convolution and the input of whatever follows. The criterion is first-order Taylor with
the normalization as the gate (Molchanov et al., "Importance Estimation for Neural Network
Pruning", CVPR 2019, section 3.2): the squared change of the loss when a channel's scale and
offset go to zero, here for each multiply-accumulate saved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.progress import Progress
from tinytrain.training.data import DataSet, IndexArray
from tinytrain.training.fit import (
    Epoch,
    Schedule,
    Trained,
    fit,
    make_deterministic,
    split_of,
)
from tinytrain.training.network import (
    Architecture,
    Model,
    architecture_of,
    as_network_input,
    build,
    load_keras,
    load_tensorflow,
    macs,
)
from tinytrain.training.tasks import Task

_SCORE_BATCH_SIZE = 16
_KEPT_SHARE = 0.25
_FINE_TUNE_RATE = 0.5

Tensor = Any
"""A `tensorflow.Tensor`; TensorFlow is imported late, so its types are not at hand here."""
FloatArray = NDArray[np.float64]
Channels = tuple[IndexArray, ...]
"""For each block the output channels to keep, ascending."""


def prune(model: Model, task: Task, dataset: DataSet, seed: int, progress: Progress) -> Trained:
    """A new network with at most (1 - prune_share) of the multiply-accumulates of `model`.

    The same seed gives the same people for training as `train`, and the same weights every time.
    """
    if not 0 <= task.prune_share < 1:
        raise InputError(f"prune_share is {task.prune_share}; it has to be in 0 <= share < 1")
    make_deterministic(seed)
    train = split_of(task, dataset, seed).train
    full = macs(architecture_of(model))
    history: list[Epoch] = []
    for round_index in range(task.prune_rounds):
        part = (round_index + 1) / task.prune_rounds
        target = int(full * (1 - task.prune_share) ** part)
        scores = channel_scores(model, dataset, train, seed)
        model = without_channels(model, choose_channels(architecture_of(model), scores, target))
        schedule = Schedule(
            stage=f"prune {round_index + 1}/{task.prune_rounds}",
            epochs=task.fine_tune_epochs // task.prune_rounds,
            rate=_FINE_TUNE_RATE,
        )
        history += fit(model, task, dataset, seed, schedule=schedule, progress=progress)
    return Trained(model, tuple(history))


def channel_scores(
    model: Model, dataset: DataSet, train: IndexArray, seed: int
) -> tuple[FloatArray, ...]:
    """For each block the importance (channels,) of its output channels, at least 0."""
    tensorflow, keras = load_tensorflow(), load_keras()
    blocks = range(len(architecture_of(model).blocks))
    norms = [model.get_layer(f"block{index}_norm") for index in blocks]
    gates = [gate.value for norm in norms for gate in (norm.gamma, norm.beta)]
    network = keras.Model(model.input, model.get_layer("head").output)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def changes(windows: Tensor, labels: Tensor) -> list[Tensor]:
        with tensorflow.GradientTape() as tape:
            loss = cross_entropy(labels, network(windows, training=False))
        slopes = tape.gradient(loss, gates)
        return [slope * gate for slope, gate in zip(slopes, gates, strict=True)]

    changes_on_graph = tensorflow.function(changes)
    scores = [np.zeros(norm.gamma.shape[0]) for norm in norms]
    chosen = np.random.default_rng(seed).permutation(train)
    for first in range(0, len(chosen) - _SCORE_BATCH_SIZE + 1, _SCORE_BATCH_SIZE):
        batch = chosen[first : first + _SCORE_BATCH_SIZE]
        change = changes_on_graph(as_network_input(dataset.x[batch]), dataset.y[batch])
        for index in blocks:
            scores[index] += np.square(change[2 * index].numpy() + change[2 * index + 1].numpy())
    return tuple(scores)


def choose_channels(
    architecture: Architecture, scores: tuple[FloatArray, ...], target: int
) -> Channels:
    """Drop the channel of least importance for each MAC it saves until `target` MACs are left.

    The last block is the head's feature vector and stays whole; every other block keeps at least
    a quarter of its channels. InputError where that cannot reach the target.
    """
    kept = [list(range(block.channels)) for block in architecture.blocks]
    floors = [max(1, int(len(channels) * _KEPT_SHARE)) for channels in kept[:-1]]
    while (left := macs(_narrowed(architecture, kept))) > target:
        best: tuple[float, int, int] | None = None
        for index, floor in enumerate(floors):
            if len(kept[index]) <= floor:
                continue
            weakest = min(kept[index], key=lambda channel: (scores[index][channel], channel))
            thinner = [c if i != index else c[:-1] for i, c in enumerate(kept)]
            saved = left - macs(_narrowed(architecture, thinner))
            candidate = (float(scores[index][weakest]) / saved, index, weakest)
            best = candidate if best is None else min(best, candidate)
        if best is None:
            raise InputError(
                f"pruning stops at {left} multiply-accumulates, {target} were asked for; "
                "ask for a smaller prune_share or start from a wider network"
            )
        kept[best[1]].remove(best[2])
    return tuple(np.array(channels, dtype=np.int64) for channels in kept)


def without_channels(model: Model, kept: Channels) -> Model:
    """A new network of the kept channels, with their weights."""
    architecture = architecture_of(model)
    smaller = build(_narrowed(architecture, [list(channels) for channels in kept]))
    source = np.arange(architecture.sensors)
    for index, (block, target) in enumerate(zip(architecture.blocks, kept, strict=True)):
        name = f"block{index}"
        if block.separable:
            (taps,) = model.get_layer(f"{name}_depthwise").get_weights()
            smaller.get_layer(f"{name}_depthwise").set_weights([taps[:, :, source]])
            _copy_norm(model, smaller, f"{name}_depthwise_norm", source)
        (taps,) = model.get_layer(f"{name}_conv").get_weights()
        smaller.get_layer(f"{name}_conv").set_weights([taps[:, :, source][..., target]])
        _copy_norm(model, smaller, f"{name}_norm", target)
        source = target
    weights, bias = model.get_layer("head").get_weights()
    smaller.get_layer("head").set_weights([weights[source], bias])
    return smaller


def _copy_norm(model: Model, smaller: Model, name: str, channels: IndexArray) -> None:
    """Copy scale, offset, mean and variance of the kept channels."""
    values = model.get_layer(name).get_weights()
    smaller.get_layer(name).set_weights([value[channels] for value in values])


def _narrowed(architecture: Architecture, kept: list[list[int]]) -> Architecture:
    """The same architecture with as many channels in each block as are kept."""
    blocks = tuple(
        replace(block, channels=len(channels))
        for block, channels in zip(architecture.blocks, kept, strict=True)
    )
    return replace(architecture, blocks=blocks)
