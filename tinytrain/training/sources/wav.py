"""Recordings of sound in WAV files: a folder a class, or a manifest that lists them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.emulator.audio import mixed
from tinytrain.errors import InputError
from tinytrain.progress import Progress
from tinytrain.training import frontend
from tinytrain.training.frontend import Clips
from tinytrain.training.scaling import not_made
from tinytrain.training.sources.files import locate_beside
from tinytrain.training.sources.samples import EVERYONE, Files, in_folders, keep_wanted, of_files
from tinytrain.training.sources.table import read_table
from tinytrain.training.tasks import Frontend, Task

_SUFFIXES = (".wav", ".wave")
_FILE_COLUMN = "file"
_FULL = round(0.999 * 2**15)
_INTEGER, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


def read(task: Task, path: Path, progress: Progress) -> Clips:
    """One clip a file, cut or padded at its end to frontend.seconds."""
    files = _manifest(task, path) if task.data.manifest else in_folders(task, path, _SUFFIXES)
    files, notes = keep_wanted(task, files, path)
    length, total = frontend.samples_of_clip(task.frontend), len(files.paths)
    clips = np.zeros((total, length), np.int16)
    longer = clipped = 0
    for i, (file, place) in enumerate(zip(files.paths, files.places, strict=True)):
        progress("sounds", i, total)
        clip = read_wav(file, place, task.frontend)
        longer += len(clip) > length
        clipped += _is_clipped(clip)
        clips[i, : len(clip)] = clip[:length]
    progress("sounds", total, total)
    if longer:
        notes += (
            f"{path}: {longer} of {total} sounds are longer than {task.frontend.seconds:g} s; "
            "their ends are cut off",
        )
    if clipped:
        notes += (
            f"{path}: {clipped} of {total} sounds are clipped (samples at the end of the range in "
            "a row); record at a lower gain",
        )
    return Clips(of_files(task, files, not_made(total), notes), clips)


def read_wav(path: Path, place: str, settings: Frontend) -> NDArray[np.int16]:
    """(samples,) of PCM with 8 to 32 bits or floats, rounded to int16, channels mixed as the device
    mixes them.

    `place` is what a message names: the file, or the line that names it.
    """
    name = place if place == str(path) else f"{place}: {path}"
    rate, samples = read_channels(path, name)
    frontend.check_rate(name, rate, settings)
    whole = frontend.to_int16(samples, name)
    return whole[:, 0] if whole.shape[1] == 1 else mixed(whole, whole.shape[1])


def read_channels(path: Path, name: str) -> tuple[int, NDArray[np.float32]]:
    """The rate in Hz and the samples (samples, channels) in [-1, 1] of PCM with 8 to 32 bits or
    floats. `name` is what a message calls the file. Raises InputError.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file") from error
    except OSError as error:
        raise InputError(f"{name}: cannot read: {error.strerror}") from error
    chunks = _chunks(name, content)
    if len(chunks.get(b"fmt ", b"")) < 16 or b"data" not in chunks:
        raise InputError(f"{name}: a broken WAV file: no format or no samples in it")
    kind, channels, rate, _, block, bits = struct.unpack("<HHIIHH", chunks[b"fmt "][:16])
    if kind == _EXTENSIBLE and len(chunks[b"fmt "]) >= 26:
        (kind,) = struct.unpack("<H", chunks[b"fmt "][24:26])
    whole = channels and block == channels * bits // 8
    if (kind, bits) not in _DECODERS or not whole:
        raise InputError(
            f"{name}: {channels} channels of {bits} bits in format {kind}; readable are PCM of 8, "
            "16, 24 or 32 bits and floats of 32 bits"
        )
    data = chunks[b"data"]
    samples = _DECODERS[kind, bits](data[: len(data) // block * block])
    if not len(samples):
        raise InputError(f"{name}: no samples in it")
    if not np.isfinite(samples).all():
        raise InputError(f"{name}: a sample that is not a finite number (NaN or infinity)")
    return rate, samples.reshape(-1, channels)


def _is_clipped(clip: NDArray[np.int16]) -> bool:
    """Whether one sample in a thousand follows another at the end of the range."""
    full = np.abs(clip.astype(np.int32)) >= _FULL
    return bool((full[1:] & full[:-1]).mean() > 0.001) if len(clip) > 1 else False


def _chunks(name: str, content: bytes) -> dict[bytes, bytes]:
    """The chunks of a RIFF file; one that is cut off is refused."""
    if len(content) < 12 or content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise InputError(f"{name}: not a WAV file (it does not begin with RIFF and WAVE)")
    found: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= len(content):
        kind, size = struct.unpack("<4sI", content[position : position + 8])
        body = content[position + 8 : position + 8 + size]
        if len(body) < size and kind in (b"data", b"fmt "):
            raise InputError(
                f"{name}: a broken WAV file: it says {size} bytes of {kind.decode().strip()} and "
                f"holds {len(body)}"
            )
        found.setdefault(kind, body)
        position += 8 + size + size % 2
    return found


def _pcm24(data: bytes) -> NDArray[Any]:
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4").reshape(-1) / np.float32(2**31)


_DECODERS: dict[tuple[int, int], Any] = {
    (_INTEGER, 8): lambda data: (np.frombuffer(data, np.uint8) - np.float32(128)) / 128,
    (_INTEGER, 16): lambda data: np.frombuffer(data, "<i2") / np.float32(2**15),
    (_INTEGER, 24): _pcm24,
    (_INTEGER, 32): lambda data: np.frombuffer(data, "<i4") / np.float32(2**31),
    (_FLOAT, 32): lambda data: np.frombuffer(data, "<f4"),
}


def _manifest(task: Task, folder: Path) -> Files:
    """The files that a CSV lists, with their class and person; paths start at `folder`."""
    table = read_table(locate_beside(folder, task.data.manifest))
    paths = [folder / name for name in table.text("a manifest", _FILE_COLUMN)]
    labels = table.text("data.label", task.data.label)
    group = task.data.group
    people = table.text("data.group", group) if group else [EVERYONE] * len(paths)
    places = [table.place(row) for row in range(len(paths))]
    return Files(tuple(paths), tuple(labels), tuple(people), tuple(places))
