"""The dense autoencoder of MLPerf Tiny's anomaly detection: 128 four times, 8, 128 four times.

Banbury et al., "MLPerf Tiny Benchmark" (2021), after the baseline of DCASE 2020 task 2: trained on
normal samples alone, it gives others back worse.
"""

from __future__ import annotations

import numpy as np

from tinytrain.training.libraries import Model, load_keras
from tinytrain.training.tasks import Network
from tinytrain.training.zoo.blocks import dense, scaled

_UNITS = 128
_LAYERS = 4
_BOTTLENECK = 8


def autoencoder(network: Network, shape: tuple[int, ...], classes: int) -> Model:
    """(n, *shape) to (n, elements); `features` is the width of the bottleneck."""
    del classes
    keras = load_keras()
    source = keras.Input(shape, name="sample")
    x = source if len(shape) == 1 else keras.layers.Flatten(name="flat")(source)
    layers = network.blocks or _LAYERS
    for index in range(layers):
        x = dense(x, scaled(_UNITS, network), f"encoder{index}")
    x = dense(x, network.features or _BOTTLENECK, "features")
    for index in range(layers):
        x = dense(x, scaled(_UNITS, network), f"decoder{index}")
    again = keras.layers.Dense(int(np.prod(shape)), name="head")(x)
    return keras.Model(source, again, name="tinytrain")
