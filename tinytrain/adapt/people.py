"""What people teach: features of their samples, and lessons of them for devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinytrain.adapt.simulation import Lesson
from tinytrain.adapt.streams import DRIFT, StreamOptions, make_stream
from tinytrain.emulator.inference import run
from tinytrain.errors import InputError
from tinytrain.head import Head
from tinytrain.model import Model
from tinytrain.training.data import DataSet, IndexArray, Int8Array, PersonalSplit, personal_split

PART = 512
"""Samples that go through the network together."""


def head_of(model: Model) -> Head:
    if model.head is None:
        raise InputError(f"{model.name}: the model has no head that learns")
    return model.head


def features(model: Model, x: Int8Array) -> Int8Array:
    """(n, D): what the head sees of samples (n, *shape)."""
    head = head_of(model)
    parts = [
        run(model.graph, model.kernels, [part.reshape(len(part), -1)], head.operator)
        for part in (x[first : first + PART] for first in range(0, len(x), PART))
    ]
    none = np.zeros((0, head.constants.features), np.int8)
    return np.concatenate([none, *(values[head.feature_tensor] for values in parts)])


@dataclass(frozen=True, eq=False)
class Pupil:
    """A device of one person, and the stream that it is taught."""

    person: str
    lesson: Lesson


@dataclass(frozen=True, eq=False)
class Class:
    """The samples of some people, with their features."""

    model: Model
    dataset: DataSet
    samples: IndexArray
    """(n,) indices of the data set."""
    features: Int8Array
    """(n, D)"""

    def of(self, indices: IndexArray) -> Int8Array:
        """Features of samples of the data set that are among these."""
        return self.features[np.searchsorted(self.samples, indices)]


def class_of(model: Model, dataset: DataSet, samples: IndexArray) -> Class:
    samples = np.sort(samples)
    return Class(model, dataset, samples, features(model, dataset.x[samples]))


def pupils(
    known: Class,
    people: Sequence[int],
    shots: int,
    options: StreamOptions,
    streams: int,
    seed: int,
) -> tuple[Pupil, ...]:
    """`streams` devices for each of the people, each with a stream of its own."""
    found = []
    for person in people:
        own = personal_split(known.dataset, person, shots, seed, known.samples)
        for number in range(streams):
            lesson = _lesson(known, own, options, (seed, person, number))
            found.append(Pupil(known.dataset.group_names[person], lesson))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class PersonStream:
    """What one person gives to a device: T samples to learn and m to test on, (..., *shape)."""

    x: Int8Array
    labels: IndexArray
    """(T,) as the person says."""
    test_x: Int8Array
    test_labels: IndexArray
    samples: IndexArray
    """(T,) indices of the data set, of what x was before it drifted."""


def person_stream(
    dataset: DataSet, own: PersonalSplit, options: StreamOptions, key: tuple[int, int, int]
) -> PersonStream:
    """A stream of the samples to learn of `own`. `key`: seed, person, number of the stream."""
    learn = np.sort(own.learn)
    x = dataset.x[learn]
    stream = make_stream(x, dataset.y[learn], len(dataset.label_names), options, key)
    return PersonStream(
        stream.inputs(x),
        stream.labels,
        stream.at_the_end(dataset.x[own.test]),
        dataset.y[own.test],
        learn[stream.samples],
    )


def _lesson(
    known: Class, own: PersonalSplit, options: StreamOptions, key: tuple[int, int, int]
) -> Lesson:
    given = person_stream(known.dataset, own, options, key)
    if options.order == DRIFT:
        learned, tested = features(known.model, given.x), features(known.model, given.test_x)
    else:
        learned, tested = known.of(given.samples), known.of(own.test)
    return Lesson(learned, given.labels, tested, given.test_labels)
