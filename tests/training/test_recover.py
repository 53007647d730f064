"""Recovery: where int8 loses too much it is mended, and where it does not it is left alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.training.small_tasks import small_task, waves
from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.inference import run
from tinytrain.errors import InputError
from tinytrain.operators.table import require_kernels
from tinytrain.progress import silent
from tinytrain.training.data import DataSet
from tinytrain.training.evaluate import group_accuracies
from tinytrain.training.fit import train
from tinytrain.training.fold import folded
from tinytrain.training.groups import EVERYONE, worth_by_group
from tinytrain.training.libraries import load_keras, load_tensorflow
from tinytrain.training.network import as_network_input
from tinytrain.training.quantization_aware import (
    activation_ranges,
    as_if_int8,
    fine_tune,
    rounded_activation,
    rounded_weights,
)
from tinytrain.training.quantize import calibration_samples, quantize
from tinytrain.training.recover import (
    AWARE,
    EQUALIZED,
    INT8,
    INT16,
    losses,
    measured_samples,
    needs_recovery,
    quantize_best,
)
from tinytrain.training.tasks import Quantization
from tinytrain.training.walk import walk

pytestmark = pytest.mark.usefixtures("tensorflow")


@pytest.fixture(scope="module")
def trained() -> Any:
    return train(small_task(), waves(), 0, silent).model


def measure_with(dataset: DataSet, indices: np.ndarray) -> Callable[[bytes], dict[str, float]]:
    """What the pipeline measures: the emulator on the samples that decide."""

    def measure(data: bytes) -> dict[str, float]:
        graph = parse_tflite(data, "model.tflite")
        x = dataset.x[indices]
        outputs = run(graph, require_kernels(graph), [x.reshape(len(x), -1)])
        answers = outputs[graph.outputs[0]].argmax(axis=1)
        return group_accuracies(dataset, indices, answers)

    return measure


def with_outlier(model: Any, factor: float) -> Any:
    """The same answers, but a channel of each block is `factor` times as strong as it was, and the
    weights that read it as much weaker."""
    keras = load_keras()
    hard = keras.models.clone_model(model)
    hard.set_weights(model.get_weights())
    for name, reader in (("block0_norm", "block1_conv"), ("block1_norm", "block2_depthwise")):
        norm, taps = hard.get_layer(name), hard.get_layer(reader)
        gamma, beta, mean, variance = norm.get_weights()
        (kernel,) = taps.get_weights()
        gamma[2] *= factor
        beta[2] *= factor
        kernel[..., 2, :] /= factor
        norm.set_weights([gamma, beta, mean, variance])
        taps.set_weights([kernel])
    return hard


def test_what_is_good_enough_is_left_alone(trained: Any) -> None:
    task, dataset = small_task(), waves()
    measure = measure_with(dataset, measured_samples(task, dataset, 0))
    found = quantize_best(trained, task, dataset, 0, measure, silent)
    assert found.how == INT8
    (note,) = found.notes
    told = "int8 against float32, on people of training and validation: "
    assert re.match(f"{told}(gains|loses)", note)
    assert list(found.accuracies) == [INT8]
    assert found.data == quantize(trained, calibration_samples(task, dataset, 0))


def test_a_network_that_is_hard_to_quantize_is_recovered(trained: Any) -> None:
    task, dataset = small_task(), waves()
    indices = measured_samples(task, dataset, 0)
    hard = with_outlier(trained, 300)
    assert losses(
        worth_by_group(trained, dataset, indices), worth_by_group(hard, dataset, indices)
    )[1] == pytest.approx(0, abs=0.02)
    found = quantize_best(hard, task, dataset, 0, measure_with(dataset, indices), silent)
    assert losses(found.float_accuracy, found.accuracies[INT8])[0] > 0.01
    assert not needs_recovery(found.float_accuracy, found.accuracies[found.how], task.quantization)
    assert found.how == EQUALIZED


def test_fine_tuning_alone_recovers_what_rounding_costs(trained: Any) -> None:
    """Three bits of range lost to an outlier that nothing equalizes."""
    task, dataset = small_task(), waves()
    indices = measured_samples(task, dataset, 0)
    measure = measure_with(dataset, indices)
    samples = calibration_samples(task, dataset, 0)
    hard = folded(with_outlier(trained, 300))
    goal = worth_by_group(hard, dataset, indices)
    before = losses(goal, measure(quantize(hard, samples)))[0]
    fine_tune(hard, trained, as_network_input(samples), task, dataset, 0, silent)
    after = losses(goal, measure(quantize(hard, samples)))[0]
    assert before > 0.01
    assert after < 0.5 * before


def test_fine_tuning_sees_what_int8_computes(trained: Any) -> None:
    """The rounded float network and the .tflite differ by single steps only."""
    task, dataset = small_task(), waves(4)
    samples = calibration_samples(task, dataset, 0)
    plain = folded(trained)
    rounded = as_if_int8(plain, as_network_input(samples))
    graph = parse_tflite(quantize(plain, samples), "model.tflite")
    outputs = run(graph, require_kernels(graph), [samples.reshape(len(samples), -1)])
    answers = (outputs[graph.outputs[0]].astype(np.float64) + 128) / 256
    close = np.asarray(rounded(as_network_input(samples), training=False))
    whole = np.asarray(plain(as_network_input(samples), training=False))
    assert np.abs(close - answers).mean() < 0.01
    assert np.abs(close - whole).max() > 0


def test_weights_are_rounded_for_each_channel() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype(np.float32)
    rounded = np.asarray(rounded_weights(load_tensorflow().constant(kernel), (0, 1, 2)))
    scale = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    np.testing.assert_allclose(rounded, np.rint(kernel / scale) * scale, rtol=1e-5)


def test_an_activation_is_rounded_and_clamped_and_its_gradient_is_not_rounded() -> None:
    tensorflow = load_tensorflow()
    x = tensorflow.Variable([-2.0, -0.5, 0.0, 0.3, 0.8])
    with tensorflow.GradientTape() as tape:
        y = rounded_activation(x, -1.0, 0.5)
    steps = np.asarray(y) / (1.5 / 255)
    np.testing.assert_allclose(steps, [-170, -85, 0, 51, 85], atol=1e-3)
    assert tape.gradient(y, x).numpy().tolist() == pytest.approx([0, 1, 1, 1, 0])


def test_what_a_rectifier_takes_in_is_not_rounded(trained: Any) -> None:
    plain = folded(trained)
    ranges = activation_ranges(walk(plain), plain, as_network_input(waves(1).x))
    assert set(ranges) == {
        *("block0_relu", "block1_relu", "block2_depthwise_relu", "block2_relu"),
        *("features", "head"),
    }
    assert ranges["block0_relu"][0] == 0


@pytest.mark.parametrize(
    ("after", "needed"),
    [
        ({"a": 0.9, "b": 0.9}, False),
        ({"a": 0.89, "b": 0.89}, False),
        ({"a": 0.88, "b": 0.89}, True),
        ({"a": 0.93, "b": 0.87}, True),
        ({"a": 0.99, "b": 0.99}, False),
    ],
)
def test_recovery_is_for_a_point_overall_or_two_in_a_group(
    after: dict[str, float], needed: bool
) -> None:
    assert needs_recovery({"a": 0.9, "b": 0.9}, after, Quantization()) is needed


def test_int16_that_the_device_cannot_run_leaves_the_best_int8(trained: Any) -> None:
    task = small_task(quantization=Quantization(calibration=32, epochs=0, int16=True))
    calls: list[bytes] = []
    dataset = waves(4)

    def measure(data: bytes) -> dict[str, float]:
        calls.append(data)
        require_kernels(parse_tflite(data, "model.tflite"))
        return {"person 1": 0.1 * len(calls)}

    found = quantize_best(trained, task, dataset, 0, measure, silent)
    assert len(calls) == 3
    if INT16 not in found.accuracies:
        assert found.how == EQUALIZED
        assert "the device cannot run it" in found.notes[-1]


def test_every_way_is_tried_in_order_until_one_is_good_enough(trained: Any) -> None:
    task = small_task(quantization=Quantization(calibration=32, epochs=1))
    tried: list[bytes] = []

    def measure(data: bytes) -> dict[str, float]:
        tried.append(data)
        return {f"person {person}": float(len(tried) == 3) for person in range(1, 6)}

    found = quantize_best(trained, task, waves(4), 0, measure, silent)
    assert list(found.accuracies) == [INT8, EQUALIZED, AWARE]
    assert found.how == AWARE
    assert found.data == tried[2]
    assert len(set(tried)) == 3


def test_a_plain_int8_that_the_device_cannot_run_is_an_error(trained: Any) -> None:
    def measure(data: bytes) -> dict[str, float]:
        raise InputError("no such operator")

    with pytest.raises(InputError, match="no such operator"):
        quantize_best(trained, small_task(), waves(2), 0, measure, silent)


def test_samples_that_decide_are_of_every_group_in_equal_parts() -> None:
    task, dataset = small_task(), waves(120)
    indices = measured_samples(task, dataset, 0)
    assert len(indices) == 2000
    people, counts = np.unique(dataset.group[indices], return_counts=True)
    assert people.tolist() == [1, 2, 3, 4, 5]
    assert np.ptp(counts) <= 1


def test_data_without_groups_are_judged_as_a_whole() -> None:
    """They have one group, which has the name of all samples together."""
    whole = losses({EVERYONE: 0.9}, {EVERYONE: 0.8})
    assert whole == (pytest.approx(0.1), pytest.approx(0.1), EVERYONE)
    ours = losses({"Ann": 0.9, EVERYONE: 0.9}, {"Ann": 0.8, EVERYONE: 0.5})
    assert ours == (pytest.approx(0.1), pytest.approx(0.1), "Ann")
