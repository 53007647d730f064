"""Folding and equalizing change no answer, and equalizing makes the ranges alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytrain.training.equalize import equalized
from tinytrain.training.fold import folded
from tinytrain.training.libraries import load_keras, make_deterministic
from tinytrain.training.network import build
from tinytrain.training.tasks import Network

pytestmark = pytest.mark.usefixtures("tensorflow")

SHAPES = {
    "conv1d": (32, 6),
    "ds_cnn": (25, 10),
    "resnet8": (32, 32, 3),
    "mobilenet_v1": (32, 32, 3),
    "autoencoder": (5, 16),
}


@pytest.fixture(scope="module", params=SHAPES)
def network(request: pytest.FixtureRequest) -> Any:
    """A network of the zoo whose normalizations are far from 1, and from each other."""
    make_deterministic(1)
    model = build(Network(request.param, width=0.5), SHAPES[request.param], 4)
    generator = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, load_keras().layers.BatchNormalization):
            spread = [generator.uniform(0.2, 1.5, value.shape) for value in layer.get_weights()]
            spread[0] *= generator.choice([0.2, 1, 20], spread[0].shape)
            layer.set_weights(spread)
    return model


def samples_of(model: Any) -> np.ndarray:
    shape = (16, *model.input_shape[1:])
    return np.random.default_rng(2).uniform(-1, 1, shape).astype(np.float32)


def logits(model: Any, x: np.ndarray) -> np.ndarray:
    keras = load_keras()
    return np.asarray(keras.Model(model.input, model.get_layer("head").output)(x, training=False))


def spread(model: Any, x: np.ndarray) -> float:
    """How much stronger a rectified tensor is than its channels, in the mean over all."""
    layers = [layer for layer in model.layers if layer.name.endswith("_relu")]
    ratios = []
    for layer in layers:
        value = np.asarray(load_keras().Model(model.input, layer.output)(x, training=False))
        channels = value.reshape(-1, value.shape[-1]).max(axis=0)
        ratios.append(np.log(channels.max() / channels[channels > 0]).mean())
    return float(np.mean(ratios))


def test_a_folded_network_has_no_normalization_and_the_same_answers(network: Any) -> None:
    x, plain = samples_of(network), folded(network)
    assert not any("norm" in layer.name for layer in plain.layers)
    whole = logits(network, x)
    np.testing.assert_allclose(logits(plain, x), whole, atol=1e-4 * np.abs(whole).max())


def test_an_equalized_network_has_like_ranges_and_the_same_answers(network: Any) -> None:
    x, plain = samples_of(network), folded(network)
    alike = equalized(plain, x)
    whole = logits(plain, x)
    np.testing.assert_allclose(logits(alike, x), whole, atol=1e-4 * np.abs(whole).max())
    assert spread(alike, x) < 0.7 * spread(plain, x)


def test_a_bounded_rectifier_and_a_sigmoid_are_left_alone() -> None:
    layers = load_keras().layers
    source = load_keras().Input((8,), name="x")
    x = layers.Dense(6, name="first")(source)
    x = layers.ReLU(max_value=6)(x)
    x = layers.Dense(5, activation="sigmoid", name="second")(x)
    model = load_keras().Model(source, layers.Dense(3, name="head")(x))
    x = samples_of(model)
    again = equalized(model, x)
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
