"""Training: the same bits every time, also after an interruption; all that a task can ask for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.small import small_data, small_task
from tinytrain.errors import InputError
from tinytrain.progress import silent
from tinytrain.training.anomaly import anomaly_scores, area_under_curve
from tinytrain.training.data import DataSet
from tinytrain.training.fit import Schedule, Trained, fit, train
from tinytrain.training.libraries import load_keras, make_deterministic
from tinytrain.training.network import Model, as_network_input, build_for
from tinytrain.training.tasks import Augmentation, Network, Task

pytestmark = pytest.mark.usefixtures("tensorflow")


class Interruption(Exception):
    pass


def interrupted_at(epoch: int, stage: str = "train") -> object:
    def progress(what: str, done: int, total: int, message: str = "") -> None:
        if (what, done) == (stage, epoch):
            raise Interruption

    return progress


def weights_of(model: Model) -> bytes:
    return b"".join(value.tobytes() for value in model.get_weights())


NOISY = replace(small_task(), augmentation=Augmentation(noise=0.02, mixup=0.2))


def test_a_seed_gives_the_same_weights_every_time() -> None:
    first, second = (train(NOISY, small_data(), 0, silent) for _ in range(2))
    assert weights_of(first.model) == weights_of(second.model)
    assert first.history == second.history
    assert weights_of(train(NOISY, small_data(), 1, silent).model) != weights_of(first.model)


@pytest.mark.parametrize(
    ("task", "stage"),
    [
        (NOISY, "train"),
        (replace(NOISY, training=replace(NOISY.training, patience=2)), "train"),
        (replace(NOISY, training=replace(NOISY.training, teacher_width=2.0)), "teacher"),
        (replace(NOISY, training=replace(NOISY.training, teacher_width=2.0)), "train"),
    ],
    ids=["plain", "patience", "teacher", "student"],
)
def test_an_interrupted_training_goes_on_to_the_same_bits(
    task: Task, stage: str, tmp_path: Path
) -> None:
    dataset = small_data()
    whole = train(task, dataset, 0, silent)
    for epoch in (1, 2):
        with pytest.raises(Interruption):
            train(task, dataset, 0, interrupted_at(epoch, stage), tmp_path)  # type: ignore[arg-type]
    seen: list[tuple[str, int]] = []
    resumed = train(task, dataset, 0, lambda what, done, *_: seen.append((what, done)), tmp_path)
    assert (stage, 1) not in seen
    assert (stage, 3) in seen
    assert weights_of(resumed.model) == weights_of(whole.model)
    assert resumed.history == whole.history


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    train(NOISY, small_data(), 0, silent, tmp_path)
    with pytest.raises(InputError, match="belongs to a training with another"):
        train(NOISY, small_data(), 1, silent, tmp_path)
    (tmp_path / "train.npz").write_bytes(b"PK broken")
    with pytest.raises(InputError, match="delete it to start anew"):
        train(NOISY, small_data(), 0, silent, tmp_path)


def test_fusing_the_normalization_changes_no_more_than_roundings() -> None:
    """Against Keras's own training, with the same batches."""
    task, dataset = small_task(epochs=1, weight_decay=0.0), small_data()
    task = replace(task, network=replace(task.network, dropout=0.0))
    make_deterministic(0)
    ours = build_for(task, dataset.x.shape[1:], 3)
    keras = load_keras()
    theirs = keras.models.clone_model(ours)
    theirs.set_weights(ours.get_weights())
    fit(ours, task, dataset, 0, schedule=Schedule("train", 1, 1.0), progress=silent)
    train_indices = np.flatnonzero(dataset.group >= 2)
    steps = len(train_indices) // 16
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, round(steps * 0.9)), warmup_target=3e-3, warmup_steps=max(1, round(steps * 0.1))
    )
    logits = keras.Model(theirs.input, theirs.get_layer("head").output)
    logits.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    order = np.random.default_rng(0).permutation(len(train_indices))
    # Without settings the motions draw a speed, a phase and a strength each, which change nothing.
    for first in range(0, steps * 16, 16):
        chosen = train_indices[order[first : first + 16]]
        logits.train_on_batch(as_network_input(dataset.x[chosen]), dataset.y[chosen])
    for mine, reference in zip(ours.trainable_weights, theirs.trainable_weights, strict=True):
        np.testing.assert_allclose(mine.numpy(), reference.numpy(), rtol=1e-3, atol=1e-4)


def test_the_statistics_for_inference_follow_within_a_few_steps() -> None:
    dataset = small_data()
    task = small_task(epochs=10, batch_size=8, learning_rate=1e-5)
    model = train(task, dataset, 0, silent).model
    x = as_network_input(dataset.x[dataset.group >= 2])
    learnt = model.get_layer("block0_norm")
    inputs = load_keras().Model(model.input, learnt.input)(x).numpy()
    np.testing.assert_allclose(learnt.moving_mean, inputs.mean(axis=(0, 1, 2)), atol=0.03)
    np.testing.assert_allclose(learnt.moving_variance, inputs.var(axis=(0, 1, 2)), rtol=0.2)


def test_patience_ends_training_and_keeps_the_best() -> None:
    task = small_task(epochs=40, patience=2)
    trained = train(task, small_data(), 0, silent)
    accuracies = [epoch.validation_accuracy for epoch in trained.history]
    best = int(np.argmax(accuracies))
    assert len(accuracies) == best + 3 < 40
    assert _accuracy(trained, small_data(), 1) == pytest.approx(accuracies[best])


def test_rare_classes_can_count_as_much_as_frequent_ones() -> None:
    dataset = small_data(count=240)
    kept = np.flatnonzero((dataset.y != 0) | (np.arange(240) % 24 == 0))
    rare = replace(
        dataset,
        x=dataset.x[kept],
        y=dataset.y[kept],
        group=dataset.group[kept],
        recording=dataset.recording[kept],
    )
    task = small_task(epochs=4, label_smoothing=0.1)
    weighted = replace(task, training=replace(task.training, class_weights=True))
    counts = []
    for variant in (task, weighted):
        model = train(variant, rare, 0, silent).model
        outputs = np.asarray(model(as_network_input(dataset.x), training=False))
        counts.append(outputs[:, 0].mean())
    assert counts[1] > counts[0]


def test_an_autoencoder_learns_the_first_class_and_tells_the_others() -> None:
    network = Network(name="autoencoder", width=0.25, blocks=1)
    task = small_task(network=network, epochs=40, learning_rate=1e-2)
    dataset = small_data(count=240)
    trained = train(task, dataset, 0, silent)
    unseen = np.flatnonzero(dataset.group == 0)
    scores = anomaly_scores(trained.model, dataset.x[unseen])
    assert scores.shape == unseen.shape
    assert area_under_curve(scores, dataset.y[unseen] != 0) > 0.9
    assert trained.history[-1].loss < trained.history[0].loss


def test_the_area_under_the_curve_counts_pairs() -> None:
    rng = np.random.default_rng(0)
    scores, anomalous = rng.integers(0, 9, 80) / 8, rng.random(80) < 0.3
    above = scores[anomalous][:, None] - scores[~anomalous][None, :]
    expected = (above > 0).mean() + (above == 0).mean() / 2
    assert area_under_curve(scores, anomalous) == pytest.approx(expected)
    assert area_under_curve(scores, np.zeros(80, bool)) == 0.5


def _accuracy(trained: Trained, dataset: DataSet, person: int) -> float:
    own = dataset.group == person
    outputs = np.asarray(trained.model(as_network_input(dataset.x[own]), training=False))
    return float((outputs.argmax(axis=1) == dataset.y[own]).mean())
