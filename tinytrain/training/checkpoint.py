"""Checkpoints: all that a training needs to go on after its last finished epoch, in one file."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinytrain.errors import InputError
from tinytrain.training.learner import State


@dataclass(frozen=True)
class Checkpoint:
    """The end of an epoch."""

    identity: str
    """What training this is: a digest of everything that decides its result."""
    record: dict[str, Any]
    """Small things, as JSON holds them."""
    state: State
    best: State
    """The weights to end with should no better epoch follow; empty: the last ones."""


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write `path`, whole or not at all: aside, then renamed."""
    header = json.dumps({"identity": checkpoint.identity, "record": checkpoint.record})
    arrays = {
        **{f"state{index}": value for index, value in enumerate(checkpoint.state)},
        **{f"best{index}": value for index, value in enumerate(checkpoint.best)},
    }
    aside = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with aside.open("wb") as file:
        np.savez(file, header=np.array(header), **arrays)  # type: ignore[arg-type]
    aside.replace(path)


def load(path: Path, identity: str) -> Checkpoint | None:
    """The checkpoint in `path`, or None where there is no such file.

    Raises InputError where it is damaged, or belongs to a training of another identity.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            header = json.loads(str(arrays["header"]))
            found = Checkpoint(
                header["identity"],
                header["record"],
                _numbered("state", arrays),
                _numbered("best", arrays),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no checkpoint of tinytrain; delete it to start anew") from error
    if found.identity != identity:
        raise InputError(
            f"{path}: belongs to a training with another task, data set, seed or start; "
            "delete it to start anew"
        )
    return found


def _numbered(prefix: str, arrays: Any) -> State:
    count = sum(name.startswith(prefix) for name in arrays.files)
    return [arrays[f"{prefix}{index}"] for index in range(count)]
