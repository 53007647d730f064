"""A user's .keras file to a full int8 .tflite, with representative inputs to quantize it by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.training.network import Model, load_keras
from tinytrain.training.quantize import to_tflite


def quantize_file(path: Path, arrays: Mapping[str, NDArray[np.generic]], origin: Path) -> bytes:
    """The bytes of the .tflite.

    `arrays`: float inputs (n, *input shape), under x or, for several inputs, each under the
    input's name; `origin` is where they come from, for messages. Raises InputError, one line, for
    a file that Keras cannot load, inputs that do not fit, and a missing TensorFlow.
    """
    model = load_network(path)
    return to_tflite(model, check_representative(model, arrays, origin))


def load_network(path: Path) -> Model:
    """The file's network. Code in the file (a Lambda layer) is never run: Keras's safe mode."""
    if not path.is_file():
        raise InputError(f"{path}: cannot read the model: no such file")
    keras = load_keras()
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Keras raises most kinds for a damaged or foreign file. The first sentence says which; the
        # next ones tell how to switch the safe mode off.
        text = str(error).strip() or type(error).__name__
        first = text.splitlines()[0].split(". ")[0][:300]
        raise InputError(f"{path}: Keras cannot load it: {first}") from error
    if not getattr(model, "inputs", None):
        raise InputError(f"{path}: the network has no fixed inputs; build it, then save it again")
    return model


def check_representative(
    model: Model, arrays: Mapping[str, NDArray[np.generic]], origin: Path
) -> list[NDArray[np.float32]]:
    """For each input of the network its array, (n, *shape) float32, n the same for all."""
    sources = model.inputs
    names = [source.name for source in sources]
    if len(sources) == 1 and len(arrays) == 1:
        arrays = {names[0]: next(iter(arrays.values()))}
    if len(sources) == 1 and "x" in arrays:
        arrays = {names[0]: arrays["x"]}
    missing = [name for name in names if name not in arrays]
    if missing:
        raise InputError(
            f"{origin}: no array {missing[0]!r}; the network's inputs are {', '.join(names)}, "
            f"found are {', '.join(arrays) or 'none'}"
        )
    found = [
        _check(arrays[source.name], tuple(source.shape[1:]), f"{origin}: {source.name}")
        for source in sources
    ]
    if len({len(array) for array in found}) > 1:
        raise InputError(f"{origin}: {[len(array) for array in found]} samples; one number for all")
    return found


def _check(
    array: NDArray[np.generic], shape: tuple[int | None, ...], where: str
) -> NDArray[np.float32]:
    wanted = ", ".join("any" if extent is None else str(extent) for extent in shape)
    if array.dtype.kind != "f":
        raise InputError(
            f"{where} is {array.dtype}; float32 of shape (n, {wanted}) is expected, scaled as the "
            "inputs in training were"
        )
    fits = array.ndim == len(shape) + 1 and all(
        extent in (None, given) for extent, given in zip(shape, array.shape[1:], strict=True)
    )
    if not fits or not array.size:
        raise InputError(
            f"{where} has shape {array.shape}; (n, {wanted}) is expected, n at least 1"
        )
    if not bool(np.all(np.isfinite(array))):
        raise InputError(f"{where} holds numbers that are not finite")
    return np.ascontiguousarray(array, np.float32)
