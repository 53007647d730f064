"""scikit-learn's handwritten digits, 8 x 8 pixels of 0 to 16."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinytrain.errors import InputError
from tinytrain.progress import Progress
from tinytrain.training.data import DataSet
from tinytrain.training.scaling import Scaled
from tinytrain.training.sources.samples import classes, of_samples
from tinytrain.training.tasks import Task

_STEP = 16
"""int8 steps of one of the 16 grey levels; full white is one step less."""


def read(task: Task, path: Path, progress: Progress) -> DataSet:
    """The 1,797 digits; `path` is not used."""
    del path, progress
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError(
            f"task {task.name!r} needs scikit-learn: pip install 'tinytrain[digits]'"
        ) from error
    pictures, digit = load_digits(return_X_y=True)
    stays, y, names = classes([str(one) for one in digit], task.data.labels, (), "digits")
    grey = np.minimum(pictures[stays].reshape(-1, 8, 8, 1).astype(np.int16) * _STEP, 255) - 128
    scaled = Scaled(
        grey.astype(np.int8), np.full(1, 1 / _STEP, np.float32), np.full(1, -128, np.float32)
    )
    return of_samples(task, scaled, y, names)
