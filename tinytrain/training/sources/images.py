"""Folders of pictures, one a class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.progress import Progress
from tinytrain.training.data import DataSet
from tinytrain.training.scaling import Scaled
from tinytrain.training.sources.samples import in_folders, keep_wanted, of_files
from tinytrain.training.tasks import Data, Task

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".webp", ".tif", ".tiff")


def read(task: Task, path: Path, progress: Progress) -> DataSet:
    """Each picture averaged down to data.height x data.width, in colour or grey, less 128."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"task {task.name!r}: reading pictures needs Pillow: pip install 'tinytrain[images]'"
        ) from error
    files, notes = keep_wanted(task, in_folders(task, path, _SUFFIXES), path)
    data, total = task.data, len(files.paths)
    x = np.empty((total, data.height, data.width, 3 if data.colour else 1), np.int8)
    for i, picture in enumerate(files.paths):
        progress("pictures", i, total)
        x[i] = (_pixels(picture, data).astype(np.int16) - 128).astype(np.int8)
    progress("pictures", total, total)
    scaled = Scaled(x, np.ones(1, np.float32), np.full(1, -128, np.float32))
    return of_files(task, files, scaled, notes)


def _pixels(path: Path, data: Data) -> NDArray[np.uint8]:
    """(height, width, colours) bytes of one picture."""
    from PIL import Image

    size = (data.width, data.height)
    try:
        with Image.open(path) as picture:
            plain = picture.convert("RGB" if data.colour else "L")
            pixels = np.asarray(plain.resize(size, Image.Resampling.BOX))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a picture that can be read: {error}") from error
    return pixels.reshape(data.height, data.width, -1)
