"""A front end and its stream in a file of a project, frontend.npz: every number of them, so that a
project is read back as it was made, without the recordings that ranges were measured on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.frontend.constants import (
    AudioConstants,
    MotionConstants,
    SmootherConstants,
    StreamPlan,
)
from tinytrain.frontend.limits import check_plan
from tinytrain.parameters_file import check_digest, flatten, integer, unflatten

FRONTEND_FILE = "frontend.npz"

Arrays = Mapping[str, npt.NDArray[np.generic]]

NUMBERS = ("frames", "stride", "classes", "ring_capacity")
"""The plan's own."""


def frontend_bytes(plan: StreamPlan) -> bytes:
    """The file of a plan. Same plan, same bytes."""
    kind = "audio" if isinstance(plan.frontend, AudioConstants) else "motion"
    arrays = flatten(plan.frontend, kind) | flatten(plan.smoother, "smoother")
    arrays |= {f"stream.{name}": np.asarray(getattr(plan, name)) for name in NUMBERS}
    file = BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def read_frontend(path: Path, digest: str, read: Callable[[Path], Arrays]) -> StreamPlan:
    """The plan of a file with this SHA-256; `read` gives the arrays of a path.

    Raises InputError where it is another file, damaged, or holds numbers that no device takes.
    """
    check_digest(path, digest)
    arrays = read(path)
    frontend: AudioConstants | MotionConstants
    try:
        if any(name.startswith("audio.") for name in arrays):
            frontend = unflatten(AudioConstants, arrays, "audio")
        else:
            frontend = unflatten(MotionConstants, arrays, "motion")
        plan = StreamPlan(
            frontend,
            smoother=unflatten(SmootherConstants, arrays, "smoother"),
            **{name: integer(arrays, f"stream.{name}") for name in NUMBERS},
        )
    except KeyError as error:
        raise InputError(f"{path}: no array {error}; convert the model again") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}; convert the model again") from error
    check_plan(plan, str(path))
    return plan
