"""How work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Whoever wants to show how far a stage is; the pipeline itself prints nothing."""

    def __call__(self, what: str, done: int, total: int, message: str = "") -> None:
        """`done` of `total` parts of `what` are behind us; `message` is for a human."""


def silent(what: str, done: int, total: int, message: str = "") -> None:
    """The progress of work that nobody watches."""
    del what, done, total, message
