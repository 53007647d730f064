"""Small tasks and data sets for the tests of networks and training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinytrain.training.data import DataSet
from tinytrain.training.tasks import Data, Frontend, Network, Task, Training


def small_task(kind: str = "motion", network: Network | None = None, **training: object) -> Task:
    """A task with one person unseen and one to validate on; keywords are those of Training."""
    return Task(
        name="small",
        data=Data(source="npz", kind=kind),
        frontend=Frontend(bands=8),
        network=network or Network(width=0.25, blocks=2, features=8),
        training=replace(Training(epochs=3, batch_size=16), **training),  # type: ignore[arg-type]
    )


def small_data(shape: tuple[int, ...] = (16, 3), count: int = 120, classes: int = 3) -> DataSet:
    """Noise around a pattern for each class, from four people; the label says which pattern."""
    rng = np.random.default_rng(0)
    y = np.arange(count) % classes
    pattern = rng.integers(-60, 60, (classes, *shape))
    x = np.clip(pattern[y] + rng.normal(0, 30, (count, *shape)), -128, 127).astype(np.int8)
    group = np.arange(count) * 4 // count
    return DataSet(
        name="small",
        x=x,
        y=y.astype(np.int64),
        group=group,
        recording=group * classes + y,
        overlap=False,
        label_names=tuple(f"class {label}" for label in range(classes)),
        group_names=tuple(f"person {person}" for person in range(4)),
        scale=np.float32([1]),
        zero=np.float32([0]),
        given_test=np.zeros(0, np.int64),
    )
