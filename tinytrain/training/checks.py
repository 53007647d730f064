"""Checks of a data set before training: what was found, and what to do about it.

Little data is normal: most findings are warnings, and training goes on. Refused is only what makes
training pointless.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinytrain.errors import InputError
from tinytrain.training.data import DataSet, IndexArray, Int8Array, Split, personal_split
from tinytrain.training.mislabelled import find_mislabelled
from tinytrain.training.tasks import SOUNDS, Task

REFUSED = "refused"
WARNING = "warning"
NOTE = "note"
_SHOWN = 10
"""Samples, people or classes that a message lists at most."""
_CLIPPED_SHARE = 0.01
"""Of a channel's values, at the end of the range and next to another that is."""
_LEAK = 0.05
"""Share of the unseen samples that may also be in training before training is refused."""
_IMBALANCE = 5
"""How many times as large as the smallest class the largest may be."""
_FEW = 10
"""Samples of a class to train on, below which it is called small."""
_COARSE = 16
"""Different int16 values of a motion channel, below which its unit is called too large."""
_FEW_STEPS = 150
"""Steps of a training, below which a network has hardly begun to learn."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found."""

    kind: str
    severity: str
    """REFUSED, WARNING or NOTE."""
    where: str
    """Of what: a channel, a class, a person, or a sample's file."""
    message: str
    advice: str
    index: int | None = None
    """Of the sample, where it is one."""
    file: str = ""
    """The sample's, where it is known."""


def check(dataset: DataSet, split: Split, task: Task, seed: int) -> tuple[Finding, ...]:
    """Everything that the checks find, what is refused first."""
    found = [
        *(Finding("left out", WARNING, dataset.name, note, "") for note in dataset.notes),
        *_classes(dataset, split),
        *_people(dataset, split, task),
        *_steps(split, task),
        *_stream(dataset, task),
        *(_shots(dataset, split, task, seed) if task.network.classifies else ()),
        *_constant(dataset),
        *(_clipped(dataset) if task.data.kind == "motion" else ()),
        *_leaks(dataset, split),
        *_two_labels(dataset),
        *_mislabelled(dataset, seed),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity != REFUSED))


def place_of(dataset: DataSet, index: int) -> str:
    """A sample for a human: its number and, where known, its file."""
    return f"sample {index}" + (f" ({dataset.origins[index]})" if dataset.origins else "")


def _classes(dataset: DataSet, split: Split) -> Iterator[Finding]:
    """Classes that are missing, small or much larger than others, among what is trained on."""
    count = np.bincount(dataset.y[split.train], minlength=len(dataset.label_names))
    present = np.flatnonzero(count)
    if len(present) < 2:
        yield Finding(
            "classes",
            REFUSED,
            "training",
            f"{len(split.train)} samples of {len(present)} class(es) to train on",
            "a classifier needs two classes; check data.labels and [split]",
        )
        return
    missing = [dataset.label_names[label] for label in np.flatnonzero(count == 0)]
    if missing:
        yield Finding(
            "classes",
            WARNING,
            "training",
            f"no samples of {_listed(missing)} to train on",
            "record these classes with more people, or keep fewer people out in [split]",
        )
    few = [f"{dataset.label_names[i]} ({count[i]})" for i in present if count[i] < _FEW]
    if few:
        yield Finding(
            "small class",
            WARNING,
            "training",
            f"fewer than {_FEW} samples to train on: {_listed(few)}",
            "record more of them",
        )
    most, least = int(count.argmax()), int(present[count[present].argmin()])
    if count[most] > _IMBALANCE * count[least]:
        yield Finding(
            "imbalance",
            WARNING,
            dataset.label_names[least],
            f"{count[least]} samples to train on, {dataset.label_names[most]} has {count[most]}",
            "set training.class_weights = true, or record more",
        )


def _people(dataset: DataSet, split: Split, task: Task) -> Iterator[Finding]:
    """People with few samples, and people who lack classes."""
    if len(dataset.group_names) < 2:
        return
    table = counts(dataset)
    least = task.pruning.min_group_samples
    small = [
        f"{name} ({row.sum()})"
        for name, row in zip(dataset.group_names, table, strict=True)
        if row.sum() < least
    ]
    if small:
        yield Finding(
            "small group",
            WARNING,
            "people",
            f"fewer than {least} samples: {_listed(small)}",
            "too few to tell whether a stage harms them; record more",
        )
    lacking = [
        f"{name} lacks {_listed([dataset.label_names[i] for i in np.flatnonzero(row == 0)], 3)}"
        for name, row in zip(dataset.group_names, table, strict=True)
        if (row == 0).any()
    ]
    if lacking:
        yield Finding(
            "missing class",
            WARNING,
            "people",
            f"{len(lacking)} of {len(table)} people lack classes: {_listed(lacking, 4, '; ')}",
            "their accuracy speaks of the classes that they have",
        )
    if len(np.unique(dataset.group[split.train])) == 1:
        yield Finding(
            "people",
            WARNING,
            "training",
            "only one person to train on",
            "new people will differ; record more, or keep fewer people out in [split]",
        )


