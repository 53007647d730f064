"""What a reader found in a file that it understands and cannot convert: its nodes, and why not.

For formats whose nodes become operators only together, so that there is no `Graph` to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinytrain.errors import InputError


@dataclass(frozen=True)
class FileNode:
    """A node as the file has it."""

    index: int
    kind: str
    inputs: tuple[str, ...]
    """Names of what it reads, constants left out."""
    output: str
    """The name of its first output; empty where it has none."""
    shape: tuple[int, ...] | None
    """Of its first output, in the file's order of axes; None where it is not known."""
    judged: bool
    """Whether it was looked at: not where it reads what another node could not give."""
    problem: str | None
    """Why it cannot be converted."""


@dataclass(frozen=True)
class FileEdge:
    """An input or output of the file's graph."""

    name: str
    dtype: str | None
    shape: tuple[int, ...] | None
    """None, as `dtype`, where the reader does not know."""


class RefusedError(InputError):
    """The message names every problem, as any InputError's does."""

    def __init__(
        self,
        file: str,
        problems: Sequence[str],
        nodes: Sequence[FileNode],
        edges: tuple[Sequence[FileEdge], Sequence[FileEdge]],
    ) -> None:
        super().__init__(f"{file}: " + "; ".join(problems))
        self.file = file
        self.problems = tuple(problems)
        self.nodes = tuple(nodes)
        self.inputs, self.outputs = (tuple(side) for side in edges)
