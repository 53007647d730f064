"""The published image networks, from Keras to every target: 0 mismatching bytes, and the arena."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tflite_micro.python.tflite_micro.runtime import Interpreter

from tinytrain.emulator.inference import infer_bytes
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.verify import verify
from tinytrain.project import load_project
from tinytrain.training.network import load_keras
from tinytrain.training.quantize import to_tflite
from tinytrain.training.zoo import mobilenet_v1, resnet8

TARGETS = ("host", "cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55")
SAMPLES = 6

NETWORKS: dict[str, tuple[Callable[[], Any], int, int]] = {
    "resnet8": (resnet8, 12_501_632, 33_312),
    "mobilenet": (mobilenet_v1, 7_489_664, 36_888),
}
"""Builder, multiply-accumulates and bytes of arena."""


@pytest.fixture(scope="module", params=NETWORKS)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras = load_keras()
    keras.utils.set_random_seed(0)
    network = NETWORKS[request.param][0]()
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            spread = [rng.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()]
            spread[1] -= 1
            spread[2] -= 1
            layer.set_weights(spread)
    inputs = rng.uniform(-1, 1, (20, *network.input_shape[1:])).astype(np.float32)
    folder = tmp_path_factory.mktemp(request.param)
    file = folder / f"{request.param}.tflite"
    file.write_bytes(to_tflite(network, [inputs]))
    convert(file, folder / "project")
    return folder / "project"


@pytest.mark.slow
def test_a_published_network_has_the_bytes_of_tflite_micro(project: Path) -> None:
    model = load_project(project).model
    _, macs, arena = NETWORKS[model.name]
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


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_a_published_network_is_the_same_on_every_target(
    target: str, project: Path, require_arm_gcc: None, require_qemu: None
) -> None:
    assert verify(load_project(project), target, SAMPLES, steps=3).passed
