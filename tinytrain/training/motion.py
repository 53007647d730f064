"""From recordings of motion to what the network takes, by the device's front end.

Letters: n windows, L samples of a window, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.emulator.motion import MotionStream, quantized, window_statistics
from tinytrain.errors import InputError
from tinytrain.frontend.constants import MotionConstants
from tinytrain.frontend.motion import MotionSettings, motion_constants, statistics_ranges
from tinytrain.training.data import DataSet, split
from tinytrain.training.scaling import motion_scale
from tinytrain.training.tasks import Task

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """A data set of windows in the counts of the device's sensor: all of it but the features."""

    dataset: DataSet
    """x is (n, 0)."""
    counts: Counts
    """(n, L, C)"""
    settings: MotionSettings


def motion_settings(task: Task, channels: int) -> MotionSettings:
    """A task's keys as the front end has them. Raises InputError where no device could."""
    settings, window = task.frontend, task.window
    found = MotionSettings(
        input_rate=input_rate(task),
        rate=window.rate,
        channels=channels,
        length=window.length,
        hop=window.hop,
        unit=settings.unit,
        form=settings.form,
        bands=settings.spectrum,
    )
    try:
        unranged(found)
    except InputError as error:
        raise InputError(
            f"task {task.name!r}: [window] and [frontend] of motion (rate is window.rate, bands is "
            f"frontend.spectrum): {error}"
        ) from error
    return found


def input_rate(task: Task) -> float:
    """Hz at which the device samples."""
    return task.frontend.input_rate or task.window.rate


def to_counts(signal: NDArray[Any], unit: float, where: str) -> NDArray[np.int16]:
    """A physical signal (any, C) as the device samples it, `unit` of it a count.

    Values beyond int16 are cut off, as a sensor does; refused where the unit cannot be right.
    """
    counts = np.round(signal / unit)
    beyond = float((np.abs(counts) > 32767).mean())
    if beyond > 0.01:
        raise InputError(
            f"{where}: {100 * beyond:.0f} % of the values leave int16 with frontend.unit = "
            f"{unit:g}; at least {float(np.abs(signal).max()) / 32767:.2g} holds all of them"
        )
    return np.clip(counts, -32768, 32767).astype(np.int16)


def cut(signals: Sequence[NDArray[np.int16]], settings: MotionSettings) -> list[Counts]:
    """The windows (n, L, C) of each recording (any, C): what the device would make of it."""
    made = []
    for signal in signals:
        stream = MotionStream(unranged(settings))
        made.append(stream.push_samples(signal))
    return made


def with_windows(task: Task, found: Windows, seed: int) -> DataSet:
    """The data set with its features. `seed`: of the split: the ranges of statistics are those of
    the training people; windows have one scale for every seed, as all motion has.
    """
    settings, dataset = found.settings, found.dataset
    values = found.counts
    different = _different(values)
    if settings.form == "statistics":
        values = window_statistics(unranged(settings), values)
        training = split(dataset, task.split, seed).train
        zero, scale = statistics_ranges(values[training])
    else:
        zero, scale = np.zeros(1), motion_scale(values * settings.unit, task.data.triples)
    constants = motion_constants(settings, zero, scale)
    x = quantized(constants, values).reshape(values.shape)
    per = values.shape[1:] if settings.form == "statistics" else scale.shape
    return replace(
        dataset,
        x=x,
        scale=scale.reshape(per).astype(np.float32),
        zero=zero.reshape(per if len(zero) > 1 else 1).astype(np.float32),
        frontend=constants,
        different=different,
    )


def _different(counts: Counts) -> tuple[int, ...]:
    """How many values each channel of windows (n, L, C) uses."""
    channels = counts.reshape(-1, counts.shape[-1]).T
    return tuple(
        int(np.count_nonzero(np.bincount(channel.astype(np.int64) + (1 << 15))))
        for channel in channels
    )


def unranged(settings: MotionSettings) -> MotionConstants:
    """The front end but for its ranges."""
    return motion_constants(settings, 0.0, 1.0)
