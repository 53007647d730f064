"""The learning experiment of a run's unseen people: its figures and pictures.

What the device does with the usual streams is the run's own result, which `report` shows; every
other experiment lies beside it, under a name that says what was asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinytrain.adapt.experiment import Experiment, UserResult, learning_experiment
from tinytrain.adapt.streams import StreamOptions
from tinytrain.device.opening import open_device
from tinytrain.errors import InputError
from tinytrain.pipeline import runs
from tinytrain.pipeline.output import new_file, write_json
from tinytrain.progress import Progress
from tinytrain.project import PROJECT, load_project
from tinytrain.report.confusion import draw_confusion
from tinytrain.report.picture import draw_learning
from tinytrain.report.summary import experiment_title

STREAMS = 1
"""Of each person, where nothing else is said."""


@dataclass(frozen=True)
class Files:
    """Where an experiment is written."""

    figures: Path
    curves: Path
    confusion: Path

    @property
    def all(self) -> tuple[Path, ...]:
        return (self.figures, self.curves, self.confusion)


def own_result(directory: Path) -> Files:
    """Of a run's own result."""
    return Files(*(directory / name for name in ("adapt.json", "learning.png", "confusion.png")))


def files_of(directory: Path, kind: str, asked: str) -> Files:
    """Of an experiment of a kind, by what was asked; empty for what is usual."""
    stem = f"{kind}-{asked}" if asked else kind
    return Files(*(directory / f"{stem}{end}" for end in (".json", ".png", "-confusion.png")))


def asked_for(
    options: StreamOptions, streams: int, usual_streams: int, seed: int, usual_seed: int
) -> str:
    """What was asked of an experiment, as a part of a file's name; empty where all is usual."""
    usual = StreamOptions(passes=options.passes)
    if (options.order, options.wrong, streams, seed) == (
        usual.order, usual.wrong, usual_streams, usual_seed
    ):  # fmt: skip
        return ""
    many = f"-streams{streams}" if streams != usual_streams else ""
    return f"{options.order}-noise{options.wrong:g}{many}-seed{seed}"


def adapt(
    directory: Path,
    target: str,
    progress: Progress,
    options: StreamOptions | None = None,
    streams: int = STREAMS,
    seed: int | None = None,
) -> tuple[Experiment, Files]:
    """The learning experiment of a run's unseen people, on `target`; gives where it is written.

    `options`: of the streams, but for the passes, which are the task's. `seed`: of the streams;
    None for the run's.
    """
    found = open_classifier(directory)
    project = load_project(directory / PROJECT)
    seed = found.seed if seed is None else seed
    options = replace(options or StreamOptions(), passes=found.task.head.passes)
    with open_device(project, target) as device:
        experiment = learning_experiment(
            found.task,
            found.dataset,
            found.split,
            project.model,
            device,
            target,
            seed,
            progress,
            options,
            streams,
        )
    asked = asked_for(options, streams, STREAMS, seed, found.seed)
    files = files_of(directory, "adapt", asked) if asked else own_result(directory)
    write_json(files.figures, experiment.as_json())
    draw(experiment, files)
    return experiment, files


def open_classifier(directory: Path) -> runs.Run:
    """A run whose unseen people can teach a device."""
    found = runs.open_run(directory)
    if not found.task.network.classifies:
        raise InputError(f"{directory}: an autoencoder has no classes that a person could teach")
    return found


def draw(experiment: Experiment, files: Files) -> None:
    """The pictures of an experiment."""
    with new_file(files.curves) as aside:
        draw_learning(experiment, aside)
    before, after = (experiment.confusion(f"confusion_{when}") for when in ("before", "after"))
    title = experiment_title(experiment)
    with new_file(files.confusion) as aside:
        draw_confusion(before, after, experiment.label_names, title, aside)


def read_experiment(directory: Path) -> Experiment:
    """The run's own result, as `adapt` wrote it into the run's folder."""
    path = own_result(directory).figures
    found = read_figures(path, "adapt")
    try:
        users = tuple(UserResult(**user) for user in found["users"])
        names = tuple(found["label_names"])
        return Experiment(**{**found, "users": users, "label_names": names})
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged; run `tinytrain adapt`") from error


def read_figures(path: Path, command: str) -> dict[str, Any]:
    """The JSON object that a command wrote."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: missing or damaged; `tinytrain {command}` writes it") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: not an object; `tinytrain {command}` writes it")
    return found
