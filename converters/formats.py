"""The model formats that are read: for each suffix of a file name, a reader of bytes to `Graph`.

A reader that needs a package of its own imports it when it runs, so that a .tflite needs none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tinytrain.converters.onnx.folding import parse_onnx
from tinytrain.converters.tflite import parse_tflite, read_bytes
from tinytrain.errors import InputError
from tinytrain.graph import Graph

Reader = Callable[[bytes, str], Graph]
"""The graph of a file's bytes; the second argument is its name, for messages."""

FORMATS: Mapping[str, Reader] = {"tflite": parse_tflite, "onnx": parse_onnx}
"""By suffix without the dot, which is also the format's name in a project's manifest."""


@dataclass(frozen=True, eq=False)
class Source:
    """A model as it was given, or as a converter before us made it."""

    file: str
    """The name of the user's file."""
    format: str
    """A key of FORMATS."""
    data: bytes

    @property
    def kept_as(self) -> str:
        """Its name in a project."""
        return f"source.{self.format}"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def graph(self) -> Graph:
        return FORMATS[self.format](self.data, self.file)


def read_source(path: Path) -> Source:
    """The model file at `path`. Raises InputError for a suffix that is not read."""
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS and path.is_file():
        readable = ", ".join(f".{suffix}" for suffix in FORMATS)
        raise InputError(
            f"{path}: a model file ends in {readable} (or .keras, for convert), not in "
            f"{path.suffix or 'a name without suffix'}"
        )
    return Source(path.name, form, read_bytes(path))
