"""Recordings for a stream: WAV and CSV files as a microphone or a sensor would give them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.frontend.constants import AudioConstants, FrontendConstants, MotionConstants
from tinytrain.frontend.limits import MOST_MIXED
from tinytrain.training.sources.table import Table, read_table
from tinytrain.training.sources.wav import read_channels

TIME = "time"
"""A column of a CSV that is no channel: seconds."""
FULL_SCALE = 1 << 15


@dataclass(frozen=True, eq=False)
class Recording:
    path: Path
    samples: npt.NDArray[np.int16]
    """(samples, channels)"""


def read_recording(path: Path, frontend: FrontendConstants) -> Recording:
    """A file as the front end takes it. Raises InputError, one line, for another rate or shape.

    Sounds: WAV of 1 to 8 channels, floats and other widths rounded to int16. Motion: CSV with a
    header and a column a channel, in the order in which the model was trained, of whole numbers as
    the sensor gives them; a column `time` (seconds) is compared with the rate.
    """
    if isinstance(frontend, AudioConstants):
        return Recording(path, _sound(path, frontend))
    return Recording(path, _motion(path, frontend))


def _sound(path: Path, frontend: AudioConstants) -> npt.NDArray[np.int16]:
    rate, samples = read_channels(path, str(path))
    if rate != frontend.rate:
        raise InputError(
            f"{path}: {rate} Hz; the model's front end takes {frontend.rate} Hz; resample the file"
        )
    if samples.shape[1] > MOST_MIXED:
        raise InputError(f"{path}: {samples.shape[1]} channels; 1 to {MOST_MIXED} are mixed")
    scaled = np.rint(samples.astype(np.float64) * FULL_SCALE)
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def _motion(path: Path, frontend: MotionConstants) -> npt.NDArray[np.int16]:
    try:
        table = read_table(path)
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror}") from error
    names = [name for name in table.header if name != TIME]
    if len(names) != frontend.channels:
        raise InputError(
            f"{path}:1: {len(names)} columns beside '{TIME}' ({', '.join(names)[:60]}); the front "
            f"end takes {frontend.channels} channels"
        )
    if TIME in table.header:
        _check_rate(path, table.numbers(f"column {TIME}", TIME), frontend)
    return np.stack([_counts(table, name) for name in names], axis=1)


def _counts(table: Table, name: str) -> npt.NDArray[np.int16]:
    values = table.numbers("the header", name)
    wrong = np.flatnonzero((values != np.rint(values)) | (np.abs(values + 0.5) > FULL_SCALE))
    if wrong.size:
        raise InputError(
            f"{table.place(int(wrong[0]))}: column {name!r} is {values[wrong[0]]:g}; a "
            "stream takes the sensor's own counts, whole numbers from -32768 to 32767"
        )
    return values.astype(np.int16)


def _check_rate(path: Path, time: npt.NDArray[np.float64], frontend: MotionConstants) -> None:
    """Within a hundredth, in the middle of all steps."""
    if len(time) < 2:
        return
    step = float(np.median(np.diff(time)))
    if not step > 0 or abs(1000 / step - frontend.rate) > frontend.rate / 100:
        found = f"{1 / step:.4g} Hz" if step > 0 else "time that stands still or runs backwards"
        raise InputError(
            f"{path}: {found}; the model's front end takes {frontend.rate / 1000:g} Hz"
        )
