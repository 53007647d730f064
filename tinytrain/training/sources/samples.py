"""Classes and people of what a source read; folders of files."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinytrain.errors import InputError
from tinytrain.training.data import DataSet, IndexArray
from tinytrain.training.scaling import Scaled
from tinytrain.training.tasks import Task

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
        *sorted(occurring.difference(order), key=_natural),
    )
    number = {name: i for i, name in enumerate(kept)}
    stays = np.array([i for i, name in enumerate(names) if name in number], np.int64)
    return stays, np.array([number[names[i]] for i in stays], np.int64), kept


def groups(names: Sequence[str]) -> tuple[IndexArray, tuple[str, ...]]:
    """Each sample's group, and the groups' names in order."""
    found = sorted(set(names), key=_natural)
    number = {name: i for i, name in enumerate(found)}
    return np.array([number[name] for name in names], np.int64), tuple(found)


def _natural(name: str) -> tuple[int, str]:
    """Numbers by their value, before other names."""
    return (
        (int(name), "") if name.isascii() and name.isdigit() and len(name) < 10 else (10**9, name)
    )


def standing_alone(group: IndexArray, y: IndexArray) -> IndexArray:
    """The recording numbers of samples that overlap nothing: one for each class of each person."""
    return group * (int(y.max(initial=0)) + 1) + y


@dataclass(frozen=True)
class Files:
    """What stands in a folder: files, with the class and the person of each."""

    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    people: tuple[str, ...]
    places: tuple[str, ...]
    """Where each file was named: itself, or a manifest and its line."""
    notes: tuple[str, ...] = ()
    """What else stands in the folder, a line each."""


def in_folders(task: Task, folder: Path, suffixes: tuple[str, ...]) -> Files:
    """FOLDER/CLASS/file, or FOLDER/CLASS/PERSON/file with data.group = 'folder'."""
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; {task.data.source!r} needs a folder a class")
    by_person = task.data.group == "folder"
    wanted = "CLASS/PERSON/file" if by_person else "CLASS/file"
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
    inside = [path.relative_to(folder).parts for path in found]
    for path, parts in zip(found, inside, strict=True):
        if len(parts) != 2 + by_person:
            raise InputError(
                f"{path}: lies {len(parts) - 1} folders deep in {folder}; the task wants {wanted}"
                + ("" if by_person else "; or set data.group = 'folder' for CLASS/PERSON/file")
            )
    if not found:
        raise InputError(f"{folder}: no {', '.join(suffixes)} in it; the task wants {wanted}")
    return Files(
        tuple(found),
        tuple(parts[0] for parts in inside),
        tuple(parts[1] if by_person else EVERYONE for parts in inside),
        tuple(map(str, found)),
        tuple(_passed_over(folder, found)),
    )


def _passed_over(folder: Path, found: list[Path]) -> Iterator[str]:
    """Files of another kind, and classes without a file."""
    visible = [path for path in sorted(folder.rglob("*")) if not path.name.startswith(".")]
    others = [path for path in visible if path.is_file() and path not in set(found)]
    if others:
        yield f"{others[0]}: not a file of the kind that is read; {len(others)} are like that"
    classes = {path.relative_to(folder).parts[0] for path in found}
    empty = [path for path in visible if path.parent == folder and path.is_dir()]
    empty = [path for path in empty if path.name not in classes]
    if empty:
        yield f"{empty[0]}: a class without a file; {len(empty)} are like that"


def keep_wanted(task: Task, files: Files, where: Path) -> tuple[Files, tuple[str, ...]]:
    """The files of the classes that the task wants, and a note on the others."""
    stays, _, _ = classes(files.labels, task.data.labels, (), str(where))
    if len(stays) == len(files.paths):
        return files, files.notes
    left_out = len(files.paths) - len(stays)
    note = f"{where}: {left_out} of {len(files.paths)} files are of classes not in data.labels"
    kept = Files(
        tuple(files.paths[i] for i in stays),
        tuple(files.labels[i] for i in stays),
        tuple(files.people[i] for i in stays),
        tuple(files.places[i] for i in stays),
    )
    return kept, (*files.notes, note)


def of_files(task: Task, files: Files, scaled: Scaled, notes: tuple[str, ...]) -> DataSet:
    """The data set of one sample a file."""
    _, y, label_names = classes(files.labels, task.data.labels, (), task.data.path)
    found = of_samples(task, scaled, y, label_names, files.people)
    return replace(found, origins=tuple(map(str, files.paths)), notes=notes)


def of_samples(
    task: Task,
    scaled: Scaled,
    y: IndexArray,
    label_names: tuple[str, ...],
    people: Sequence[str] | None = None,
) -> DataSet:
    """The data set of samples that stand for themselves, of everyone or of `people` (n,)."""
    group, group_names = groups(people or [EVERYONE] * len(y))
    return DataSet(
        name=task.name,
        x=scaled.x,
        y=y,
        group=group,
        recording=standing_alone(group, y),
        overlap=False,
        label_names=label_names,
        group_names=group_names,
        scale=scaled.scale,
        zero=scaled.zero,
        given_test=np.zeros(0, np.int64),
    )
