"""Samples in an .npz file: arrays of samples, labels and people."""

from __future__ import annotations

import difflib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.progress import Progress
from tinytrain.training import frontend
from tinytrain.training.data import DataSet, IndexArray
from tinytrain.training.frontend import Clips
from tinytrain.training.motion import Windows, cut, motion_settings, to_counts
from tinytrain.training.scaling import Scaled, not_made, refuse_not_finite, to_int8
from tinytrain.training.sources.samples import EVERYONE, classes, groups, standing_alone
from tinytrain.training.tasks import SOUNDS, Task


def read(task: Task, path: Path, progress: Progress) -> DataSet | Clips | Windows:
    """The data set in an .npz file, by the arrays that `[data]` names; of recorded samples, all
    but what the front end makes of them.

    Names of classes are taken from the array label_names, or Y_names beside Y; names of people
    from GROUP_names; a unit of the values from scale, where these arrays are there.
    """
    del progress
    arrays = _Arrays(path, _open(path))
    x, names, tested = _samples_and_labels(task, arrays)
    people = _people(task, arrays, len(x))
    order = _label_order(task, arrays)
    stays, y, label_names = classes(names, task.data.labels, order, str(path))
    group, group_names = _numbered(people, stays)
    front = task.frontend.kind
    scaled = not_made(len(stays)) if front != "none" else _scaled(task, arrays, x[stays])
    recording = standing_alone(group, y)
    if task.data.overlap:
        recording = recordings(x[stays])
    dataset = DataSet(
        name=task.name,
        x=scaled.x,
        y=y,
        group=group,
        recording=recording,
        overlap=task.data.overlap,
        label_names=label_names,
        group_names=group_names,
        scale=scaled.scale,
        zero=scaled.zero,
        given_test=np.flatnonzero(stays >= tested),
        gap=int(task.data.overlap),
        notes=_left_out(arrays, names, stays),
    )
    if front == "motion":
        return _windows(task, arrays, x[stays], dataset)
    return _clips(task, arrays, x[stays], dataset) if front in SOUNDS else dataset


def recordings(x: NDArray[Any]) -> IndexArray:
    """Number the recordings of windows (n, T, C) that overlap by half.

    A window goes on with the recording of the one before it when it begins with that one's second
    half.
    """
    half = x.shape[1] // 2
    goes_on = (x[1:, :half] == x[:-1, half : 2 * half]).all(axis=(1, 2))
    return np.concatenate([[0], np.cumsum(~goes_on)]).astype(np.int64)


