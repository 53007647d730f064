"""Recordings in CSV files: columns of time, channels, class and person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.progress import Progress
from tinytrain.training.data import DataSet
from tinytrain.training.motion import Counts, Windows, cut, input_rate, motion_settings, to_counts
from tinytrain.training.scaling import Scaled, not_made, to_int8
from tinytrain.training.sources.samples import EVERYONE, classes, groups, standing_alone
from tinytrain.training.sources.table import Table, read_table
from tinytrain.training.tasks import Data, Task, Window

Float64Array = NDArray[np.float64]
_LONGEST_GAP = 5
"""Sample periods without a sample that end a recording."""
_SLOWEST = 10
"""Times that window.rate may be the rate of a file: more is no interpolation but invention."""


def read(task: Task, path: Path, progress: Progress) -> DataSet | Windows:
    """Windows of the recordings in one file, or in all .csv files of a folder.

    A recording is a stretch of one file with one class, one person and no gap in time; it is
    resampled to window.rate by linear interpolation. With a front end it is resampled to the
    device's rate, and the front end does the rest.
    """
    files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no .csv file in it")
    recordings: list[_Recording] = []
    for done, file in enumerate(files):
        progress("recordings", done, len(files), file.name)
        recordings += _recordings(read_table(file), task)
    progress("recordings", len(files), len(files))
    stays, label, label_names = classes(
        [one.label for one in recordings], task.data.labels, (), str(path)
    )
    kept = [recordings[i] for i in stays]
    motion = task.frontend.kind == "motion"
    windows = _cut(task, kept) if motion else [_windows(one.signal, task.window) for one in kept]
    count = np.array([len(part) for part in windows])
    if not count.sum():
        raise InputError(f"{path}: {_too_short(task.window, len(kept), len(kept))}; none is left")
    person, names = groups([one.person for one in kept])
    y = np.repeat(label, count)
    if not motion:
        physical = to_int8(
            np.concatenate(windows), "motion", task.data.triples, np.ones(1, np.float32), str
        )
        return _data_set(task, kept, windows, y, label_names, person, names, physical)
    dataset = _data_set(task, kept, windows, y, label_names, person, names, not_made(len(y)))
    settings = motion_settings(task, len(task.data.channels))
    return Windows(dataset, np.concatenate(windows), settings)


def _cut(task: Task, kept: Sequence[_Recording]) -> list[Counts]:
    """The windows that the device would make of each recording."""
    unit, channels = task.frontend.unit, len(task.data.channels)
    signals = [to_counts(one.signal, unit, one.place) for one in kept]
    return cut(signals, motion_settings(task, channels))


def _data_set(
    task: Task,
    kept: list[_Recording],
    windows: Sequence[NDArray[Any]],
    y: NDArray[np.int64],
    label_names: tuple[str, ...],
    person: NDArray[np.int64],
    group_names: tuple[str, ...],
    scaled: Scaled,
) -> DataSet:
    """One window after the other, each with its recording's person and number."""
    count = np.array([len(part) for part in windows])
    window = task.window
    gap = -(-window.length // window.hop) - 1
    origins = tuple(
        f"{one.place} + {number * window.hop / window.rate:g} s"
        for one, part in zip(kept, windows, strict=True)
        for number in range(len(part))
    )
    short = int((count == 0).sum())
    group = np.repeat(person, count)
    recording = np.repeat(np.arange(len(kept)), count)
    return DataSet(
        name=task.name,
        x=scaled.x,
        y=y,
        group=group,
        recording=recording if gap else standing_alone(group, y),
        overlap=2 * window.hop == window.length,
        label_names=label_names,
        group_names=group_names,
        scale=scaled.scale,
        zero=scaled.zero,
        given_test=np.zeros(0, np.int64),
        gap=gap,
        origins=origins,
        notes=(_too_short(window, short, len(kept)),) if short else (),
    )


@dataclass(frozen=True)
class _Recording:
    """An uninterrupted stretch of a file, at the rate of the windows or of the device."""

    signal: Float64Array
    """(samples, channels)"""
    label: str
    person: str
    place: str


def _recordings(table: Table, task: Task) -> list[_Recording]:
    data = task.data
    time = table.numbers("data.time", data.time)
    signal = np.stack([table.numbers("data.channels", name) for name in data.channels], axis=1)
    label = table.text("data.label", data.label)
    person = table.text("data.group", data.group) if data.group else [EVERYONE] * len(label)
    _refuse_other_units(table, data, time, task.window)
    rate = input_rate(task) if task.frontend.kind == "motion" else task.window.rate
    found = []
    for part in _stretches(table, data, time, label, person):
        found.append(
            _Recording(
                _resampled(time[part], signal[part], rate),
                label[part.start],
                person[part.start],
                table.place(part.start),
            )
        )
    return found


def _refuse_other_units(table: Table, data: Data, time: Float64Array, window: Window) -> None:
    """Time in milliseconds would become a thousand samples made of two."""
    step = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
    if step * window.rate > _SLOWEST:
        raise InputError(
            f"{table.place(1)}: column {data.time!r} mostly goes up by {step:g}, which is "
            f"{1 / step:g} Hz; window.rate is {window.rate:g} Hz; time is in seconds"
        )


def _stretches(
    table: Table, data: Data, time: Float64Array, label: list[str], person: list[str]
) -> list[slice]:
    """Where recordings begin and end: at another class or person, and at gaps in time."""
    who = list(zip(label, person, strict=True))
    changes = [i for i in range(1, len(who)) if who[i] != who[i - 1]]
    found: list[slice] = []
    for start, end in zip([0, *changes], [*changes, len(who)], strict=True):
        step = np.diff(time[start:end])
        if (step <= 0).any():
            row = start + 1 + int(np.flatnonzero(step <= 0)[0])
            raise InputError(
                f"{table.place(row)}: column {data.time!r} goes from {time[row - 1]:g} to "
                f"{time[row]:g}; time has to ascend within a recording"
            )
        long = step > _LONGEST_GAP * np.median(step) if len(step) else np.zeros(0, bool)
        cuts = (start + 1 + np.flatnonzero(long)).tolist()
        found += [slice(*ends) for ends in zip([start, *cuts], [*cuts, end], strict=True)]
    return found


def _resampled(time: Float64Array, signal: Float64Array, rate: float) -> Float64Array:
    """The signal at even steps from its first sample on, by linear interpolation."""
    # A last step that rounding puts a hair beyond the end still counts.
    steps = int((time[-1] - time[0]) * rate + 1e-6) + 1
    at = time[0] + np.arange(steps) / rate
    return np.stack([np.interp(at, time, channel) for channel in signal.T], axis=1)


def _windows(signal: Float64Array, window: Window) -> Float64Array:
    """(n, length, channels)"""
    if len(signal) < window.length:
        return np.zeros((0, window.length, signal.shape[1]))
    views = np.lib.stride_tricks.sliding_window_view(signal, window.length, axis=0)
    return np.swapaxes(views[:: window.hop], 1, 2)


def _too_short(window: Window, short: int, total: int) -> str:
    seconds = window.length / window.rate
    return (
        f"{short} of {total} recordings are shorter than a window of {seconds:g} s "
        f"({window.length} samples at {window.rate:g} Hz)"
    )
