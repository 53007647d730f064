"""A task and a data set small enough to train in seconds, for tests of what comes after."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytrain.training.data import DataSet
from tinytrain.training.tasks import (
    Augmentation,
    Data,
    Network,
    Pruning,
    Quantization,
    Task,
    Training,
)

WINDOW, SENSORS, CLASSES, PEOPLE = 32, 3, 4, 6


def small_task(**tables: Any) -> Task:
    """conv1d on the waves of `waves`; keywords replace whole tables."""
    found: dict[str, Any] = {
        "data": Data("npz", "motion"),
        "augmentation": Augmentation(noise=0.02),
        "network": Network("conv1d", width=0.5, blocks=2, features=12, dropout=0.0),
        "training": Training(epochs=12, batch_size=8, learning_rate=1e-2),
        "pruning": Pruning(epochs=4),
        "quantization": Quantization(calibration=64, epochs=3),
        **tables,
    }
    return Task(name="waves", **found)


def waves(each: int = 16, seed: int = 0) -> DataSet:
    """`each` windows of each class of each person: noisy waves, a frequency a class."""
    generator = np.random.default_rng(seed)
    y = np.tile(np.arange(CLASSES), PEOPLE * each)
    group = np.repeat(np.arange(PEOPLE), CLASSES * each)
    time = np.arange(WINDOW)[None, :, None] / WINDOW
    phase = generator.uniform(0, 2 * np.pi, (len(y), 1, SENSORS))
    wave = np.sin(2 * np.pi * (2 + 1.5 * y[:, None, None]) * time + phase)
    wave *= 0.4 + 0.1 * group[:, None, None]
    wave += generator.normal(0, 0.25, wave.shape)
    return DataSet(
        name="waves",
        x=np.clip(np.rint(wave * 64), -128, 127).astype(np.int8),
        y=y.astype(np.int64),
        group=group.astype(np.int64),
        recording=np.arange(len(y)),
        overlap=False,
        label_names=tuple(f"wave {label}" for label in range(CLASSES)),
        group_names=tuple(f"person {person}" for person in range(PEOPLE)),
        scale=np.ones(1, np.float32),
        zero=np.zeros(1, np.float32),
        given_test=np.zeros(0, np.int64),
    )
