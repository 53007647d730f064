"""A run's folder: task, seed and data that it was started with, and each stage's figures.

It holds run.json (the seed), task.toml, data.npz and checks.json (what looked wrong in the data);
then each stage adds its network or model with a .json of its figures. unfinished/ has the state of
a training that is under way.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any
from zipfile import BadZipFile

import numpy as np

from tinytrain.errors import InputError
from tinytrain.frontend.constants import AudioConstants, FrontendConstants, MotionConstants
from tinytrain.frontend.hash import frontend_hash
from tinytrain.parameters_file import flatten, unflatten
from tinytrain.pipeline.output import check_replaceable, new_directory, new_file, write_json
from tinytrain.pipeline.ram import RamLimit, refuse_impossible
from tinytrain.progress import Progress
from tinytrain.project import PROJECT, RUN_FILE
from tinytrain.training.checks import NOTE, REFUSED, Finding, check
from tinytrain.training.data import DataSet, Split, split
from tinytrain.training.frontend import expected
from tinytrain.training.sources import load
from tinytrain.training.task_file import FILE_NAME, differences, find_task, read_task, task_text
from tinytrain.training.tasks import Task

MARKER = RUN_FILE
DATA = "data.npz"
CHECKS = "checks.json"
UNFINISHED = "unfinished"
SAMPLES = "samples.npz"
SUMMARY = "summary.txt"
FLOAT, PRUNED, INT8 = "float", "pruned", "model"
LATER = (
    UNFINISHED,
    "float.keras",
    "float.json",
    "history.json",
    "pruned.keras",
    "pruned.json",
    "rounds.json",
    "model.tflite",
    "model.json",
    SAMPLES,
    PROJECT,
    "adapt.json",
    "learning.png",
    "confusion.png",
    "adapt-*-seed*",
    "comparison.json",
    "comparison.png",
    "comparison-*",
    "results.json",
    "groups.txt",
    SUMMARY,
)
"""What the stages add to a run's folder: names, * for any letters."""

ACCURACY = "accuracy"
AREA = "area under the curve"
"""Of telling other classes from the first by how badly they are given back."""

_FRONTENDS: dict[str, type[FrontendConstants]] = {
    "audio": AudioConstants,
    "motion": MotionConstants,
}
"""By what the names of their arrays begin with."""
_ARRAYS = ("x", "y", "group", "recording", "scale", "zero", "given_test")
_NAMES = ("label_names", "group_names", "origins", "notes")


@dataclass(frozen=True)
class StageResult:
    """What one stage made of the model. Accuracies are 0 to 1, by group."""

    stage: str
    macs: int
    weight_bytes: int
    accuracy: Mapping[str, float]
    """Of the groups that training never saw."""
    seen: Mapping[str, float]
    """Of the groups of training and validation."""
    notes: tuple[str, ...] = ()
    """What did not go as the task asked, a line each."""
    measure: str = ACCURACY
    """What the accuracies are: ACCURACY, or AREA for an autoencoder."""

    @property
    def mean(self) -> float:
        return fmean(self.accuracy.values())

    @property
    def worst(self) -> float:
        return min(self.accuracy.values())


@dataclass(frozen=True)
class Run:
    """A run's folder, and what it was started with."""

    directory: Path
    task: Task
    seed: int
    data: DataSet | None = field(default=None, compare=False)

    @cached_property
    def dataset(self) -> DataSet:
        """Raises InputError where another front end than the task's made it."""
        found = self.data or read_data(self.directory / DATA)
        _refuse_other_frontend(self, found)
        return found

    @cached_property
    def split(self) -> Split:
        return split(self.dataset, self.task.split, self.seed)


