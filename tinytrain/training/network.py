"""The network of a task: one of the zoo, in the size that the task asks for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.training.libraries import Library, Model, load_keras, load_tensorflow
from tinytrain.training.tasks import Network, Task
from tinytrain.training.zoo.autoencoder import autoencoder
from tinytrain.training.zoo.conv1d import conv1d
from tinytrain.training.zoo.dense import dense_classifier
from tinytrain.training.zoo.ds_cnn import ds_cnn
from tinytrain.training.zoo.mobilenet_v1 import mobilenet_v1
from tinytrain.training.zoo.resnet8 import resnet8

__all__ = [
    "INPUT_SCALE",
    "Library",
    "Model",
    "as_network_input",
    "build",
    "build_for",
    "load_keras",
    "load_tensorflow",
]

INPUT_SCALE = 1.0 / 128.0
"""The float network sees an int8 sample times this; so does the int8 one, with zero point 0."""

Builder = Callable[[Network, tuple[int, ...], int], Model]

ZOO: dict[str, Builder] = {
    "conv1d": conv1d,
    "ds_cnn": ds_cnn,
    "resnet8": resnet8,
    "mobilenet_v1": mobilenet_v1,
    "dense": dense_classifier,
    "autoencoder": autoencoder,
}


def build_for(task: Task, shape: tuple[int, ...], classes: int) -> Model:
    """A fresh network for the task's samples of `shape`: (n, *shape) to (n, classes)."""
    try:
        return build(task.network, shape, classes)
    except InputError as error:
        raise InputError(f"task {task.name!r}: {error}") from error


def build(network: Network, shape: tuple[int, ...], classes: int) -> Model:
    """A fresh network: (n, *shape) float32 samples to (n, classes) probabilities.

    Every classifier ends in the layers features, dropout, head (logits) and probabilities. The
    autoencoder has no classes: its head gives the sample again, (n, elements).
    Raises InputError where the network cannot read samples of this shape.
    """
    if network.name not in ZOO:
        raise InputError(f"network {network.name!r} is not known; choose one of: {', '.join(ZOO)}")
    return ZOO[network.name](network, shape, classes)


def as_network_input(samples: NDArray[np.int8]) -> NDArray[np.float32]:
    """int8 samples to what the float network takes: value times INPUT_SCALE, in [-1, 1)."""
    scaled: NDArray[np.float32] = samples.astype(np.float32) * np.float32(INPUT_SCALE)
    return scaled