@dataclass(frozen=True)
class _Arrays:
    """The arrays of a file, by names that messages can speak of."""

    path: Path
    found: Mapping[str, NDArray[Any]]

    def take(self, key: str, name: str) -> NDArray[Any]:
        if name in self.found:
            return self.found[name]
        close = difflib.get_close_matches(name, list(self.found), n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise InputError(
            f"{self.path}: data.{key} names the array {name!r}{hint}, which is not there; the file "
            f"has: {', '.join(self.found)}"
        )

    def place(self, row: int) -> str:
        return f"{self.path}: row {row}"


def _open(path: Path) -> Mapping[str, NDArray[Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (ValueError, EOFError, KeyError, AttributeError, TypeError) as error:
        raise InputError(f"{path}: not an .npz file of plain arrays: {error}") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InputError(f"{path}: a damaged .npz file: {error}") from error


def _samples_and_labels(task: Task, arrays: _Arrays) -> tuple[NDArray[Any], list[str], int]:
    """All samples, their classes' names, and where the given test set begins."""
    data = task.data
    x, y = _decoded(task, arrays, "x"), arrays.take("y", data.y)
    if data.offsets:
        x = frontend.clips(x, arrays.take("offsets", data.offsets), task.frontend, str(arrays.path))
    names = _names_of(arrays, data.y, x, y)
    if data.x_test:
        more, labels = _decoded(task, arrays, "x_test"), arrays.take("y_test", data.y_test)
        tested = len(x)
        if more.shape[1:] != x.shape[1:] or more.dtype != x.dtype:
            raise InputError(
                f"{arrays.path}: {data.x_test} is {more.dtype} {more.shape[1:]}; {data.x} is "
                f"{x.dtype} {x.shape[1:]}"
            )
        known = set(names)
        test_names = _names_of(arrays, data.y, more, labels)
        for row, name in enumerate(test_names):
            if name not in known:
                raise InputError(
                    f"{arrays.path}: {data.y_test}, row {row}: class {name!r} is unknown; "
                    f"{data.y} has: {', '.join(sorted(known)[:40])}"
                )
        return np.concatenate([x, more]), names + test_names, tested
    return x, names, len(x)


def _decoded(task: Task, arrays: _Arrays, key: str) -> NDArray[Any]:
    """An array of samples; mu-law as int16."""
    name = getattr(task.data, key)
    found = arrays.take(key, name)
    return frontend.from_mu_law(found, f"{arrays.path}: {name}") if task.data.law == "mu" else found


def _names_of(arrays: _Arrays, key: str, x: NDArray[Any], y: NDArray[Any]) -> list[str]:
    """The name of each sample's class."""
    if x.ndim < 2 or x.dtype.kind not in "iuf" or not len(x) or not x[0].size:
        raise InputError(
            f"{arrays.path}: the samples are {x.dtype} of shape {x.shape}; numbers of shape "
            "(n, ...) are needed"
        )
    if y.shape != (len(x),) or y.dtype.kind not in "iuU":
        raise InputError(
            f"{arrays.path}: the labels are {y.dtype} of shape {y.shape}; integers or text of "
            f"shape ({len(x)},) are needed, one for each sample"
        )
    names = arrays.found.get("label_names", arrays.found.get(f"{key}_names"))
    if y.dtype.kind == "U" or names is None:
        return [str(label) for label in y]
    outside = np.flatnonzero((y < 0) | (y >= len(names)))
    if len(outside):
        raise InputError(
            f"{arrays.place(outside[0])}: label {y[outside[0]]} is unknown; label_names has "
            f"{len(names)} classes, 0 to {len(names) - 1}"
        )
    return [str(names[label]) for label in y]


def _label_order(task: Task, arrays: _Arrays) -> list[str]:
    """Classes in the order of their numbers."""
    names = arrays.found.get("label_names", arrays.found.get(f"{task.data.y}_names"))
    if names is not None:
        return [str(name) for name in names]
    return [str(label) for label in np.unique(arrays.found[task.data.y])]


def _people(task: Task, arrays: _Arrays, count: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Each sample's person and, where the file has them, the names by number."""
    if not task.data.group:
        return np.full(count, EVERYONE), None
    if task.data.x_test:
        raise InputError(
            f"{arrays.path}: data.group does not go with a given test set (data.x_test)"
        )
    people = arrays.take("group", task.data.group)
    if people.shape != (count,) or people.dtype.kind not in "iuU":
        raise InputError(
            f"{arrays.path}: {task.data.group} is {people.dtype} of shape {people.shape}; integers "
            f"or text of shape ({count},) are needed, one for each sample"
        )
    names = arrays.found.get(f"{task.data.group}_names")
    if names is not None and people.dtype.kind != "U":
        outside = np.flatnonzero((people < 0) | (people >= len(names)))
        if len(outside):
            raise InputError(
                f"{arrays.place(outside[0])}: {task.data.group} {people[outside[0]]} is unknown; "
                f"{task.data.group}_names has {len(names)} names, from 0"
            )
    return people, names


def _numbered(
    people: tuple[NDArray[Any], NDArray[Any] | None], stays: IndexArray
) -> tuple[IndexArray, tuple[str, ...]]:
    """Groups by number or by name."""
    who, names = people
    if who.dtype.kind == "U":
        return groups([str(name) for name in who[stays]])
    found, number = np.unique(who[stays], return_inverse=True)
    shown = (f"person {one}" if names is None else str(names[one]) for one in found)
    return number.astype(np.int64), tuple(shown)


def _clips(task: Task, arrays: _Arrays, x: NDArray[Any], dataset: DataSet) -> Clips:
    """Waveforms (n, any) of the task's rate, cut to its length."""
    where, settings = str(arrays.path), task.frontend
    if task.data.rate:
        rate = arrays.take("rate", task.data.rate)
        if rate.size != 1 or rate.dtype.kind not in "iuf":
            raise InputError(
                f"{where}: data.rate names {task.data.rate!r}, {rate.dtype} of shape {rate.shape}; "
                "one number, Hz, is needed"
            )
        frontend.check_rate(where, int(rate.item()), settings)
    return Clips(dataset, frontend.cut_to_length(frontend.to_int16(x, where), settings, where))


def _windows(task: Task, arrays: _Arrays, x: NDArray[Any], dataset: DataSet) -> Windows:
    """Samples (n, time, channels), of which the device makes a window each."""
    where, window = f"{arrays.path}: {task.data.x}", task.window
    if x.ndim != 3:
        raise InputError(f"{where} has shape {x.shape}; motion needs (n, time, channels)")
    refuse_not_finite(x, arrays.place)
    settings = motion_settings(task, x.shape[2])
    signal = x.astype(np.float64) * _unit(arrays, x.shape[2])
    made = cut(list(to_counts(signal, settings.unit, where)), settings)
    if any(len(one) != 1 for one in made):
        raise InputError(
            f"{where} has {x.shape[1]} samples at {settings.input_rate:g} Hz, which are "
            f"{len(made[0])} windows of window.length = {window.length} at window.rate = "
            f"{window.rate:g} Hz; one is needed: change [window] or frontend.input_rate"
        )
    return Windows(dataset, np.concatenate(made), settings)


def _unit(arrays: _Arrays, channels: int) -> NDArray[np.float32]:
    """The physical size of 1 in the samples, where the file has it."""
    unit = np.asarray(arrays.found.get("scale", np.ones(1)))
    if unit.dtype.kind != "f" or unit.shape not in ((), (1,), (channels,)):
        unit = np.ones(1)
    return unit.astype(np.float32)


def _scaled(task: Task, arrays: _Arrays, x: NDArray[Any]) -> Scaled:
    """The samples in int8, of the shape that the network takes."""
    if task.data.kind == "image" and x.ndim == 3:
        x = x[..., None]
    wanted = 4 if task.data.kind == "image" else 3
    if x.ndim != wanted:
        shape = "(n, rows, columns[, colours])" if wanted == 4 else "(n, time, channels)"
        raise InputError(
            f"{arrays.path}: {task.data.x} has shape {x.shape}; {task.data.kind} needs {shape}"
        )
    unit = _unit(arrays, x.shape[-1])
    return to_int8(x, task.data.kind, task.data.triples, unit, arrays.place)


def _left_out(arrays: _Arrays, names: list[str], stays: IndexArray) -> tuple[str, ...]:
    less = len(names) - len(stays)
    if not less:
        return ()
    return (f"{arrays.path}: {less} of {len(names)} samples are of classes not in data.labels",)
