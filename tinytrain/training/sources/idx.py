"""Pictures in the IDX files of MNIST and its relatives: train-images-idx3-ubyte.gz and so on."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.progress import Progress
from tinytrain.training.data import DataSet
from tinytrain.training.scaling import Scaled
from tinytrain.training.sources.samples import classes, of_samples
from tinytrain.training.tasks import Task

_UNSIGNED_BYTE = 8


def read(task: Task, path: Path, progress: Progress) -> DataSet:
    """The four files in a folder: train-* to train on, t10k-* as the given test set."""
    parts = []
    for done, name in enumerate(("train", "t10k")):
        progress("reading", done, 2, name)
        parts.append((_array(path, f"{name}-images-idx3"), _array(path, f"{name}-labels-idx1")))
        pictures, labels = parts[-1]
        if pictures.ndim != 3 or labels.shape != pictures.shape[:1]:
            raise InputError(
                f"{path}: {name} has pictures of shape {pictures.shape} and labels of shape "
                f"{labels.shape}; they do not belong together"
            )
    progress("reading", 2, 2)
    (pictures, labels), (test_pictures, test_labels) = parts
    digit = np.concatenate([labels, test_labels])
    stays, y, names = classes([str(one) for one in digit], task.data.labels, (), str(path))
    x = np.concatenate([pictures, test_pictures])[stays, ..., None]
    scaled = Scaled(
        (x.astype(np.int16) - 128).astype(np.int8),
        np.ones(1, np.float32),
        np.full(1, -128, np.float32),
    )
    found = of_samples(task, scaled, y, names)
    return replace(found, given_test=np.flatnonzero(stays >= len(labels)))


def _array(folder: Path, name: str) -> NDArray[np.uint8]:
    """The array of bytes in FOLDER/NAME-ubyte or FOLDER/NAME-ubyte.gz."""
    packed, plain = folder / f"{name}-ubyte.gz", folder / f"{name}-ubyte"
    path = packed if packed.exists() else plain
    if not path.exists():
        raise InputError(f"{folder}: no {packed.name} in it, nor {plain.name}")
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path == packed else content
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: a damaged gzip file: {error}") from error
    axes = content[3] if len(content) > 3 else 0
    shape = tuple(np.frombuffer(content[4 : 4 + 4 * axes], ">u4").tolist())
    size = int(np.prod(shape, dtype=object)) if shape else 0
    if content[:3] != bytes([0, 0, _UNSIGNED_BYTE]) or len(content) != 4 + 4 * axes + size:
        raise InputError(f"{path}: not an IDX file of bytes, or cut off")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
