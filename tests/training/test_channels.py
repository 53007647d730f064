"""Channels: silent ones can be taken out of any network, and costs are those of the layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinytrain.converters.tflite import parse_tflite
from tinytrain.operators.table import require_kernels
from tinytrain.training.channels import Channels, channels_of, macs, rebuild, weight_bytes
from tinytrain.training.libraries import load_keras, make_deterministic
from tinytrain.training.network import build
from tinytrain.training.quantize import quantize
from tinytrain.training.tasks import Network

pytestmark = pytest.mark.usefixtures("tensorflow")


def dense_behind_an_image() -> Any:
    """Channels that stand for several features each, and layers that make a group without norm."""
    layers = load_keras().layers
    source = load_keras().Input((6, 5, 2), name="image")
    x = layers.Conv2D(6, 3, activation="relu", name="conv")(source)
    x = layers.ZeroPadding2D(1)(x)
    x = layers.SeparableConv2D(5, 3, padding="same", name="separable")(x)
    y = layers.Conv2D(4, 1, name="side")(source)
    y = layers.ZeroPadding2D((0, 0))(layers.MaxPooling2D(1)(y))
    x = layers.Concatenate()([x, layers.LeakyReLU()(y)])
    x = layers.Reshape((15, 2 * 9))(layers.Flatten()(x))
    x = layers.Flatten()(x)
    x = layers.Dense(7, activation="relu", name="dense")(x)
    x = x + layers.Dense(7, name="other")(x)
    return load_keras().Model(source, layers.Dense(3, name="head")(x))


NETWORKS: dict[str, Callable[[], Any]] = {
    "conv1d": lambda: build(Network("conv1d"), (32, 6), 5),
    "ds_cnn": lambda: build(Network("ds_cnn", width=0.5), (25, 10), 5),
    "resnet8": lambda: build(Network("resnet8", width=0.5), (32, 32, 3), 5),
    "mobilenet_v1": lambda: build(Network("mobilenet_v1"), (32, 32, 3), 2),
    "dense": lambda: build(Network("dense"), (6, 8), 5),
    "autoencoder": lambda: build(Network("autoencoder", width=0.25), (5, 16), 1),
    "dense_behind_an_image": dense_behind_an_image,
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Any:
    """A network whose every weight is random, so that nothing vanishes by chance."""
    make_deterministic(7)
    model = NETWORKS[request.param]()
    generator = np.random.default_rng(7)
    for layer in model.layers:
        spread = [generator.uniform(0.4, 1.2, value.shape) for value in layer.get_weights()]
        if not isinstance(layer, load_keras().layers.BatchNormalization):
            spread = [
                (value - 0.8) / np.sqrt(max(1, value.size // value.shape[-1])) for value in spread
            ]
        layer.set_weights(spread)
    return model


def silence(model: Any, channels: Channels, gone: dict[int, np.ndarray]) -> Any:
    """A copy whose channels `gone` are 0 wherever they appear."""
    keras = load_keras()
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for place, indices in gone.items():
        group = channels.groups[place]
        for name in group.norms:
            layer = copy.get_layer(name)
            layer.set_weights(
                [
                    *(_zeroed(value, indices) for value in layer.get_weights()[:2]),
                    *layer.get_weights()[2:],
                ]
            )
        for name in group.bare:
            layer = copy.get_layer(name)
            *taps, kernel, bias = layer.get_weights()
            layer.set_weights([*taps, _zeroed(kernel, indices), _zeroed(bias, indices)])
    return copy


def _zeroed(value: np.ndarray, indices: np.ndarray) -> np.ndarray:
    out = value.copy()
    out[..., indices] = 0
    return out


def test_taking_silent_channels_out_changes_no_output(network: Any) -> None:
    channels = channels_of(network)
    gone = {
        place: np.arange(place % 2, group.width, 3)
        for place, group in enumerate(channels.groups)
        if not group.protected
    }
    kept = {
        place: np.setdiff1d(np.arange(channels.groups[place].width), indices)
        for place, indices in gone.items()
    }
    silent = silence(network, channels, gone)
    smaller = rebuild(silent, channels, kept)
    x = np.random.default_rng(0).uniform(-1, 1, (4, *network.input_shape[1:])).astype(np.float32)
    whole, part = (np.asarray(model(x, training=False)) for model in (silent, smaller))
    assert np.ptp(whole) > 1e-3
    assert not np.allclose(whole, np.asarray(network(x, training=False)), atol=1e-5)
    np.testing.assert_allclose(part, whole, atol=1e-5)
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in network.layers]
    widths = [len(kept.get(place, range(width))) for place, width in enumerate(channels.widths)]
    assert channels.macs(widths) == macs(smaller) < 0.6 * macs(network)
    assert channels.weight_bytes(widths) == weight_bytes(smaller) < 0.6 * weight_bytes(network)


def test_costs_are_those_of_the_layers(network: Any) -> None:
    products = weights = 0
    for layer in network.layers:
        if isinstance(layer, load_keras().layers.BatchNormalization) or not layer.weights:
            continue
        positions = int(np.prod(layer.output.shape[1:-1]))
        kernels = [value for value in layer.get_weights() if value.ndim > 1]
        products += positions * sum(value.size for value in kernels)
        weights += sum(value.size for value in kernels) + 4 * layer.output.shape[-1]
        weights += 4 * layer.input.shape[-1] if len(kernels) == 2 else 0
    assert macs(network) == products
    assert weight_bytes(network) == weights


def test_inputs_and_outputs_keep_their_channels(network: Any) -> None:
    channels = channels_of(network, keep_inputs_of=("head",))
    for view in (channels.views["head"][0], channels.views["head"][1]):
        assert all(channels.groups[place].protected for place in view.groups)


def test_a_residual_addition_has_one_group() -> None:
    channels = channels_of(build(Network("resnet8"), (32, 32, 3), 10))
    sizes = sorted((group.width, len(group.producers)) for group in channels.groups)
    assert sizes == [(3, 0), (10, 0), (10, 1), (16, 1), (16, 2), (32, 1), (32, 2), (64, 1), (64, 2)]


@pytest.mark.parametrize(
    "unknown",
    ["Conv2DTranspose", "LayerNormalization", "Permute", "grouped", "multiplied", "softmax"],
)
def test_what_is_unknown_keeps_its_channels(unknown: str) -> None:
    layers = load_keras().layers
    made = {
        "Conv2DTranspose": lambda: layers.Conv2DTranspose(4, 3),
        "LayerNormalization": layers.LayerNormalization,
        "Permute": lambda: layers.Permute((1, 3, 2)),
        "grouped": lambda: layers.Conv2D(4, 3, groups=2),
        "multiplied": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
        "softmax": layers.Softmax,
    }[unknown]()
    source = load_keras().Input((8, 8, 2))
    x = layers.Conv2D(4, 3, name="before")(source)
    x = layers.Conv2D(4, 3, name="free")(made(x))
    model = load_keras().Model(source, layers.Dense(2)(layers.Flatten()(x)))
    channels = channels_of(model)
    free = {name for g in channels.groups if not g.protected for name in g.producers}
    assert free == {"free"}
    (place,) = (i for i, group in enumerate(channels.groups) if not group.protected)
    smaller = rebuild(model, channels, {place: np.array([1, 2])})
    assert smaller.output_shape == model.output_shape
    assert macs(smaller) == channels.macs(
        [2 if i == place else width for i, width in enumerate(channels.widths)]
    )


def test_a_layer_used_twice_keeps_its_channels() -> None:
    layers = load_keras().layers
    source = load_keras().Input((4,))
    twice = layers.Dense(4, name="twice")
    x = layers.Dense(3)(twice(twice(source)))
    channels = channels_of(load_keras().Model(source, x))
    assert all(group.protected for group in channels.groups)
    assert channels.macs(channels.widths) == 16 + 16 + 12


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv1d", (32, 6)),
        ("ds_cnn", (25, 10)),
        ("dense", (6, 8)),
        ("autoencoder", (5, 16)),
        ("resnet8", (16, 16, 3)),
    ],
)
def test_costs_are_those_of_the_converted_network(name: str, shape: tuple[int, ...]) -> None:
    model = build(Network(name, width=0.5), shape, 4)
    samples = np.random.default_rng(0).integers(-128, 128, (8, *shape)).astype(np.int8)
    kernels = require_kernels(parse_tflite(quantize(model, samples), "model.tflite"))
    assert macs(model) == sum(kernel.macs for kernel in kernels)
    assert weight_bytes(model) == sum(kernel.weight_bytes for kernel in kernels)
