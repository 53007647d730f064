"""Train, prune and quantize: fewer channels, int8 all through, and the same bytes every time."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinytrain.errors import InputError
from tinytrain.training.data import DataSet, load
from tinytrain.training.evaluate import accuracy_by_group
from tinytrain.training.fit import augment, make_deterministic, split_of, train
from tinytrain.training.network import (
    architecture_of,
    as_network_input,
    build,
    load_keras,
    macs,
    plan_architecture,
)
from tinytrain.training.prune import channel_scores, choose_channels, prune, without_channels
from tinytrain.training.quantize import calibration_windows, quantize
from tinytrain.training.tasks import task_by_name

OPERATORS = {
    "RESHAPE",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "MAX_POOL_2D",
    "MEAN",
    "FULLY_CONNECTED",
    "SOFTMAX",
}


class Steps:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def __call__(self, stage: str, done: int, total: int, message: str) -> None:
        self.seen.append((stage, done, total))


@pytest.fixture(scope="module", autouse=True)
def tensorflow_is_there() -> None:
    pytest.importorskip("tensorflow", reason="training needs the extra tinytrain[train]")


@pytest.fixture(scope="module")
def watch() -> DataSet:
    return load("watch")


@pytest.fixture(scope="module")
def network(watch: DataSet) -> Any:
    make_deterministic(3)
    _, window, sensors = watch.x.shape
    return build(plan_architecture(task_by_name("watch"), window, sensors, len(watch.label_names)))


@pytest.fixture(scope="module")
def quantized(network: Any, watch: DataSet) -> bytes:
    return quantize(network, watch.x[::60])


def test_the_rooms_import_no_tensorflow_until_they_work() -> None:
    code = (
        "import sys; from tinytrain.training import data, evaluate, fit, network, prune, quantize; "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_macs_are_those_of_the_layers(network: Any) -> None:
    expected = 0
    for layer in network.layers:
        if hasattr(layer, "kernel") and layer.name != "head":
            positions = int(np.prod(layer.output.shape[1:3]))
            expected += positions * int(np.prod(layer.kernel.shape))
    assert macs(architecture_of(network)) == expected + int(
        np.prod(network.get_layer("head").kernel.shape)
    )


def test_a_network_is_read_back_from_its_layers(network: Any, watch: DataSet) -> None:
    task = task_by_name("watch")
    assert architecture_of(network) == plan_architecture(task, 64, 6, len(watch.label_names))


def test_taking_silent_channels_out_changes_no_output(network: Any, watch: DataSet) -> None:
    make_deterministic(5)
    silenced = build(architecture_of(network))
    kept = []
    for index, block in enumerate(architecture_of(network).blocks[:-1]):
        norm = silenced.get_layer(f"block{index}_norm")
        gamma, beta, mean, variance = norm.get_weights()
        gamma[::3], beta[::3] = 0, 0
        norm.set_weights([gamma, beta, mean, variance])
        kept.append(np.setdiff1d(np.arange(block.channels), np.arange(0, block.channels, 3)))
    kept.append(np.arange(architecture_of(network).features))
    # A depthwise filter of a silent channel still passes on its own offset.
    norm = silenced.get_layer("block3_depthwise_norm")
    assert not norm.get_weights()[1].any()
    smaller = without_channels(silenced, tuple(kept))
    windows = as_network_input(watch.x[::90])
    whole, part = (np.asarray(model(windows, training=False)) for model in (silenced, smaller))
    assert macs(architecture_of(smaller)) < macs(architecture_of(network)) * 0.6
    np.testing.assert_allclose(part, whole, atol=1e-5)


def test_half_of_the_macs_can_go(network: Any, watch: DataSet) -> None:
    architecture = architecture_of(network)
    scores = channel_scores(network, watch, np.arange(0, len(watch.x), 9), seed=0)
    kept = choose_channels(architecture, scores, macs(architecture) // 2)
    smaller = architecture_of(without_channels(network, kept))
    assert macs(smaller) <= macs(architecture) // 2
    assert smaller.features == architecture.features


def test_pruning_refuses_a_target_out_of_reach(network: Any, watch: DataSet) -> None:
    architecture = architecture_of(network)
    scores = tuple(np.ones(block.channels) for block in architecture.blocks)
    with pytest.raises(InputError, match="ask for a smaller prune_share"):
        choose_channels(architecture, scores, target=1000)


def test_augmented_windows_are_what_the_int8_input_can_hold(watch: DataSet) -> None:
    task = task_by_name("watch")
    long = as_network_input(np.concatenate([watch.x[:50], watch.x[:50, :32]], axis=1))
    out = augment(long, task.augmentation, np.random.default_rng(0))
    assert out.shape == (50, 64, 6)
    assert out.dtype == np.float32
    assert out.min() >= -1.0
    assert out.max() <= 127 / 128


def test_without_variation_augmentation_is_a_shift_in_time(watch: DataSet) -> None:
    still = replace(
        task_by_name("watch").augmentation, speed=0, gain=0, tilt_degrees=0, noise=0, mirror=()
    )
    ramp = np.tile(np.arange(96, dtype=np.float32)[None, :, None] / np.float32(128), (4, 1, 6))
    out = augment(ramp, still, np.random.default_rng(0))
    np.testing.assert_allclose(np.diff(out, axis=1), 1 / 128, atol=1e-6)


def test_the_int8_model_takes_the_windows_of_the_data_set_as_they_are(quantized: bytes) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    interpreter = tensorflow.lite.Interpreter(model_content=quantized)
    (source,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (source["dtype"], source["shape"].tolist()) == (np.int8, [1, 64, 6])
    assert source["quantization"] == (1 / 128, 0)
    assert (answer["dtype"], answer["shape"].tolist()) == (np.int8, [1, 7])
    assert answer["quantization"] == (1 / 256, -128)


def test_the_int8_model_has_only_the_operators_of_the_firmware(quantized: bytes) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    interpreter = tensorflow.lite.Interpreter(
        model_content=quantized,
        experimental_op_resolver_type=tensorflow.lite.experimental.OpResolverType.BUILTIN_REF,
    )
    assert {operator["op_name"] for operator in interpreter._get_ops_details()} == OPERATORS


def test_quantizing_writes_nothing_on_standard_error(
    network: Any, watch: DataSet, capfd: pytest.CaptureFixture[str]
) -> None:
    quantize(network, watch.x[:4])
    assert capfd.readouterr() == ("", "")


def test_calibration_sees_training_people_only(watch: DataSet) -> None:
    task = task_by_name("watch")
    train_windows = {window.tobytes() for window in watch.x[split_of(task, watch, 1).train]}
    chosen = calibration_windows(task, watch, 1)
    assert len(chosen) == task.calibration_windows
    assert {window.tobytes() for window in chosen} <= train_windows


def test_a_saved_network_quantizes_to_the_same_bytes(
    network: Any, watch: DataSet, tmp_path: Path
) -> None:
    path = tmp_path / "model.keras"
    network.save(path)
    loaded = load_keras().models.load_model(path)
    assert architecture_of(loaded) == architecture_of(network)
    assert quantize(loaded, watch.x[:8]) == quantize(network, watch.x[:8])


def test_calibration_windows_of_the_wrong_shape_are_refused(network: Any, watch: DataSet) -> None:
    with pytest.raises(InputError, match=r"needed are int8 \(n, 64, 6\)"):
        quantize(network, watch.x[:, :32])


@pytest.mark.slow
def test_two_runs_give_the_same_bytes_and_half_of_the_macs(watch: DataSet) -> None:
    task = replace(task_by_name("watch"), epochs=3, fine_tune_epochs=2)
    unseen = split_of(task, watch, 0).unseen
    unseen_people = {"person 1", "person 2", "person 3"}

    def run() -> bytes:
        progress = Steps()
        trained = train(task, watch, 0, progress)
        pruned = prune(trained.model, task, watch, 0, progress)
        assert macs(architecture_of(pruned.model)) * 2 <= macs(architecture_of(trained.model))
        assert [done for stage, done, _ in progress.seen if stage == "train"] == [1, 2, 3]
        assert set(accuracy_by_group(pruned.model, watch, unseen)) == unseen_people
        return quantize(pruned.model, watch.x[::60])

    assert run() == run()
