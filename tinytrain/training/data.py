"""Data sets: int8 samples with a label and a person each, and the ways to split them by person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.frontend.constants import FrontendConstants
from tinytrain.training import tasks

Int8Array = NDArray[np.int8]
IndexArray = NDArray[np.int64]

_WITH_FEW_PEOPLE = (
    "name the people with data.group, record more of them, or set the one or the other to 0 to "
    "keep out a share of the samples instead"
)


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
    gap: int = 0
    """How many windows after one share samples with it: 1 where they overlap by half."""
    origins: tuple[str, ...] = ()
    """Where each sample came from, for messages: file, and line or place; empty where unknown."""
    notes: tuple[str, ...] = ()
    """What reading left out, a line each."""
    frontend: FrontendConstants | None = None
    """What made x of recorded samples, and makes it on the device; None where x was given, or made
    in floating point."""
    different: tuple[int, ...] = ()
    """Of recorded motion: how many int16 values each channel uses; empty where unknown."""


@dataclass(frozen=True)
class Split:
    """Sample indices of three sets; of people that share nobody, where the task splits people."""

    train: IndexArray
    validation: IndexArray
    unseen: IndexArray
    unseen_people: tuple[int, ...]
    """The groups that the unseen samples come from."""


@dataclass(frozen=True)
class PersonalSplit:
    """Window indices of one person: a stream to learn from, and what it is tested on."""

    learn: IndexArray
    """shots * classes indices, shuffled: the order in which the device sees them."""
    test: IndexArray


def split(dataset: DataSet, rules: tasks.Split, seed: int) -> Split:
    """Training, validation and unseen samples, by people or by shares, as the task says.

    With unseen_groups = 0 the unseen samples are the data set's own test set, or else a share of
    each class. Windows that overlap stay together: of them, whole recordings go.
    """
    if rules.unseen_groups and rules.validation_groups:
        return split_people(dataset, seed, rules.unseen_groups, rules.validation_groups)
    generator = np.random.default_rng(seed)
    everything = np.arange(len(dataset.y))
    if rules.unseen_groups:
        unseen = _samples_of(dataset, _turn(dataset, seed, rules.unseen_groups))
    elif len(dataset.given_test):
        unseen = np.sort(dataset.given_test)
    else:
        unseen = _share_of(dataset, everything, rules.share, generator)
    rest = np.setdiff1d(everything, unseen)
    if rules.validation_groups:
        people = _turn(dataset, seed, rules.validation_groups)
        validation = np.intersect1d(rest, _samples_of(dataset, people))
    else:
        validation = _share_of(dataset, rest, rules.share, generator)
    train = np.setdiff1d(rest, validation)
    for name, part in (("train on", train), ("validate on", validation), ("test on", unseen)):
        if not len(part):
            together = (
                "; windows that overlap stay together: record each class several times, or cut "
                "windows that do not overlap"
            )
            raise InputError(
                f"data set {dataset.name!r} has {len(everything)} samples of "
                f"{_people(len(dataset.group_names))}; [split] leaves nothing to {name}"
                + (together if dataset.gap else "")
            )
    people = np.unique(dataset.group[unseen]).tolist()
    return Split(train, validation, unseen, tuple(people))


def split_people(dataset: DataSet, seed: int, unseen_people: int, validation_people: int) -> Split:
    """Keep `unseen_people` out of training, and the `validation_people` that follow them.

    The unseen people start at person seed * unseen_people and wrap around, so that consecutive
    seeds test different people until all have had their turn.
    """
    people = len(dataset.group_names)
    held_out = unseen_people + validation_people
    if unseen_people < 1 or validation_people < 1 or held_out >= people:
        raise InputError(
            f"data set {dataset.name!r} has {_people(people)}; split.unseen_groups = "
            f"{unseen_people} and split.validation_groups = {validation_people} leave nobody to "
            f"train on or leave a set empty; {_WITH_FEW_PEOPLE}"
        )
    turn = _turn(dataset, seed, unseen_people, held_out)
    unseen, validation = turn[:unseen_people], turn[unseen_people:]
    return Split(
        train=np.flatnonzero(~np.isin(dataset.group, turn)),
        validation=_samples_of(dataset, validation),
        unseen=_samples_of(dataset, unseen),
        unseen_people=unseen,
    )


def personal_split(
    dataset: DataSet, person: int, shots: int, seed: int, within: IndexArray | None = None
) -> PersonalSplit:
    """`shots` samples of each class of one person to learn from, and the rest to test on.

    The shots of a class are the first samples of each of its recordings, in equal parts (the
    person shows it a few times with each arm); earlier recordings take what is left over. Where a
    recording is too short for its part, they are the first samples of the class, recording after
    recording. The windows after a recording's last shot that overlap it belong to neither. Classes
    that the person never gave are left out. `within`: take from these indices only. `seed` decides
    the order of the learning stream and nothing else.
    """
    if shots < 1:
        raise InputError(f"shots is {shots}; learning needs at least 1 sample of each class")
    mine = dataset.group == person
    if within is not None:
        mine &= np.isin(np.arange(len(mine)), within)
    learn: list[IndexArray] = []
    test: list[IndexArray] = []
    for label in np.unique(dataset.y[mine]):
        own = np.flatnonzero(mine & (dataset.y == label))
        recordings = [
            own[dataset.recording[own] == one] for one in np.unique(dataset.recording[own])
        ]
        for windows, share in zip(recordings, _shares(dataset, recordings, shots), strict=True):
            skipped = dataset.gap if share else 0
            learn.append(windows[:share])
            test.append(windows[share + skipped :])
    if not learn:
        raise InputError(f"{dataset.group_names[person]} has no samples to learn from")
    stream = np.random.default_rng(seed).permutation(np.concatenate(learn))
    return PersonalSplit(learn=stream, test=np.sort(np.concatenate(test)))


def _shares(dataset: DataSet, recordings: list[IndexArray], shots: int) -> list[int]:
    """How many shots each recording of one class of one person gives."""
    count = len(recordings)
    equal = [(shots + count - 1 - place) // count for place in range(count)]
    needed = dataset.gap + 1
    if all(len(one) >= share + needed for one, share in zip(recordings, equal, strict=True)):
        return equal
    before = np.cumsum([0, *map(len, recordings)])
    in_order = [
        min(max(shots - int(start), 0), len(one))
        for start, one in zip(before[:-1], recordings, strict=True)
    ]
    tail = len(recordings[-1]) - in_order[-1]
    if before[-1] < shots or tail < (needed if in_order[-1] else 1):
        first = recordings[0][0]
        gap = "a gap and " if dataset.gap else ""
        raise InputError(
            f"{dataset.group_names[dataset.group[first]]} has {before[-1]} unseen samples of class "
            f"{dataset.label_names[dataset.y[first]]}; {shots} shots, {gap}a test sample need "
            "more; ask for fewer shots"
        )
    return in_order


def _turn(dataset: DataSet, seed: int, step: int, count: int | None = None) -> tuple[int, ...]:
    """`count` people (default: `step`) from seed * step on, round and round."""
    people = len(dataset.group_names)
    count = step if count is None else count
    if count >= people:
        raise InputError(
            f"data set {dataset.name!r} has {_people(people)}; keeping {count} out of training "
            f"leaves nobody; {_WITH_FEW_PEOPLE}"
        )
    return tuple((seed * step + place) % people for place in range(count))


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _samples_of(dataset: DataSet, people: tuple[int, ...]) -> IndexArray:
    return np.flatnonzero(np.isin(dataset.group, people))


def _share_of(
    dataset: DataSet, indices: IndexArray, share: float, generator: np.random.Generator
) -> IndexArray:
    """A share of each class among `indices`: of its samples, or of its recordings if they overlap.

    A class with a single sample or recording gives none.
    """
    unit = dataset.recording if dataset.gap else np.arange(len(dataset.y))
    units, first = np.unique(unit[indices], return_index=True)
    label = dataset.y[indices[first]]
    taken: list[IndexArray] = []
    for wanted in range(len(dataset.label_names)):
        own = generator.permutation(units[label == wanted])
        taken.append(own[: min(max(1, round(share * len(own))), len(own) - 1) if len(own) else 0])
    return indices[np.isin(unit[indices], np.concatenate(taken))]
