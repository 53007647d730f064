"""Classes and people of what a source read, by number."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from tinytrain.errors import InputError
from tinytrain.training.data import IndexArray

EVERYONE = "everyone"
"""The one group of data without groups."""


def classes(
    names: Sequence[str], wanted: Sequence[str], order: Sequence[str], where: str
) -> tuple[IndexArray, IndexArray, tuple[str, ...]]:
    """Which samples stay, their labels, and the classes.

    `wanted` picks the classes; without it they are those that occur, as in `order`, then sorted.
    """
    occurring = set(names)
    for name in wanted:
        if name not in occurring:
            close = difflib.get_close_matches(name, occurring, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise InputError(
                f"{where}: no sample of class {name!r}{hint} of data.labels; there are: "
                f"{', '.join(sorted(occurring)[:40])}"
            )
    kept = tuple(wanted) or (
        *(name for name in order if name in occurring),
        *sorted(occurring.difference(order)),
    )
    number = {name: i for i, name in enumerate(kept)}
    stays = np.array([i for i, name in enumerate(names) if name in number], np.int64)
    return stays, np.array([number[names[i]] for i in stays], np.int64), kept


def groups(names: Sequence[str]) -> tuple[IndexArray, tuple[str, ...]]:
    """Each sample's group, and the groups' names in order."""
    found, number = np.unique(np.array(names, dtype=str), return_inverse=True)
    return number.astype(np.int64), tuple(str(name) for name in found)


def standing_alone(group: IndexArray, y: IndexArray) -> IndexArray:
    """The recording numbers of samples that overlap nothing: one for each class of each person."""
    return group * (int(y.max(initial=0)) + 1) + y
