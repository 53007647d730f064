"""Two dense layers, for samples that are figures already, such as statistics of motion."""

from __future__ import annotations

from tinytrain.training.libraries import Model, load_keras
from tinytrain.training.tasks import Network
from tinytrain.training.zoo.blocks import classifier, dense, scaled

_UNITS = 64
_LAYERS = 1
_FEATURES = 32


def dense_classifier(network: Network, shape: tuple[int, ...], classes: int) -> Model:
    """(n, *shape) of any shape; `blocks` layers before the features."""
    keras = load_keras()
    source = keras.Input(shape, name="sample")
    x = source if len(shape) == 1 else keras.layers.Flatten(name="flat")(source)
    for index in range(network.blocks or _LAYERS):
        x = dense(x, scaled(_UNITS, network), f"block{index}")
    features = dense(x, network.features or _FEATURES, "last", output="features")
    return classifier(source, features, network, classes)
