"""The zoo: every network in int8; the published image networks on every target, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tflite_micro.python.tflite_micro.runtime import Interpreter

from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.inference import infer_bytes
from tinytrain.errors import InputError
from tinytrain.operators.table import require_kernels
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.verify import verify
from tinytrain.project import load_project
from tinytrain.training.libraries import Model, load_keras
from tinytrain.training.network import build
from tinytrain.training.quantize import to_tflite
from tinytrain.training.tasks import Network

pytestmark = pytest.mark.usefixtures("tensorflow")

TARGETS = ("host", "cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55")
SAMPLES = 6

PUBLISHED: dict[str, tuple[tuple[int, ...], int, int, int]] = {
    "resnet8": ((32, 32, 3), 10, 12_501_632, 33_312),
    "mobilenet_v1": ((96, 96, 3), 2, 7_489_664, 36_888),
}
"""Shape, classes, multiply-accumulates and bytes of arena."""

SIZES = [
    (Network(name="conv1d"), (64, 6)),
    (Network(name="conv1d", width=0.5, blocks=1, features=12), (7, 1)),
    (Network(name="ds_cnn"), (49, 10)),
    (Network(name="ds_cnn", width=0.25, blocks=2, features=24), (49, 40)),
    (Network(name="ds_cnn"), (28, 28, 1)),
    (Network(name="resnet8"), (28, 28, 1)),
    (Network(name="resnet8", width=0.5, features=20), (8, 8, 1)),
    (Network(name="mobilenet_v1"), (28, 28, 1)),
    (Network(name="mobilenet_v1", width=0.5, features=40), (8, 8, 1)),
    (Network(name="dense"), (6, 8)),
    (Network(name="dense", width=0.5, blocks=2, features=12), (24,)),
    (Network(name="autoencoder"), (640,)),
    (Network(name="autoencoder", width=0.25, blocks=1, features=4), (16, 3)),
]


def spread_normalizations(network: Model) -> None:
    """Statistics as training leaves them, so that no normalization is the identity."""
    keras = load_keras()
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            spread = [rng.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()]
            spread[1] -= 1
            spread[2] -= 1
            layer.set_weights(spread)


@pytest.mark.parametrize(
    ("size", "shape"), SIZES, ids=[f"{size.name}-{shape}" for size, shape in SIZES]
)
def test_every_network_has_only_operators_that_convert(
    size: Network, shape: tuple[int, ...]
) -> None:
    network = build(size, shape, 5)
    spread_normalizations(network)
    outputs = int(np.prod(shape)) if size.name == "autoencoder" else 5
    assert network.output_shape == (None, outputs)
    assert network.get_layer("head").output.shape == (None, outputs)
    inputs = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype(np.float32)
    graph = parse_tflite(to_tflite(network, [inputs]), size.name)
    assert len(require_kernels(graph)) == len(graph.operators)


def test_the_networks_have_as_many_weights_as_the_published_ones() -> None:
    """Kernels and, with the normalizations folded, a bias for each channel."""
    published = {("ds_cnn", (49, 10), 12): 22_604, ("autoencoder", (640,), 1): 265_864}
    for (name, shape, classes), expected in published.items():
        network = build(Network(name=name), shape, classes)
        weights = sum(
            int(np.prod(layer.kernel.shape)) + layer.output.shape[-1]
            for layer in network.layers
            if hasattr(layer, "kernel")
        )
        assert weights == expected


def test_samples_of_a_wrong_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"'conv1d' has 3 blocks.*the shape \(8, 6\)"):
        build(Network(name="conv1d"), (8, 6), 5)
    with pytest.raises(InputError, match=r"'resnet8' reads images"):
        build(Network(name="resnet8"), (8,), 5)
    with pytest.raises(InputError, match="choose one of: conv1d, ds_cnn"):
        build(Network(name="vgg"), (8, 8, 1), 5)


@pytest.fixture(scope="module", params=PUBLISHED)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    load_keras().utils.set_random_seed(0)
    shape, classes, _, _ = PUBLISHED[request.param]
    network = build(Network(name=request.param), shape, classes)
    spread_normalizations(network)
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (20, *network.input_shape[1:])).astype(np.float32)
    folder = tmp_path_factory.mktemp(request.param)
    file = folder / f"{request.param}.tflite"
    file.write_bytes(to_tflite(network, [inputs]))
    convert(file, folder / "project")
    return folder / "project"


def test_a_published_network_has_the_bytes_of_tflite_micro(project: Path) -> None:
    model = load_project(project).model
    _, _, macs, arena = PUBLISHED[model.name]
    assert model.macs == macs
    assert model.memory.arena_bytes == arena
    x = np.random.default_rng(1).integers(-128, 128, (SAMPLES, *model.inputs[0].shape[1:]))
    samples = x.astype(np.int8)
    ours = infer_bytes(model.graph, model.kernels, samples.reshape(SAMPLES, -1).view(np.uint8))
    interpreter = Interpreter.from_bytes((project / "source.tflite").read_bytes())
    for sample, output in zip(samples, ours, strict=True):
        interpreter.set_input(sample[None], 0)
        interpreter.invoke()
        np.testing.assert_array_equal(output.view(np.int8), interpreter.get_output(0).reshape(-1))


@pytest.mark.parametrize("target", TARGETS)
def test_a_published_network_is_the_same_on_every_target(
    target: str, project: Path, require_arm_gcc: None, require_qemu: None
) -> None:
    assert verify(load_project(project), target, SAMPLES, steps=3).passed
