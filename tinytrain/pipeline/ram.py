"""The most bytes of arena that a run's C project may have: by --ram, or else by its task."""

from __future__ import annotations

from dataclasses import dataclass

from tinytrain.errors import InputError
from tinytrain.training.data import DataSet
from tinytrain.training.tasks import Task


@dataclass(frozen=True)
class RamLimit:
    bytes: int
    asked: str
    """Where it comes from, and the number: what a refusal names."""


def ram_limit(ram: int | None, task: Task) -> RamLimit | None:
    """`ram` is that of --ram, None where it is not given."""
    if ram is not None:
        return RamLimit(ram, f"--ram {ram}")
    if task.budget.ram:
        return RamLimit(task.budget.ram, f"task {task.name!r}: budget.ram = {task.budget.ram}")
    return None


def refuse_impossible(limit: RamLimit | None, dataset: DataSet) -> None:
    """Raises InputError where not even a sample fits, which lies whole in every network's arena."""
    sample = dataset.x[0].nbytes
    if limit is not None and limit.bytes < sample:
        raise InputError(
            f"{limit.asked}: one sample takes {sample:,} bytes, and lies whole in the arena "
            "whatever the network; ask for more than that"
        )
