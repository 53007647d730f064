"""Training speed: what an epoch of ours takes beside Keras's own share of it.

    python benchmarks/training.py

For samples of the size of three data sets (the values are random, which the time does not depend
on): plain Keras, `train_on_batch` on prepared batches; our compiled steps on prepared batches, and
the validation; then a whole epoch of `fit`, which also makes and augments the batches, and writes a
checkpoint. The overhead is what `fit` takes beyond the compiled steps. Each time is the least of
ROUNDS, which take turns, so that a busy machine disturbs all alike. Sizes: --share of the real
number of samples (default 0.25) keeps the run short.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinytrain.report.tables import table
from tinytrain.training.augment import sampler
from tinytrain.training.batches import Batch, batches
from tinytrain.training.data import DataSet
from tinytrain.training.fit import Schedule, fit, split_of
from tinytrain.training.learner import Optimization, make_learner
from tinytrain.training.libraries import Model, load_keras, make_deterministic
from tinytrain.training.network import as_network_input, build_for
from tinytrain.training.tasks import Augmentation, Data, Network, Task

ROUNDS = 5
PEOPLE = 20

CASES: dict[str, tuple[str, str, tuple[int, ...], int, int, Augmentation]] = {
    "watch": (
        "motion",
        "conv1d",
        (64, 6),
        3605,
        7,
        Augmentation(
            speed=0.2, gain=0.15, tilt_degrees=15, noise=0.01, mirror=(-1, 1, 1, 1, -1, -1)
        ),
    ),
    "arabic words": (
        "audio",
        "ds_cnn",
        (49, 40),
        7680,
        32,
        Augmentation(shift=0.1, gain=0.3, noise=0.005, time_mask=0.2, band_mask=0.15),
    ),
    "fashion": (
        "image",
        "resnet8",
        (28, 28, 1),
        20000,
        10,
        Augmentation(shift=0.07, flip=True, cutout=0.2),
    ),
}
"""Kind, network, shape, samples, classes, augmentation."""


def task_of(name: str) -> Task:
    kind, network, _, _, _, augmentation = CASES[name]
    return Task(
        name=name,
        data=Data(source="npz", kind=kind),
        augmentation=augmentation,
        network=Network(name=network),
    )


def data_of(name: str, share: float) -> DataSet:
    kind, _, shape, count, classes, _ = CASES[name]
    rng = np.random.default_rng(0)
    count = int(count * share)
    y = np.arange(count) % classes
    group = np.arange(count) * PEOPLE // count
    return DataSet(
        name=name,
        x=rng.integers(-128, 128, (count, *shape)).astype(np.int8),
        y=y,
        group=group,
        recording=group,
        overlap=kind == "motion",
        label_names=tuple(map(str, range(classes))),
        group_names=tuple(map(str, range(PEOPLE))),
        scale=np.ones(1, np.float32),
        zero=np.zeros(1, np.float32),
        given_test=np.zeros(0, np.int64),
    )


def keras_epoch(model: Model, prepared: list[Batch]) -> Callable[[], object]:
    """Keras's own loop, as its users write it."""
    keras = load_keras()
    network = keras.Model(model.input, model.get_layer("head").output)
    network.compile(
        keras.optimizers.AdamW(1e-3),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return lambda: [network.train_on_batch(x, y, sample_weight=w) for x, y, w in prepared]


def measure(name: str, share: float) -> tuple[object, ...]:
    task, dataset = task_of(name), data_of(name, share)
    split = split_of(task, dataset, 0)
    shape, classes = dataset.x.shape[1:], len(dataset.label_names)
    make_deterministic(0)
    draw = sampler(task, dataset, split.train)
    prepared = list(batches(draw, task, dataset, split.train, np.random.default_rng(0)))
    plain = keras_epoch(build_for(task, shape, classes), prepared)
    learner = make_learner(
        build_for(task, shape, classes), Optimization(1e-3, 1e-2, 100), None, 0.0
    )
    others = as_network_input(dataset.x[split.validation])

    def steps() -> None:
        losses = [learner.step(*batch)[0] for batch in prepared]
        learner.outputs(others).numpy()
        losses[-1].numpy()

    keras, own, whole = _alternating(task, dataset, plain, steps)
    milliseconds = 1000 / len(prepared)
    return (
        name,
        task.network.name,
        len(prepared),
        keras * milliseconds,
        own * milliseconds,
        whole * milliseconds,
        f"{100 * (whole / own - 1):.1f} %",
        whole / share,
    )


def _alternating(
    task: Task, dataset: DataSet, plain: Callable[[], object], steps: Callable[[], object]
) -> tuple[float, float, float]:
    """Seconds of Keras's epoch, of ours and of one of `fit`, each the least, taken in turns."""
    model = build_for(task, dataset.x.shape[1:], len(dataset.label_names))
    times: list[tuple[float, float, float]] = []
    began = time.perf_counter()

    def between_epochs(what: str, done: int, total: int, message: str = "") -> None:
        nonlocal began
        del what, done, total, message
        whole = time.perf_counter() - began
        times.append((_seconds(plain), _seconds(steps), whole))
        began = time.perf_counter()

    schedule = Schedule("train", ROUNDS + 1, 1.0)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "train.npz"
        fit(
            model,
            task,
            dataset,
            0,
            schedule=schedule,
            progress=between_epochs,
            checkpoint=checkpoint,
        )
    # The first of each compiles.
    keras, own, whole = (min(row) for row in zip(*times[1:], strict=True))
    return keras, own, whole


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("names", nargs="*", default=list(CASES))
    given = parser.parse_args()
    header = (
        *("samples of", "network", "steps"),
        *("Keras ms/step", "our step ms", "fit ms/step", "overhead", "s/epoch, all samples"),
    )
    print(table(header, [measure(name, given.share) for name in given.names]))


if __name__ == "__main__":
    main()
