"""A convolution over time for motion: windows (T, C) of C sensor channels.

A time series is an image of height T and width 1, so every kernel is (k, 1).
"""

from __future__ import annotations

from tinytrain.errors import InputError
from tinytrain.training.libraries import Model, load_keras
from tinytrain.training.tasks import Network
from tinytrain.training.zoo.blocks import classifier, convolution, scaled, separable

_CHANNELS = 32
_GROWTH = 1.5
_BLOCKS = 3
_FEATURES = 32
_KERNEL = (5, 1)


def conv1d(network: Network, shape: tuple[int, ...], classes: int) -> Model:
    """Blocks of convolution and pooling by 2, widths growing by half, then a separable tail."""
    layers = load_keras().layers
    blocks = network.blocks or _BLOCKS
    if len(shape) != 2 or shape[0] >> blocks < 2:
        raise InputError(
            f"network 'conv1d' has {blocks} blocks, each of which halves the time axis of samples "
            f"(T, C), and 2 steps have to be left; the samples have the shape {shape}"
        )
    window, sensors = shape
    source = load_keras().Input(shape, name="window")
    x = layers.Reshape((window, 1, sensors), name="image")(source)
    for index in range(blocks):
        name = f"block{index}"
        x = convolution(
            x, round(scaled(_CHANNELS, network) * _GROWTH**index), _KERNEL, (1, 1), name
        )
        x = layers.MaxPooling2D((2, 1), name=f"{name}_pool")(x)
    x = separable(x, network.features or _FEATURES, _KERNEL, (1, 1), f"block{blocks}")
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return classifier(source, x, network, classes)