def _steps(split: Split, task: Task) -> Iterator[Finding]:
    """A training that ends before it has begun: few samples in large batches."""
    settings, samples = task.training, len(split.train)
    steps = settings.epochs * max(1, samples // settings.batch_size)
    if steps < _FEW_STEPS:
        yield Finding(
            "few steps",
            WARNING,
            "training",
            f"{samples} samples to train on in batches of {settings.batch_size} make {steps} steps "
            f"in {settings.epochs} epochs",
            "set training.batch_size lower or training.epochs higher",
        )


def _stream(dataset: DataSet, task: Task) -> Iterator[Finding]:
    """Settings of a front end that train well and that a device would suffer from."""
    front, sounds = task.frontend, task.frontend.kind in SOUNDS
    if front.kind == "none":
        return
    for channel, values in enumerate(dataset.different):
        if values < _COARSE:
            yield Finding(
                "coarse",
                WARNING,
                f"channel {channel}",
                f"frontend.unit = {front.unit:g} leaves {values} different "
                f"value{'s' if values > 1 else ''}",
                "set frontend.unit to what 1 of the sensor's int16 samples is worth",
            )
    wrong = (
        (
            sounds and front.ring_ms < front.hop_ms,
            f"ring_ms is {front.ring_ms:g}, shorter than a hop, {front.hop_ms:g} ms: an inference "
            "hardly has time before samples are lost",
            "set it to what an inference takes, and more",
        ),
        (
            sounds and front.hop_ms > front.frame_ms,
            f"hop_ms is {front.hop_ms:g}, longer than a frame, {front.frame_ms:g} ms: samples "
            "between frames are never looked at",
            "set frontend.hop_ms to frame_ms at most",
        ),
        (
            front.threshold == 0 and task.network.classifies,
            "threshold is 0: whatever is likeliest is detected, however unlikely",
            "0.5 to 0.9 is usual",
        ),
        (
            front.kind == "motion" and 0 < front.input_rate < task.window.rate,
            f"input_rate is {front.input_rate:g}, below window.rate, {task.window.rate:g}: the "
            "device's samples have nothing of what lies between",
            "set window.rate to frontend.input_rate at most",
        ),
    )
    for holds, message, advice in wrong:
        if holds:
            yield Finding("stream", WARNING, "frontend", f"frontend.{message}", advice)
    if sounds and not front.ignore and not task.data.background and task.network.classifies:
        yield Finding(
            "stream",
            NOTE,
            "frontend",
            "frontend.ignore is empty: a stream answers silence and noise with one of the classes",
            "to listen all the time, record a class of silence, background and other sounds, and "
            "name it there",
        )


def _shots(dataset: DataSet, split: Split, task: Task, seed: int) -> Iterator[Finding]:
    """Unseen people who have too few samples to learn from and to be tested on."""
    for person in split.unseen_people:
        problem = _lacking(dataset, split, person, task.head.shots, seed)
        if problem:
            fewer = range(task.head.shots - 1, 0, -1)
            enough = [n for n in fewer if not _lacking(dataset, split, person, n, seed)][:1]
            yield Finding(
                "shots",
                REFUSED,
                "head.shots",
                problem,
                f"at most {enough[0]} for this person" if enough else "record more of it",
            )


def _lacking(dataset: DataSet, split: Split, person: int, shots: int, seed: int) -> str:
    """What one person lacks for so many shots of each class; empty where it is nothing."""
    try:
        personal_split(dataset, person, shots, seed, split.unseen)
    except InputError as error:
        return str(error)
    return ""


def _constant(dataset: DataSet) -> Iterator[Finding]:
    """Channels (bands, colours) that never change: for everybody, or for one person."""
    x = dataset.x.reshape(len(dataset.x), -1, dataset.x.shape[-1])
    low, high = x.min(axis=1), x.max(axis=1)
    dead = low.min(axis=0) == high.max(axis=0)
    if dead.all():
        yield Finding("constant", REFUSED, "data", "no value ever changes", "check the recordings")
        return
    if dead.any():
        yield Finding(
            "constant",
            WARNING,
            f"channel {_listed(np.flatnonzero(dead).tolist())}",
            "the same value in all samples",
            "check the sensor, or leave the channel out",
        )
    for person, name in enumerate(dataset.group_names):
        own = dataset.group == person
        stuck = (low[own].min(axis=0) == high[own].max(axis=0)) & ~dead
        if stuck.any() and len(dataset.group_names) > 1:
            yield Finding(
                "constant",
                WARNING,
                name,
                f"channel {_listed(np.flatnonzero(stuck).tolist())} has one value in all samples",
                "check the sensor",
            )
    flat = np.flatnonzero((low == high).all(axis=1))
    if len(flat):
        yield Finding(
            "flat samples",
            WARNING,
            place_of(dataset, int(flat[0])),
            f"{len(flat)} of {len(x)} samples never change, this is the first",
            "remove them, unless nothing is a class of yours",
        )


def _clipped(dataset: DataSet) -> Iterator[Finding]:
    """Channels that stay at an end of their range; a single value there is an outlier."""
    ends = (dataset.x == -128) | (dataset.x == 127)
    row = ends[:, 1:] & ends[:, :-1]
    share = row.mean(axis=(0, 1))
    changing = dataset.x.min(axis=(0, 1)) < dataset.x.max(axis=(0, 1))
    for channel in np.flatnonzero((share > _CLIPPED_SHARE) & changing):
        yield Finding(
            "clipped",
            WARNING,
            f"channel {channel}",
            f"{share[channel]:.1%} of the values stay at an end of the range",
            "set the sensor to a wider range",
        )


def _leaks(dataset: DataSet, split: Split) -> Iterator[Finding]:
    """Unseen samples that training sees as well, wholly or by half."""
    seen = np.concatenate([split.train, split.validation])
    whole = _keys(dataset.x)
    same = _shared(whole, split.unseen, whole, seen)
    if len(same):
        yield _leak(dataset, split, same, "exact copies of samples that training sees")
    half = dataset.x.shape[1] // 2
    if dataset.x.ndim == 3 and half:
        first, second = _keys(dataset.x[:, :half]), _keys(dataset.x[:, half : 2 * half])
        after = _shared(first, split.unseen, second, seen)
        before = _shared(second, split.unseen, first, seen)
        both = np.setdiff1d(np.union1d(after, before), same)
        if len(both):
            yield _leak(dataset, split, both, "windows that overlap with some that training sees")


def _two_labels(dataset: DataSet) -> Iterator[Finding]:
    """One sample under two labels."""
    first: dict[bytes, int] = {}
    keys = _keys(dataset.x)
    copies = [(first.setdefault(key, i), i) for i, key in enumerate(keys) if key]
    wrong = [(one, other) for one, other in copies if dataset.y[one] != dataset.y[other]]
    if wrong:
        (one, other), names = wrong[0], dataset.label_names
        yield Finding(
            "two labels",
            WARNING,
            place_of(dataset, other),
            f"is {names[dataset.y[other]]}, but its exact copy, {place_of(dataset, one)}, is "
            f"{names[dataset.y[one]]}; {len(wrong)} of {len(keys)} samples are like that",
            "one of the labels is wrong",
        )


def _leak(dataset: DataSet, split: Split, indices: IndexArray, what: str) -> Finding:
    share = len(indices) / len(split.unseen)
    return Finding(
        "duplicates",
        REFUSED if share >= _LEAK else WARNING,
        place_of(dataset, int(indices[0])),
        f"{len(indices)} of {len(split.unseen)} unseen samples are {what}, this is the first",
        "split by person or recording, or remove the copies; the accuracy would be an illusion",
    )


def _mislabelled(dataset: DataSet, seed: int) -> Iterator[Finding]:
    """Samples and whole sets of one person that look like another class."""
    suspects = find_mislabelled(dataset, seed)
    names = dataset.label_names
    for person, label, other in suspects.cells:
        yield Finding(
            "mislabelled",
            WARNING,
            dataset.group_names[person],
            f"most samples of {names[label]} look like {names[other]}",
            "check whether the labels are swapped, or the person does it in another way",
        )
    total = len(suspects.samples)
    for rank, suspect in enumerate(suspects.samples):
        yield Finding(
            "mislabelled",
            WARNING,
            place_of(dataset, suspect.index),
            f"{_of_person(dataset, suspect.index)}labelled {names[suspect.label]}, looks like "
            f"{names[suspect.other]} (number {rank + 1} of {total}, by how clearly)",
            "look at it; label it anew or leave it",
            suspect.index,
            dataset.origins[suspect.index] if dataset.origins else "",
        )


def _of_person(dataset: DataSet, index: int) -> str:
    alone = len(dataset.group_names) == 1
    return "" if alone else f"of {dataset.group_names[dataset.group[index]]}: "


def counts(dataset: DataSet) -> IndexArray:
    """(people, classes): how many samples there are."""
    classes = len(dataset.label_names)
    cell = dataset.group * classes + dataset.y
    size = len(dataset.group_names) * classes
    return np.bincount(cell, minlength=size).reshape(-1, classes)


def _shared(
    of: list[bytes], indices: IndexArray, among: list[bytes], others: IndexArray
) -> IndexArray:
    """Those of `indices` whose key in `of` is one that `others` have in `among`."""
    known = {among[i] for i in others} - {b""}
    return np.array([i for i in indices if of[i] in known], np.int64)


def _keys(x: Int8Array) -> list[bytes]:
    """Each sample's bytes; empty for one that never changes, for silence is no copy."""
    flat = np.ascontiguousarray(x).reshape(len(x), -1)
    changes = flat.min(axis=1) < flat.max(axis=1)
    return [row.tobytes() if change else b"" for row, change in zip(flat, changes, strict=True)]


def _listed(names: list[str] | list[int], most: int = _SHOWN, mark: str = ", ") -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return mark.join(map(str, names[:most])) + more
