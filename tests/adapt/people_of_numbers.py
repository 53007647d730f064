"""People whose features are numbers: each is off the others by an offset of their own."""

from __future__ import annotations

import numpy as np

from tinytrain.adapt.calibrate import Known
from tinytrain.adapt.floating import quantized_head
from tinytrain.adapt.people import Class
from tinytrain.adapt.simulation import Lesson
from tinytrain.head import Head, HeadOptions
from tinytrain.training.data import DataSet

CLASSES, FEATURES, PEOPLE, SAMPLES = 4, 8, 6, 12
ZERO = -20


def dataset(
    seed: int = 0, offset: float = 24.0, people: int = PEOPLE, samples: int = SAMPLES
) -> DataSet:
    """`samples` of each class of each of `people`; the samples are their own features."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(0, 20, (CLASSES, FEATURES))
    offsets = generator.normal(0, offset, (people, CLASSES, FEATURES))
    group, label = np.divmod(np.arange(people * CLASSES * samples) // samples, CLASSES)
    x = ZERO + centres[label] + offsets[group, label]
    x = x + generator.normal(0, 16, x.shape)
    return DataSet(
        name="numbers",
        x=np.clip(np.rint(x), -128, 127).astype(np.int8),
        y=label,
        group=group,
        recording=group * CLASSES + label,
        overlap=False,
        label_names=tuple("abcd"),
        group_names=tuple(f"person {i}" for i in range(people)),
        scale=np.ones(1, np.float32),
        zero=np.zeros(1, np.float32),
        given_test=np.zeros(0, np.int64),
    )


def class_of(data: DataSet, people: tuple[int, ...]) -> Class:
    samples = np.flatnonzero(np.isin(data.group, people))
    return Class(None, data, samples, data.x[samples])  # type: ignore[arg-type]


def head_of(data: DataSet, options: HeadOptions | None = None) -> Head:
    """By the class means of everybody."""
    x = data.x.astype(np.float64) - ZERO
    means = np.stack([x[data.y == label].mean(axis=0) for label in range(CLASSES)])
    weights = (means - means.mean(axis=0)) / 300
    bias = -(weights * (means + means.mean(axis=0))).sum(axis=1) / 2
    return quantized_head(weights, bias, data.x, 1.0, ZERO, options or HeadOptions())


def known(data: DataSet, lessons: tuple[Lesson, ...] = ()) -> Known:
    return Known(head_of(data), class_of(data, (0, 1, 2)), lessons)
