"""Data sets: int8 windows with a label and a person each, and the ways to split them by person."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError

Int8Array = NDArray[np.int8]
IndexArray = NDArray[np.int64]

_FILES = {"watch": "har_watch_25hz_i8.npz"}


@dataclass(frozen=True)
class DataSet:
    """n samples of one shape, in the order in which each person gave them."""

    name: str
    x: Int8Array
    """(n, *shape): the int8 values that the quantized network takes as they are. Motion (T, C),
    log-mel frames (T, bands), images (H, W, C)."""
    y: IndexArray
    """(n,): label, 0..len(label_names) - 1."""
    group: IndexArray
    """(n,): person, 0..len(group_names) - 1."""
    recording: IndexArray
    """(n,): ascending number of the uninterrupted recording that a window was cut from. Samples
    that stand for themselves: one number for each class of each person."""
    overlap: bool
    """Whether neighbouring windows of a recording overlap by half."""
    label_names: tuple[str, ...]
    group_names: tuple[str, ...]
    scale: NDArray[np.float32]
    """Broadcasts to a sample: physical value = (x - zero) * scale."""
    zero: NDArray[np.float32]
    """Broadcasts to a sample."""
    given_test: IndexArray
    """Indices of the samples that the data set itself sets aside to test on; mostly none."""


@dataclass(frozen=True)
class Split:
    """Window indices of three sets of people that share nobody."""

    train: IndexArray
    validation: IndexArray
    unseen: IndexArray
    unseen_people: tuple[int, ...]


@dataclass(frozen=True)
class PersonalSplit:
    """Window indices of one person: a stream to learn from, and what it is tested on."""

    learn: IndexArray
    """shots * classes indices, shuffled: the order in which the device sees them."""
    test: IndexArray


def load(name: str) -> DataSet:
    """The shipped data set called `name`; InputError names the ones there are.

    `watch`: 10 people, 7 shoulder exercises, each done in one set with the left and one with the
    right arm; a smartwatch's accelerometer and gyroscope at 25 Hz, windows of 2.56 s that overlap
    by half (PyPI package seglearn 1.2.5; licence in data/LICENSE-watch.txt).
    """
    if name not in _FILES:
        allowed = ", ".join(sorted(_FILES))
        raise InputError(f"data set {name!r} is not known; choose one of: {allowed}")
    folder = resources.files("tinytrain.training") / "data"
    packed = io.BytesIO((folder / _FILES[name]).read_bytes())
    with np.load(packed, allow_pickle=False) as arrays:
        x = arrays["X"].astype(np.int8)
        people, group = np.unique(arrays["subject"], return_inverse=True)
        return DataSet(
            name=name,
            x=x,
            y=arrays["y"].astype(np.int64),
            group=group.astype(np.int64),
            recording=_recordings(x),
            label_names=tuple(str(label) for label in arrays["label_names"]),
            group_names=tuple(f"person {person}" for person in people),
            scale=arrays["scale"].astype(np.float32),
        )


def split_people(dataset: DataSet, seed: int, unseen_people: int, validation_people: int) -> Split:
    """Keep `unseen_people` out of training, and the `validation_people` that follow them.

    The unseen people start at person seed * unseen_people and wrap around, so that consecutive
    seeds test different people until all have had their turn.
    """
    people = len(dataset.group_names)
    held_out = unseen_people + validation_people
    if unseen_people < 1 or validation_people < 1 or held_out >= people:
        raise InputError(
            f"data set {dataset.name!r} has {people} people; {unseen_people} unseen and "
            f"{validation_people} for validation leave nobody to train on or leave a set empty"
        )
    turn = [(seed * unseen_people + place) % people for place in range(held_out)]
    unseen, validation = turn[:unseen_people], turn[unseen_people:]
    return Split(
        train=np.flatnonzero(~np.isin(dataset.group, turn)),
        validation=np.flatnonzero(np.isin(dataset.group, validation)),
        unseen=np.flatnonzero(np.isin(dataset.group, unseen)),
        unseen_people=tuple(unseen),
    )


def personal_split(dataset: DataSet, person: int, shots: int, seed: int) -> PersonalSplit:
    """`shots` windows of each class of one person to learn from, and the rest to test on.

    The shots of a class are the first windows of each of its recordings, in equal parts (the
    person shows it a few times with each arm); earlier recordings take what is left over. The
    window after a recording's last shot belongs to neither, because it overlaps that shot by half.
    `seed` decides the order of the learning stream and nothing else.
    """
    if shots < 1:
        raise InputError(f"shots is {shots}; learning needs at least 1 window of each class")
    learn: list[IndexArray] = []
    test: list[IndexArray] = []
    for label, label_name in enumerate(dataset.label_names):
        own = np.flatnonzero((dataset.group == person) & (dataset.y == label))
        recordings = np.unique(dataset.recording[own])
        for place, recording in enumerate(recordings):
            windows = own[dataset.recording[own] == recording]
            share = (shots + len(recordings) - 1 - place) // len(recordings)
            if len(windows) < share + 2:
                raise InputError(
                    f"{dataset.group_names[person]} has {len(windows)} windows of class "
                    f"{label_name} in recording {recording}; {share} shots, a gap and a test "
                    f"window need {share + 2}; ask for fewer shots"
                )
            learn.append(windows[:share])
            test.append(windows[share + min(share, 1) :])
    stream = np.random.default_rng(seed).permutation(np.concatenate(learn))
    return PersonalSplit(learn=stream, test=np.sort(np.concatenate(test)))


def _recordings(x: Int8Array) -> IndexArray:
    """Number the recordings of windows (n, T, C) that overlap by half.

    A window goes on with the recording of the one before it when it begins with that one's second
    half.
    """
    half = x.shape[1] // 2
    goes_on = (x[1:, :half] == x[:-1, half:]).all(axis=(1, 2))
    return np.concatenate([[0], np.cumsum(~goes_on)]).astype(np.int64)
