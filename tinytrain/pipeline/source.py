"""A user's model file as one of the formats that are read; a .keras is quantized first."""

from __future__ import annotations

from pathlib import Path

from tinytrain.converters.formats import Source, read_source
from tinytrain.errors import InputError
from tinytrain.project import read_arrays

KERAS = ".keras"


def find_source(path: Path, representative: Path | None = None) -> Source:
    """The model file at `path`, or the .tflite that TensorFlow makes of a .keras.

    `representative`: an .npy of float inputs (n, *input shape), or an .npz with them under x or,
    for several inputs, under the inputs' names. A .keras needs it, and nothing else takes it.
    """
    if path.suffix.lower() != KERAS:
        source = read_source(path)
        if representative is not None:
            raise InputError(
                f"{path}: is quantized already and takes no --representative; only a {KERAS} does"
            )
        return source
    if representative is None:
        raise InputError(
            f"{path}: a float model has to be quantized, by `tinytrain convert {path.name} "
            "--representative x.npy --out DIR`: 100 or more float32 inputs (n, *input shape) as "
            "in training; inspect DIR then"
        )
    from tinytrain.training.keras_file import quantize_file

    data = quantize_file(path, read_arrays(representative), representative)
    return Source(path.name, "tflite", data)
