"""Parameters in the arrays of an .npz file, and back: what a project keeps of numbers that were
made from data which it does not keep.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.operators.kernel import Parameters

Array = npt.NDArray[np.generic]
Some = TypeVar("Some", bound=Parameters)


def check_digest(path: Path, digest: str) -> None:
    """Raises InputError unless the file has this SHA-256, in hexadecimal digits."""
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror}") from error
    if found != digest:
        raise InputError(
            f"{path}: SHA-256 {found[:16]}..., but the manifest says {digest[:16]}...; "
            "convert the model again"
        )


def flatten(parameters: Parameters, prefix: str) -> dict[str, Array]:
    """Every number by its dotted name, such as audio.quantizer.shift."""
    arrays: dict[str, Array] = {}
    for name, value in vars(parameters).items():
        if isinstance(value, Parameters):
            arrays |= flatten(value, f"{prefix}.{name}")
        else:
            arrays[f"{prefix}.{name}"] = np.asarray(value)
    return arrays


def unflatten(kind: type[Some], arrays: Mapping[str, Array], prefix: str) -> Some:
    """The inverse of flatten. Raises KeyError with the name of an array that is missing, and
    ValueError for one of another type than its field's.
    """
    types = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        name, found = f"{prefix}.{field.name}", types[field.name]
        if isinstance(found, type) and issubclass(found, Parameters):
            values[field.name] = unflatten(found, arrays, name)
        elif found is int:
            values[field.name] = integer(arrays, name)
        else:
            values[field.name] = _typed(arrays[name], found, name)
    return kind(**values)


def integer(arrays: Mapping[str, Array], name: str) -> int:
    """A whole number of the file. Raises KeyError or ValueError."""
    array = arrays[name]
    if array.shape != () or array.dtype.kind not in "iub":
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}; one integer expected")
    return int(array[()])


def _typed(array: Array, hint: object, name: str) -> Array:
    (dtype,) = get_args(get_args(hint)[1])
    if dtype is not np.generic and array.dtype != dtype:
        raise ValueError(f"{name} is {array.dtype}; {np.dtype(dtype).name} expected")
    return array
