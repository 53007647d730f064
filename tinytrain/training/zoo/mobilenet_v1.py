"""MobileNetV1: Howard et al. (arXiv 1704.04861, table 1) at a quarter of the width.

In the shape of MLPerf Tiny's visual wake words: 96x96x3 images, 7.5 million multiply-accumulates.
"""

from __future__ import annotations

from tinytrain.training.libraries import Model
from tinytrain.training.tasks import Network
from tinytrain.training.zoo.blocks import (
    classifier,
    convolution,
    image_input,
    pooled_features,
    scaled,
    separable,
)

_FIRST = 8
_BLOCKS = (
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

_HALVINGS = 5
_LEFT = 3
"""Rows and columns that reach the pooling, at least, as they do from 96x96."""


def mobilenet_v1(network: Network, shape: tuple[int, ...], classes: int) -> Model:
    """Images of 3 rows and columns or more; small ones go without the first of the five strides."""
    source, x = image_input(network, shape)
    spared = _HALVINGS - sum(min(shape[:2]) >> n >= _LEFT for n in range(1, _HALVINGS + 1))
    first = 1 if spared else 2
    spared -= first == 1
    x = convolution(x, scaled(_FIRST, network), (3, 3), (first, first), "first")
    for index, (channels, published) in enumerate(_BLOCKS):
        stride = 1 if spared > 0 else published
        spared -= published == 2
        last = index == len(_BLOCKS) - 1 and network.features
        width = network.features if last else scaled(channels, network)
        x = separable(x, width, (3, 3), (stride, stride), f"block{index}")
    return classifier(source, pooled_features(x), network, classes)
