"""What the networks of the zoo are made of; every layer has a TFLite int8 operator."""

from __future__ import annotations

from tinytrain.errors import InputError
from tinytrain.training.libraries import Model, Tensor, load_keras
from tinytrain.training.tasks import Network

Extent = tuple[int, int]
"""Rows and columns."""


MOMENTUM = 0.9
"""Of the running statistics: small data sets have few steps, and 0.99 lags behind hundreds."""


def scaled(channels: int, network: Network) -> int:
    """The published number of channels at the width asked for, at least 1."""
    return max(1, round(channels * network.width))


def image_input(network: Network, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The network's input and the image in it: (H, W, C), or (T, bands) as an image of one channel.

    Raises InputError for other shapes.
    """
    keras = load_keras()
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise InputError(
            f"network {network.name!r} reads images (H, W, C) or frames (T, bands); "
            f"the samples have the shape {shape}"
        )
    source = keras.Input(shape, name="sample")
    if len(shape) == 3:
        return source, source
    return source, keras.layers.Reshape((*shape, 1), name="image")(source)


def convolution(
    x: Tensor, channels: int, kernel: Extent, stride: Extent, name: str, relu: bool = True
) -> Tensor:
    """Convolution, batch normalization and ReLU, with SAME padding."""
    layers = load_keras().layers
    x = layers.Conv2D(
        channels, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def separable(x: Tensor, channels: int, kernel: Extent, stride: Extent, name: str) -> Tensor:
    """A depthwise convolution, then a pointwise one, each normalized and with ReLU."""
    layers = load_keras().layers
    x = layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_depthwise_norm")(x)
    x = layers.ReLU(name=f"{name}_depthwise_relu")(x)
    return convolution(x, channels, (1, 1), (1, 1), name)


def dense(x: Tensor, units: int, name: str, output: str = "") -> Tensor:
    """A dense layer, batch normalization and ReLU; `output` names the last of these."""
    layers = load_keras().layers
    x = layers.Dense(units, use_bias=False, name=f"{name}_dense")(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return layers.ReLU(name=output or f"{name}_relu")(x)


def pooled_features(x: Tensor) -> Tensor:
    """The mean over the image, (n, channels), as one AVERAGE_POOL_2D."""
    layers = load_keras().layers
    x = layers.AveragePooling2D((x.shape[1], x.shape[2]), name="pool")(x)
    return layers.Flatten(name="features")(x)


def classifier(source: Tensor, features: Tensor, network: Network, classes: int) -> Model:
    """The end of every classifier: dropout, the head's logits, probabilities."""
    keras = load_keras()
    x = keras.layers.Dropout(network.dropout, name="dropout")(features)
    logits = keras.layers.Dense(classes, name="head")(x)
    probabilities = keras.layers.Softmax(name="probabilities")(logits)
    return keras.Model(source, probabilities, name="tinytrain")
