"""Published networks for images, built from their papers: what a converter has to carry.

ResNet-8 is the CIFAR residual network of He et al. (CVPR 2016, section 4.2) with n = 1 and a wider
step in channels, MobileNetV1 is Howard et al. (arXiv 1704.04861) at width 0.25; both in the shapes
of the MLPerf Tiny benchmark.
"""

from __future__ import annotations

from typing import Any

from tinytrain.training.network import Model, load_keras

RESNET_CHANNELS = (16, 32, 64)

MOBILENET_BLOCKS = (
    (16, 1),
    (32, 2),
    (32, 1),
    (64, 2),
    (64, 1),
    (128, 2),
    (128, 1),
    (128, 1),
    (128, 1),
    (128, 1),
    (128, 1),
    (256, 2),
    (256, 1),
)
"""(output channels at width 0.25, stride) of each depthwise separable block."""


def resnet8(classes: int = 10) -> Model:
    """(n, 32, 32, 3) images to (n, classes) probabilities; 12.5 million multiply-accumulates."""
    keras = load_keras()
    image = keras.Input((32, 32, 3))
    x = _convolution(image, RESNET_CHANNELS[0], 3, 1, relu=True)
    for stage, channels in enumerate(RESNET_CHANNELS):
        stride = 1 if stage == 0 else 2
        y = _convolution(x, channels, 3, stride, relu=True)
        y = _convolution(y, channels, 3, 1, relu=False)
        if stride != 1:
            x = keras.layers.Conv2D(channels, 1, stride, padding="same")(x)
        x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    x = keras.layers.AveragePooling2D(8)(x)
    return _classifier(image, x, classes)


def mobilenet_v1(classes: int = 2) -> Model:
    """(n, 96, 96, 3) images to (n, classes) probabilities; 7.5 million multiply-accumulates."""
    keras = load_keras()
    image = keras.Input((96, 96, 3))
    x = _convolution(image, 8, 3, 2, relu=True)
    for channels, stride in MOBILENET_BLOCKS:
        x = keras.layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x = _convolution(x, channels, 1, 1, relu=True)
    x = keras.layers.AveragePooling2D(3)(x)
    return _classifier(image, x, classes)


def _convolution(x: Any, channels: int, kernel: int, stride: int, relu: bool) -> Any:
    layers = load_keras().layers
    x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x) if relu else x


def _classifier(image: Any, x: Any, classes: int) -> Model:
    keras = load_keras()
    x = keras.layers.Dense(classes)(keras.layers.Flatten()(x))
    return keras.Model(image, keras.layers.Softmax()(x))
