"""The work of `tinytrain tasks`: listing, writing and checking tasks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tinytrain.errors import InputError
from tinytrain.pipeline.output import new_file, write_json
from tinytrain.progress import Progress
from tinytrain.training.checks import REFUSED, Finding, check, counts
from tinytrain.training.data import split
from tinytrain.training.sources import load
from tinytrain.training.task_file import FILE_NAME, built_in_names, find_task, task_text
from tinytrain.training.tasks import Data, Frontend, Split, Task

_DEFAULT = "watch"


@dataclass(frozen=True)
class TaskCheck:
    """A task's data in figures, and what looks wrong."""

    task: str
    shape: tuple[int, ...]
    """Of a sample."""
    label_names: tuple[str, ...]
    group_names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """Samples of each class (columns) of each person (rows)."""
    train: int
    validation: int
    unseen: int
    unseen_people: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        return any(finding.severity == REFUSED for finding in self.findings)


def task_lines() -> list[str]:
    """A line for each built-in task."""
    return [_line(find_task(name)) for name in built_in_names()]


def new_task(directory: Path, origin: str | None, source: str | None) -> Path:
    """Writes DIR/task.toml from another task, or with settings for data of one's own."""
    path = directory / FILE_NAME
    if path.exists():
        raise InputError(f"{path}: exists already; remove it, or choose another folder")
    if source:
        task = own_data(source)
    else:
        task = find_task(origin or _DEFAULT)
        beside = Path(task.folder) / task.data.path
        if task.data.path and origin not in (None, *built_in_names()) and beside.exists():
            task = replace(task, data=replace(task.data, path=str(beside)))
    task = replace(task, name=directory.resolve().name)
    directory.mkdir(parents=True, exist_ok=True)
    with new_file(path) as aside:
        aside.write_text(task_text(task), encoding="utf-8")
    return path


def own_data(source: str) -> Task:
    """Settings to start with, for data of one's own in a form: csv, wav, images or npz."""
    watch, digits, fashion = (
        _for_few_samples(find_task(name)) for name in ("watch", "spoken_digits", "fashion")
    )
    by_person = Split(unseen_groups=1, validation_groups=1)
    if source == "wav":
        data = Data(source="wav", kind="audio", path="sounds", group="folder")
        return replace(
            digits, data=data, split=by_person, frontend=Frontend(kind="log_mel"), folder=""
        )
    if source == "images":
        data = Data(source="images", kind="image", path="pictures")
        return replace(fashion, data=data, folder="")
    plain = replace(watch.augmentation, mirror=(), tilt_degrees=0.0)
    if source == "csv":
        data = Data(
            source="csv",
            kind="motion",
            path="recordings",
            group="person",
            channels=("x", "y", "z"),
            triples=True,
        )
        plain = replace(plain, tilt_degrees=watch.augmentation.tilt_degrees)
    else:
        data = Data(source="npz", kind="motion", path="samples.npz", group="person")
    return replace(watch, data=data, split=by_person, augmentation=plain, folder="")


def _for_few_samples(task: Task) -> Task:
    """Small batches, so that a few hundred samples make enough steps; few shots."""
    training = replace(task.training, batch_size=min(task.training.batch_size, 16))
    return replace(task, training=training, head=replace(task.head, shots=5))


def check_task(name: str, data: Path | None, seed: int, progress: Progress) -> TaskCheck:
    """Reads a task's data, splits them, and runs all checks."""
    task = find_task(name)
    dataset = load(task, data, progress, seed)
    parts = split(dataset, task.split, seed)
    return TaskCheck(
        task=task.name,
        shape=dataset.x.shape[1:],
        label_names=dataset.label_names,
        group_names=dataset.group_names,
        counts=tuple(tuple(int(count) for count in row) for row in counts(dataset)),
        train=len(parts.train),
        validation=len(parts.validation),
        unseen=len(parts.unseen),
        unseen_people=tuple(dataset.group_names[person] for person in parts.unseen_people),
        findings=check(dataset, parts, task, seed),
    )


def write_findings(found: TaskCheck, out: Path) -> None:
    """All that a check found, as a run's checks.json has it."""
    write_json(out, [asdict(finding) for finding in found.findings])


def _line(task: Task) -> str:
    source = task.data.path or task.data.source
    people = task.split.unseen_groups
    unseen = f"{people} unseen people" if people else "unseen samples"
    return f"{task.name}: {task.data.kind}, {task.network.name}, {source}, {unseen}"
