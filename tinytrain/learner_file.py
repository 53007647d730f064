"""A learner's constants in a file of a project, learner.npz: every number of them, so that a
project is read back as it was made, without the data that it was made from.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.head import HeadConstants
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import DriftConstants, LearnerConstants, LearnerParts
from tinytrain.parameters_file import check_digest, flatten, unflatten

LEARNER_FILE = "learner.npz"

Array = npt.NDArray[np.generic]


def learner_bytes(parts: LearnerParts) -> bytes:
    """The file of a learner; the head's own constants follow from the model and are left out."""
    arrays: dict[str, Array] = {}
    for name, part in (("rules", parts.rules), ("lda", parts.lda), ("drift", parts.drift)):
        if part is not None:
            arrays |= flatten(part, name)
    file = BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def read_learner(path: Path, digest: str, head: HeadConstants, read: Any) -> LearnerParts:
    """The learner of a file with this SHA-256; `read` gives the arrays of a path.

    Raises InputError where it is another file, or damaged.
    """
    check_digest(path, digest)
    arrays = read(path)
    names = {name.split(".")[0] for name in arrays}
    try:
        return LearnerParts(
            unflatten(LearnerConstants, arrays, "rules"),
            head,
            unflatten(LdaConstants, arrays, "lda") if "lda" in names else None,
            unflatten(DriftConstants, arrays, "drift") if "drift" in names else None,
        )
    except KeyError as error:
        raise InputError(f"{path}: no array {error}; convert the model again") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}; convert the model again") from error
