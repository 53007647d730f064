"""Finding the files of a task."""

from __future__ import annotations

import os
from pathlib import Path

from tinytrain.errors import InputError
from tinytrain.training.task_file import SHIPPED_DATA
from tinytrain.training.tasks import Task

DATA_VARIABLE = "TINYTRAIN_DATA"


def locate(task: Task, data_folder: Path | None = None) -> Path:
    """The file or folder that `data.path` means.

    It is looked for in `data_folder`, beside the task file, in the folder that the environment
    variable TINYTRAIN_DATA names, in ".", "data" and "../shared/data", and among the shipped data.
    """
    if data_folder is not None and not data_folder.is_dir():
        raise InputError(f"--data {data_folder}: no such folder")
    named = os.environ.get(DATA_VARIABLE)
    folders = [
        *([data_folder] if data_folder else []),
        *([Path(task.folder)] if task.folder else []),
        *([Path(named)] if named else []),
        Path(),
        Path("data"),
        Path("../shared/data"),
        SHIPPED_DATA,
    ]
    path = Path(task.data.path).expanduser()
    if path.is_absolute():
        folders = [path.parent]
    for folder in folders:
        place = folder / (path.name if path.is_absolute() else path)
        if place.exists():
            return place
    looked = ", ".join(dict.fromkeys(str(folder) for folder in folders))
    origin = f"; to get it: {task.data.origin}" if task.data.origin else ""
    elsewhere = "" if path.is_absolute() else f"; name its folder with {DATA_VARIABLE}"
    raise InputError(
        f"task {task.name!r}: data.path {str(path)!r} not found; looked in: {looked}"
        f"{elsewhere}{origin}"
    )


def locate_beside(folder: Path, name: str) -> Path:
    """A file named from within a folder, or from the folder that it lies in."""
    for place in (folder / name, folder.parent / name):
        if place.is_file():
            return place
    raise InputError(f"data.manifest {name!r} not found; looked in: {folder}, {folder.parent}")
