"""DS-CNN, keyword spotting: Zhang et al., "Hello Edge" (arXiv 1711.07128), as in MLPerf Tiny.

There, 49 frames of 10 bands meet a convolution of 10x4 with stride 2x2, and 4 separable blocks of
64 channels. With more bands the first kernel and stride grow along that axis, which leaves 5 to 10
columns, so that a front end of 40 bands costs twice as much, not four times.
"""

from __future__ import annotations

from tinytrain.training.libraries import Model, load_keras
from tinytrain.training.tasks import Network
from tinytrain.training.zoo.blocks import (
    Extent,
    classifier,
    convolution,
    image_input,
    scaled,
    separable,
)

_CHANNELS = 64
_BLOCKS = 4


def ds_cnn(network: Network, shape: tuple[int, ...], classes: int) -> Model:
    """Frames (T, bands), or images (H, W, C), which meet a first kernel of 4x4."""
    source, x = image_input(network, shape)
    channels, blocks = scaled(_CHANNELS, network), network.blocks or _BLOCKS
    kernel, stride = _first(shape)
    x = convolution(x, channels, kernel, stride, "first")
    for index in range(blocks):
        last = index == blocks - 1 and network.features
        x = separable(x, network.features if last else channels, (3, 3), (1, 1), f"block{index}")
    x = load_keras().layers.GlobalAveragePooling2D(name="features")(x)
    return classifier(source, x, network, classes)


def _first(shape: tuple[int, ...]) -> tuple[Extent, Extent]:
    """Kernel and stride of the first convolution; two strides to a kernel along the bands."""
    if len(shape) == 3:
        return (4, 4), (2, 2)
    across = 2 if shape[1] < 30 else 4
    return (min(10, shape[0]), 2 * across), (2, across)