def start_run(
    name_or_path: str,
    out: Path,
    seed: int,
    data_folder: Path | None,
    progress: Progress,
    keep: bool = False,
    limit: RamLimit | None = None,
) -> Run:
    """A new run in `out`; or the one that is there, where it has the same task and seed and was
    interrupted.

    `keep`: also one that is finished and of the same data, else replaced. `limit`: refused before
    anything is replaced or trained, where no network on these data keeps to it.
    """
    task = find_task(name_or_path)
    found = unfinished_run(task, out, seed)
    if found is not None:
        if not has_stage(found, INT8):
            refuse_impossible(limit, found.dataset)
        return found
    _refuse_losses(task, out, seed)
    check_replaceable(out, MARKER)
    dataset = load(task, data_folder, progress, seed)
    if keep and (found := _finished_run(task, out, seed, dataset)) is not None:
        return found
    refuse_impossible(limit, dataset)
    findings = check(dataset, split(dataset, task.split, seed), task, seed)
    _refuse(task, findings)
    with new_directory(out, MARKER, LATER) as aside:
        (aside / FILE_NAME).write_text(task_text(task), encoding="utf-8")
        write_data(aside / DATA, dataset)
        write_json(aside / CHECKS, [asdict(finding) for finding in findings])
        write_json(aside / MARKER, {"seed": seed})
    return Run(out, task, seed, dataset)


def _refuse_losses(task: Task, out: Path, seed: int) -> None:
    """Raises InputError where `out` holds another task, or an unfinished run of other settings."""
    try:
        found = open_run(out)
    except InputError:
        return
    if found.task.name != task.name:
        raise InputError(
            f"{out}: holds a run of task {found.task.name!r}, not {task.name!r}; choose another "
            "--out, or delete it"
        )
    started = any((out / UNFINISHED).glob("*")) or has_stage(found, FLOAT)
    if started and not (out / SUMMARY).exists():
        other_seed = [f"--seed {found.seed}"] if found.seed != seed else []
        differing = ", ".join([*other_seed, *differences(_with_budget(found.task, task), task)])
        raise InputError(
            f"{out}: holds an unfinished run with {differing}; go on with that, choose another "
            "--out, or delete it to start anew"
        )


def _refuse(task: Task, findings: Sequence[Finding]) -> None:
    refused = [finding for finding in findings if finding.severity == REFUSED]
    if refused:
        first = refused[0]
        more = f"; {len(refused) - 1} more, see `tinytrain tasks check`" if refused[1:] else ""
        text = f"{first.where}: {first.message}; {first.advice}"
        raise InputError(f"task {task.name!r}: {text}{more}")


def count_findings(directory: Path) -> int:
    """How many things looked wrong in a run's data when it was started."""
    try:
        found = json.loads((directory / CHECKS).read_text(encoding="utf-8"))
        return sum(finding["severity"] != NOTE for finding in found)
    except (OSError, TypeError, KeyError, ValueError, RecursionError):
        return 0


def unfinished_run(task: Task, out: Path, seed: int) -> Run | None:
    """The run of this task and seed that lies in `out` without a summary."""
    if not (out / MARKER).is_file() or (out / SUMMARY).exists():
        return None
    try:
        found = open_run(out)
    except InputError:
        return None
    return Run(out, task, seed) if _is_of(found, task, seed) else None


def _finished_run(task: Task, out: Path, seed: int, dataset: DataSet) -> Run | None:
    """The run of this task, seed and data that lies in `out`, whole and with a summary."""
    try:
        found = open_run(out)
        kept = read_data(out / DATA)
    except InputError:
        return None
    whole = (
        is_finished(found)
        and all(has_stage(found, name) for name in (FLOAT, PRUNED, INT8))
        and all((out / name).is_file() for name in (f"{INT8}.tflite", SAMPLES))
    )
    same = whole and _is_of(found, task, seed) and _same_data(kept, dataset)
    return Run(out, task, seed, dataset) if same else None


def is_finished(found: Run) -> bool:
    return (found.directory / SUMMARY).exists()


def _is_of(found: Run, task: Task, seed: int) -> bool:
    """Whether a run was started with what decides its network."""
    return found.seed == seed and task_text(_with_budget(found.task, task)) == task_text(task)


