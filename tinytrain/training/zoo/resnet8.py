"""ResNet-8: He et al. (CVPR 2016, section 4.2) with n = 1 and a wider step in channels.

In the shape of MLPerf Tiny's image classification: 32x32x3 images, 12.5 million
multiply-accumulates.
"""

from __future__ import annotations

from tinytrain.training.libraries import Model, load_keras
from tinytrain.training.tasks import Network
from tinytrain.training.zoo.blocks import (
    classifier,
    convolution,
    image_input,
    pooled_features,
    scaled,
)

_CHANNELS = (16, 32, 64)


def resnet8(network: Network, shape: tuple[int, ...], classes: int) -> Model:
    """Images of 8 to 48 rows and columns as they are; larger ones are halved at first, or twice."""
    layers = load_keras().layers
    source, x = image_input(network, shape)
    shortest = min(shape[:2])
    stride = 1 if shortest <= 48 else 2 if shortest <= 96 else 4
    widths = [scaled(channels, network) for channels in _CHANNELS]
    x = convolution(x, widths[0], (3, 3), (stride, stride), "first")
    widths[-1] = network.features or widths[-1]
    for stage, channels in enumerate(widths):
        name = f"stage{stage}"
        step = (1, 1) if stage == 0 else (2, 2)
        y = convolution(x, channels, (3, 3), step, f"{name}_a")
        y = convolution(y, channels, (3, 3), (1, 1), f"{name}_b", relu=False)
        if stage:
            x = layers.Conv2D(channels, 1, step, padding="same", name=f"{name}_shortcut")(x)
        x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))
    return classifier(source, pooled_features(x), network, classes)
