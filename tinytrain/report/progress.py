"""Progress bars on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tinytrain.progress import Progress as ProgressFunction


@contextmanager
def bars() -> Iterator[ProgressFunction]:
    """A function (what, done, total) that draws one bar for each `what`.

    On a terminal the bars move; elsewhere nothing is printed.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[message]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks = {}

        def advance(what: str, done: int, total: int, message: str = "") -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total, message="")
            progress.update(tasks[what], completed=done, total=total, message=message)

        yield advance