def _with_budget(task: Task, other: Task) -> Task:
    """With the budget of the other, which is for the C project: no network depends on it."""
    return replace(task, budget=other.budget)


def _same_data(first: DataSet, second: DataSet) -> bool:
    """Whether a network learns the same of both: what they are called does not matter."""
    names = ("overlap", "gap", "label_names", "group_names")
    return (
        all(getattr(first, name) == getattr(second, name) for name in names)
        and all(np.array_equal(getattr(first, name), getattr(second, name)) for name in _ARRAYS)
        and _hash(first.frontend) == _hash(second.frontend)
    )


def open_run(directory: Path) -> Run:
    """Reads a run's folder. Raises InputError where it is none."""
    path = directory / MARKER
    try:
        seed = int(json.loads(path.read_text(encoding="utf-8"))["seed"])
    except OSError as error:
        hint = "`tinytrain train TASK --out DIR` starts one"
        if (directory.resolve().parent / MARKER).is_file():
            hint = f"did you mean {directory.parent}?"
        raise InputError(
            f"{directory}: no run is here ({MARKER}: {error.strerror}); {hint}"
        ) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a run's description; start the run again") from error
    if not (directory / FILE_NAME).is_file():
        raise InputError(f"{directory / FILE_NAME}: not there; start the run again")
    return Run(directory, read_task(directory / FILE_NAME), seed)


def keep_task(found: Run) -> None:
    """Writes the task into the run's folder: its budget may have changed since it was started."""
    with new_file(found.directory / FILE_NAME) as aside:
        aside.write_text(task_text(found.task), encoding="utf-8")


def has_stage(found: Run, name: str) -> bool:
    """Whether a stage has written its figures, the last thing it does."""
    return (found.directory / f"{name}.json").is_file()


def write_result(directory: Path, result: StageResult) -> None:
    write_json(directory / f"{result.stage}.json", asdict(result))


def read_result(directory: Path, name: str) -> StageResult:
    """A stage's figures, as it wrote them."""
    path = directory / f"{name}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return StageResult(**{**found, "notes": tuple(found["notes"])})
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: missing or damaged; run that stage again") from error


def _refuse_other_frontend(found: Run, dataset: DataSet) -> None:
    """By hash: a network that learned other features than the device makes knows nothing."""
    made, today = dataset.frontend, expected(found.task, dataset.frontend)
    if _hash(made) != _hash(today):
        raise InputError(
            f"{found.directory / DATA}: its features were made by {_hash(made)}, and "
            f"{found.directory / FILE_NAME} with this version of tinytrain asks for "
            f"{_hash(today)}; delete the run, or start it in another folder, so that features and "
            "network are made anew"
        )


def _hash(frontend: FrontendConstants | None) -> str:
    return f"front end {frontend_hash(frontend):08x}" if frontend else "no integer front end"


def write_data(path: Path, dataset: DataSet) -> None:
    """The data set as the stages read it, so that a run is whole in its folder."""
    facts = {"name": dataset.name, "overlap": dataset.overlap, "gap": dataset.gap}
    arrays: dict[str, Any] = {name: getattr(dataset, name) for name in _ARRAYS}
    if dataset.frontend is not None:
        kind = next(k for k, made in _FRONTENDS.items() if isinstance(dataset.frontend, made))
        arrays |= flatten(dataset.frontend, kind)
    arrays |= {name: np.array(getattr(dataset, name), np.str_) for name in _NAMES}
    with new_file(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, facts=json.dumps(facts), **arrays)


def read_data(path: Path) -> DataSet:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            fields: dict[str, Any] = json.loads(str(found["facts"]))
            fields |= {name: found[name] for name in _ARRAYS}
            fields |= {name: tuple(map(str, found[name])) for name in _NAMES}
            for kind, made in _FRONTENDS.items():
                if any(name.startswith(f"{kind}.") for name in found.files):
                    fields["frontend"] = unflatten(made, found, kind)
        return DataSet(**fields)
    except (OSError, KeyError, TypeError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: missing or damaged; start the run again") from error
