"""The network: a small convolutional classifier for windows of (time, channels), in Keras.

T samples, C sensor channels, F features, K classes. A time series is an image of height T and
width 1, so every kernel is (k, 1) and every layer has a TFLite int8 operator: RESHAPE, CONV_2D,
DEPTHWISE_CONV_2D, MAX_POOL_2D, MEAN, FULLY_CONNECTED, SOFTMAX.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.training.tasks import Task

Model = Any
"""A `keras.Model`; Keras is imported late, so its types are not at hand here."""

Library = Any
"""The module tensorflow or keras."""

INPUT_SCALE = 1.0 / 128.0
"""The float network sees an int8 window times this; so does the int8 one, with zero point 0."""

_POOL = 2
_THREADS = 2


@dataclass(frozen=True)
class Block:
    """Convolution over time, batch normalization, ReLU, and max pooling by 2.

    `separable` stands for a depthwise convolution followed by a pointwise one, each normalized.
    """

    channels: int
    kernel: int
    separable: bool
    pool: bool


@dataclass(frozen=True)
class Architecture:
    """All that decides the layers and their shapes; the input is (window, sensors)."""

    window: int
    sensors: int
    blocks: tuple[Block, ...]
    dropout: float
    classes: int

    @property
    def features(self) -> int:
        """F: what the head reads, the time average of the last block's channels."""
        return self.blocks[-1].channels


def plan_architecture(task: Task, window: int, sensors: int, classes: int) -> Architecture:
    """The task's convolutions, widths growing by half, then one separable block of F channels."""
    if task.blocks < 1 or window >> task.blocks < 2:
        raise InputError(
            f"task {task.name!r} has {task.blocks} blocks; 1 or more are needed, and each halves "
            f"a window of {window} samples, of which 2 have to be left"
        )
    body = [
        Block(channels=round(task.width * 1.5**index), kernel=5, separable=False, pool=True)
        for index in range(task.blocks)
    ]
    tail = Block(channels=task.features, kernel=5, separable=True, pool=False)
    return Architecture(window, sensors, (*body, tail), task.dropout, classes)


def load_tensorflow() -> Library:
    """Import TensorFlow, quietly, with the same kernels and threads on every x86 machine.

    Sums are split over threads, so their number is fixed: it would change the last bits.
    Raises InputError where it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        import tensorflow
    except ImportError as error:
        raise InputError(
            "this needs TensorFlow, which is not installed: pip install 'tinytrain[train]'"
        ) from error
    tensorflow.config.threading.set_intra_op_parallelism_threads(_THREADS)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return tensorflow


def load_keras() -> Library:
    """Import Keras on TensorFlow."""
    load_tensorflow()
    import keras

    return keras


def build(architecture: Architecture) -> Model:
    """A fresh network: (n, T, C) float32 windows to (n, K) probabilities."""
    keras = load_keras()
    layers = keras.layers
    window = keras.Input((architecture.window, architecture.sensors), name="window")
    x = layers.Reshape((architecture.window, 1, architecture.sensors), name="image")(window)
    for index, block in enumerate(architecture.blocks):
        name = f"block{index}"
        kernel = (block.kernel, 1)
        if block.separable:
            x = layers.DepthwiseConv2D(
                kernel, padding="same", use_bias=False, name=f"{name}_depthwise"
            )(x)
            x = layers.BatchNormalization(name=f"{name}_depthwise_norm")(x)
            x = layers.ReLU(name=f"{name}_depthwise_relu")(x)
            kernel = (1, 1)
        x = layers.Conv2D(
            block.channels, kernel, padding="same", use_bias=False, name=f"{name}_conv"
        )(x)
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
        if block.pool:
            x = layers.MaxPooling2D((_POOL, 1), name=f"{name}_pool")(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(architecture.dropout, name="dropout")(x)
    logits = layers.Dense(architecture.classes, name="head")(x)
    return keras.Model(window, layers.Softmax(name="probabilities")(logits), name="tinytrain")


def architecture_of(model: Model) -> Architecture:
    """Read the architecture back from a network of `build`, so that a saved file is enough."""
    layers = {layer.name: layer for layer in model.layers}
    if "block0_conv" not in layers or "head" not in layers:
        raise InputError(
            f"model {model.name!r} has no layers block0_conv and head; "
            "only networks made by tinytrain can be read"
        )
    blocks: list[Block] = []
    while f"block{len(blocks)}_conv" in layers:
        name = f"block{len(blocks)}"
        separable = f"{name}_depthwise" in layers
        taps = layers[f"{name}_depthwise" if separable else f"{name}_conv"]
        blocks.append(
            Block(
                channels=int(layers[f"{name}_conv"].filters),
                kernel=int(taps.kernel_size[0]),
                separable=separable,
                pool=f"{name}_pool" in layers,
            )
        )
    _, window, sensors = model.input_shape
    dropout, classes = float(layers["dropout"].rate), int(layers["head"].units)
    return Architecture(int(window), int(sensors), tuple(blocks), dropout, classes)


def macs(architecture: Architecture) -> int:
    """Multiply-accumulates of one inference, SAME padding counted as if it were data."""
    length, channels, total = architecture.window, architecture.sensors, 0
    for block in architecture.blocks:
        if block.separable:
            total += length * channels * (block.kernel + block.channels)
        else:
            total += length * channels * block.kernel * block.channels
        channels = block.channels
        length = length // _POOL if block.pool else length
    return total + channels * architecture.classes


def as_network_input(windows: NDArray[np.int8]) -> NDArray[np.float32]:
    """int8 windows to what the float network takes: value times INPUT_SCALE, in [-1, 1)."""
    scaled: NDArray[np.float32] = windows.astype(np.float32) * np.float32(INPUT_SCALE)
    return scaled
