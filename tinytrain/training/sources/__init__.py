"""Sources: where the samples of a task come from; one module a source."""

from __future__ import annotations

from pathlib import Path

from tinytrain.errors import InputError
from tinytrain.progress import Progress, silent
from tinytrain.training.data import DataSet
from tinytrain.training.frontend import Clips, with_features
from tinytrain.training.motion import Windows, with_windows
from tinytrain.training.sources import csv, digits, idx, images, npz, wav
from tinytrain.training.sources.background import with_background
from tinytrain.training.sources.files import locate
from tinytrain.training.tasks import Task

_READERS = {
    "npz": npz.read,
    "csv": csv.read,
    "images": images.read,
    "wav": wav.read,
    "idx": idx.read,
    "scikit-learn-digits": digits.read,
}


def load(
    task: Task, data_folder: Path | None = None, progress: Progress = silent, seed: int = 0
) -> DataSet:
    """The data set of a task; InputError names file and line of what is wrong in it.

    `data_folder`: where to look first for `data.path`; see `files.locate` for where else. `seed`:
    of the split, for front ends whose ranges come from the training people.
    """
    found = recorded(task, data_folder, progress)
    if isinstance(found, Clips):
        found = with_features(task, found, seed, f"task {task.name!r}", progress)
    elif isinstance(found, Windows):
        found = with_windows(task, found, seed)
    _refuse_misfits(task, found)
    return found


def recorded(
    task: Task, data_folder: Path | None = None, progress: Progress = silent
) -> DataSet | Clips | Windows:
    """What the files of a task hold, and the background it asks for, before a front end."""
    path = Path() if task.data.source == "scikit-learn-digits" else locate(task, data_folder)
    found = _READERS[task.data.source](task, path, progress)
    if isinstance(found, Clips) and task.data.background:
        return with_background(found, task.data.background, f"task {task.name!r}")
    return found


def _refuse_misfits(task: Task, dataset: DataSet) -> None:
    """What only shows when the task meets its data."""
    classes = len(dataset.label_names)
    figures = task.frontend.kind == "motion" and task.frontend.form == "statistics"
    # Figures are (channels, figures of each).
    channels = dataset.x.shape[1 if figures else -1]
    if classes < 2:
        raise InputError(
            f"task {task.name!r}: all {len(dataset.y)} samples are of class "
            f"{dataset.label_names[0]!r}; a classifier needs two classes"
        )
    if task.head.rows > classes:
        raise InputError(
            f"task {task.name!r}: head.rows is {task.head.rows}; there are {classes} classes"
        )
    unknown = [name for name in task.frontend.ignore if name not in dataset.label_names]
    if unknown:
        raise InputError(
            f"task {task.name!r}: frontend.ignore has {unknown[0]!r}, which is no class of the "
            f"data; there are: {', '.join(dataset.label_names[:40])}"
        )
    mirror = task.augmentation.mirror
    if mirror and len(mirror) != channels:
        raise InputError(
            f"task {task.name!r}: augmentation.mirror has {len(mirror)} signs; the data have "
            f"{channels} channels"
        )
    if task.data.triples and channels % 3:
        raise InputError(
            f"task {task.name!r}: data.triples is true; {channels} channels are no triples"
        )
