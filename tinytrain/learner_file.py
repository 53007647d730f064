"""A learner's constants in a file of a project, learner.npz: every number of them, so that a
project is read back as it was made, without the data that it was made from.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.head import HeadConstants
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import DriftConstants, LearnerConstants, LearnerParts
from tinytrain.operators.kernel import Parameters

LEARNER_FILE = "learner.npz"

Array = npt.NDArray[np.generic]
Some = TypeVar("Some", bound=Parameters)


def learner_bytes(parts: LearnerParts) -> bytes:
    """The file of a learner; the head's own constants follow from the model and are left out."""
    arrays: dict[str, Array] = {}
    for name, part in (("rules", parts.rules), ("lda", parts.lda), ("drift", parts.drift)):
        if part is not None:
            arrays |= _flatten(part, name)
    file = BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def read_learner(path: Path, digest: str, head: HeadConstants, read: Any) -> LearnerParts:
    """The learner of a file with this SHA-256; `read` gives the arrays of a path.

    Raises InputError where it is another file, or damaged.
    """
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror}") from error
    if found != digest:
        raise InputError(
            f"{path}: SHA-256 {found[:16]}..., but the manifest says {digest[:16]}...; "
            "convert the model again"
        )
    arrays = read(path)
    names = {name.split(".")[0] for name in arrays}
    try:
        return LearnerParts(
            _unflatten(LearnerConstants, arrays, "rules"),
            head,
            _unflatten(LdaConstants, arrays, "lda") if "lda" in names else None,
            _unflatten(DriftConstants, arrays, "drift") if "drift" in names else None,
        )
    except KeyError as error:
        raise InputError(f"{path}: no array {error}; convert the model again") from error


def _flatten(parameters: Parameters, prefix: str) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for name, value in vars(parameters).items():
        if isinstance(value, Parameters):
            arrays |= _flatten(value, f"{prefix}.{name}")
        else:
            arrays[f"{prefix}.{name}"] = np.asarray(value)
    return arrays


def _unflatten(kind: type[Some], arrays: dict[str, Array], prefix: str) -> Some:
    types = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        name, found = f"{prefix}.{field.name}", types[field.name]
        if isinstance(found, type) and issubclass(found, Parameters):
            values[field.name] = _unflatten(found, arrays, name)
        elif found is int:
            values[field.name] = int(arrays[name])
        else:
            values[field.name] = arrays[name]
    return kind(**values)
