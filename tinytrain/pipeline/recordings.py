"""Recordings for a stream: WAV and CSV files as a microphone or a sensor would give them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.frontend.columns import Columns
from tinytrain.frontend.constants import AudioConstants, FrontendConstants, MotionConstants
from tinytrain.frontend.limits import MOST_MIXED
from tinytrain.training.sources.table import Table, read_table
from tinytrain.training.sources.wav import read_channels

TIMES = ("time", "t")
"""Columns of a CSV without known names that are no channels: seconds."""
MOST_BEYOND = 0.01
"""Share of a column that may leave int16, as in training; more and the unit cannot be right."""
FULL_SCALE = 1 << 15
WAVES = (b"RIFF", b"RIFX", b"RF64")


@dataclass(frozen=True, eq=False)
class Recording:
    path: Path
    samples: npt.NDArray[np.int16]
    """(samples, channels)"""
    notes: tuple[str, ...] = ()
    """What was changed in it, a line each."""


def read_recording(
    path: Path, frontend: FrontendConstants, columns: Columns | None = None
) -> Recording:
    """A file as the front end takes it. Raises InputError, one line, for another rate or shape.

    Sounds: WAV of 1 to 8 channels, floats and other widths rounded to int16. Motion: CSV with a
    header: with `columns` by their names and in their unit, rounded to int16. Without, a column a
    channel, in the order in which the model was trained, of whole numbers as the sensor gives them;
    a column `time` or `t` (seconds) is compared with the rate.
    """
    sounds = isinstance(frontend, AudioConstants)
    _refuse_other_kind(path, sounds)
    if isinstance(frontend, AudioConstants):
        return Recording(path, _sound(path, frontend))
    table = _table(path)
    if columns is None:
        return Recording(path, _by_position(table, frontend))
    return _by_name(table, frontend, columns)


def _refuse_other_kind(path: Path, sounds: bool) -> None:
    """By what a file begins with, or where that says nothing by its name."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(12)
    wave = start[:4] in WAVES and start[8:] == b"WAVE"
    suffix = path.suffix.lower()
    if not sounds and (wave or suffix in (".wav", ".wave")):
        raise InputError(f"{path}: a WAV file; this model takes motion: CSV")
    if sounds and not wave and suffix in (".csv", ".tsv"):
        raise InputError(f"{path}: a CSV file; this model takes sound: WAV")


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


def _table(path: Path) -> Table:
    try:
        return read_table(path)
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror}") from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _by_name(table: Table, frontend: MotionConstants, columns: Columns) -> Recording:
    """The columns that the model was trained on, in units of the sensor's counts."""
    key = "the model's task"
    names = [columns.time, *columns.channels]
    twice = [name for name in names if table.header.count(name) > 1]
    if twice:
        raise InputError(f"{table.path}:1: several columns are named {twice[0]!r}; name them apart")
    values = np.stack([table.numbers(key, name) for name in columns.channels], axis=1)
    _check_rate(table.path, table.numbers(key, columns.time), frontend)
    with np.errstate(over="ignore"):
        counts = np.rint(values / columns.unit)
    beyond = (counts < -FULL_SCALE) | (counts >= FULL_SCALE)
    kept = np.clip(counts, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    if not beyond.any():
        return Recording(table.path, kept)
    row, channel = np.argwhere(beyond)[0].tolist()
    limit = FULL_SCALE * columns.unit
    said = (
        f"{table.place(row)}: column {columns.channels[channel]!r} is {values[row, channel]:g}, "
        f"outside of the sensor's int16, -{limit:g} to {limit:g} with frontend.unit = "
        f"{columns.unit:g}; so are {100 * beyond.mean():.2g} % of all values"
    )
    if beyond.mean() > MOST_BEYOND:
        raise InputError(f"{said}; give them in the units that the model was trained on")
    return Recording(table.path, kept, (f"{said}, which are cut off",))


def _by_position(table: Table, frontend: MotionConstants) -> npt.NDArray[np.int16]:
    numbers = [name for name in table.header if _is_number(name)]
    if numbers:
        raise InputError(
            f"{table.path}:1: a column is named {numbers[0]!r}, a number; the first line has to "
            "name the columns: put a header above the samples"
        )
    names = [name for name in table.header if name not in TIMES]
    if len(names) != frontend.channels:
        raise InputError(
            f"{table.path}:1: {len(names)} columns beside the time ({', '.join(names)[:60]}); the "
            f"front end takes {frontend.channels} channels, and the project does not know their "
            "names: leave out the other columns, or convert with --frontend RUN"
        )
    for time in TIMES:
        if time in table.header:
            _check_rate(table.path, table.numbers("the header", time), frontend)
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
