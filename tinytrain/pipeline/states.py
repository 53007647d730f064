"""What a device has learned, kept in a file and given to a device again."""

from __future__ import annotations

import zlib
from pathlib import Path

from tinytrain.device.interface import Device
from tinytrain.device.opening import open_device
from tinytrain.emulator import learner_bytes
from tinytrain.emulator.learner_import import CHECKSUM_BYTES, HEADER_BYTES
from tinytrain.errors import DeviceError, InputError
from tinytrain.pipeline.output import new_file
from tinytrain.project import Project


def save(project: Project, target: str, out: Path) -> int:
    """Writes the state of the learner on a device as it is now; gives its bytes."""
    check_learner(project)
    with new_file(out) as aside, open_device(project, target) as device:
        state = device.export_state()
        aside.write_bytes(state)
    return len(state)


def load(project: Project, target: str, path: Path) -> int:
    """Gives a state to a device, which goes on from it; gives its bytes."""
    state = read(project, path)
    with open_device(project, target) as device:
        give(device, state, path)
    return len(state)


def check_learner(project: Project) -> None:
    """Raises InputError where the model has no learner."""
    if project.model.learner is None:
        raise InputError(
            f"{project.directory}: the model has no learner, so no state to keep; "
            "a task with a table [learner] makes one"
        )


def read(project: Project, path: Path) -> bytes:
    """A file's state. Raises InputError where it is damaged or not this project's."""
    check_learner(project)
    assert project.model.learner is not None
    expected = learner_bytes.header(project.model.learner, int(project.model.source_sha256[:8], 16))
    size = HEADER_BYTES + int.from_bytes(expected[12:], "little") + CHECKSUM_BYTES
    try:
        with path.open("rb") as file:
            state = file.read(size + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if not state.startswith(learner_bytes.MAGIC):
        raise InputError(f"{path}: no state of a learner; `tinytrain learner save` writes one")
    if state[:HEADER_BYTES] != expected:
        raise InputError(
            f"{path}: the state of another model or learner than that of {project.directory}"
        )
    checksum = int.from_bytes(state[-CHECKSUM_BYTES:], "little")
    if len(state) != size or zlib.crc32(state[:-CHECKSUM_BYTES]) != checksum:
        raise InputError(f"{path}: damaged: wrong length or checksum")
    return state


def give(device: Device, state: bytes, path: Path) -> None:
    """A device takes over the state of a file. Raises InputError where it refuses it."""
    try:
        device.import_state(state)
    except DeviceError as error:
        raise InputError(f"{path}: not taken over: {error}") from None
