"""Quantize: int8 all through, the operators of the firmware, and the same bytes every time."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.small_tasks import small_task, waves
from tinytrain.errors import InputError
from tinytrain.training.fit import split_of
from tinytrain.training.libraries import load_keras, load_tensorflow, make_deterministic
from tinytrain.training.network import build
from tinytrain.training.quantize import calibration_samples, quantize
from tinytrain.training.tasks import Network

pytestmark = pytest.mark.usefixtures("tensorflow")

OPERATORS = {
    "RESHAPE",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "MAX_POOL_2D",
    "MEAN",
    "FULLY_CONNECTED",
    "SOFTMAX",
}


@pytest.fixture(scope="module")
def network() -> Any:
    make_deterministic(3)
    return build(small_task().network, (32, 3), 4)


@pytest.fixture(scope="module")
def quantized(network: Any) -> bytes:
    return quantize(network, waves(1).x)


def interpreter_of(data: bytes) -> Any:
    lite = load_tensorflow().lite
    resolver = lite.experimental.OpResolverType.BUILTIN_REF
    return lite.Interpreter(model_content=data, experimental_op_resolver_type=resolver)


def test_the_modules_import_no_tensorflow_until_they_work() -> None:
    code = (
        "import sys; from tinytrain.training import prune, quantize, recover; "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_int8_model_takes_the_samples_of_the_data_set_as_they_are(quantized: bytes) -> None:
    interpreter = interpreter_of(quantized)
    (source,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (source["dtype"], source["shape"].tolist()) == (np.int8, [1, 32, 3])
    assert source["quantization"] == (1 / 128, 0)
    assert (answer["dtype"], answer["shape"].tolist()) == (np.int8, [1, 4])
    assert answer["quantization"] == (1 / 256, -128)


def test_the_int8_model_has_only_the_operators_of_the_firmware(quantized: bytes) -> None:
    found = {operator["op_name"] for operator in interpreter_of(quantized)._get_ops_details()}
    assert found == OPERATORS


def test_int16_activations_reach_from_input_to_output(network: Any) -> None:
    interpreter = interpreter_of(quantize(network, waves(1).x, "int16"))
    (source,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (source["dtype"], answer["dtype"]) == (np.int16, np.int16)
    assert source["quantization"] == (pytest.approx(1 / 32767), 0)


def test_quantizing_writes_nothing_on_standard_error(
    network: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    quantize(network, waves(1).x)
    assert capfd.readouterr() == ("", "")


def test_calibration_sees_training_people_only() -> None:
    task, dataset = small_task(), waves()
    train_samples = {sample.tobytes() for sample in dataset.x[split_of(task, dataset, 1).train]}
    chosen = calibration_samples(task, dataset, 1)
    assert len(chosen) == task.quantization.calibration
    assert {sample.tobytes() for sample in chosen} <= train_samples


def test_an_autoencoder_is_calibrated_with_what_it_was_trained_on() -> None:
    task = small_task(network=Network("autoencoder"))
    dataset = waves()
    first = {sample.tobytes() for sample in dataset.x[dataset.y == 0]}
    assert {sample.tobytes() for sample in calibration_samples(task, dataset, 0)} <= first


def test_a_saved_network_quantizes_to_the_same_bytes(network: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    network.save(path)
    loaded = load_keras().models.load_model(path)
    assert quantize(loaded, waves(1).x) == quantize(network, waves(1).x)


def test_calibration_samples_of_the_wrong_shape_are_refused(network: Any) -> None:
    dataset = waves(1)
    with pytest.raises(InputError, match=r"needed are int8 \(n, 32, 3\)"):
        quantize(network, replace(dataset, x=dataset.x[:, :16]).x)
