"""The whole way: from a task's name to a device that learns, and the proof."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tinytrain.adapt.experiment import Experiment, UserResult, learning_experiment
from tinytrain.device.opening import open_device
from tinytrain.device.toolchain import missing_for
from tinytrain.errors import CheckError, InputError
from tinytrain.pipeline import stages
from tinytrain.pipeline.bench import bench
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.output import new_file, write_json
from tinytrain.pipeline.verify import Verification, verify
from tinytrain.progress import Progress
from tinytrain.project import load_project
from tinytrain.report.picture import draw_learning
from tinytrain.report.summary import summary_text
from tinytrain.training.data import load
from tinytrain.training.fit import split_of

PROJECT, PICTURE, SUMMARY = "project", "learning.png", "summary.txt"
EXPERIMENT, RESULTS = "adapt.json", "results.json"
BOARD = "cortex-m4"


def run(task: str, out: Path, seed: int, target: str | None, progress: Progress) -> str:
    """Data to device in `out`; gives the summary. Raises CheckError where a proof fails.

    `target`: where the users learn; None for the Cortex-M4 under QEMU, or the host where its tools
    are missing.
    """
    board = target or (BOARD if not missing_for(BOARD) else "host")
    stages.train(task, out, seed, progress)
    stages.prune(out, progress)
    stages.quantize(out, progress)
    convert_run(out)
    proofs = [_prove(out, proof, progress) for proof in dict.fromkeys(("host", board))]
    progress("bench", 0, 1)
    costs = bench(load_project(out / PROJECT), board)
    progress("bench", 1, 1)
    adapt(out, board, progress)
    write_json(out / RESULTS, {"verified": [asdict(p) for p in proofs], "bench": costs.as_json()})
    return report(out)


def convert_run(directory: Path) -> None:
    """Makes the C project of a run, with the head that its task asks for."""
    found = stages.open_run(directory)
    convert(
        directory / f"{stages.INT8}.tflite",
        directory / PROJECT,
        found.task.name,
        options=lambda graph, operator: stages.head_options(found, graph, operator),
        samples=directory / "samples.npz",
    )


def adapt(directory: Path, target: str, progress: Progress) -> Experiment:
    """The learning experiment of a run's unseen people, on `target`; writes its figures."""
    found = stages.open_run(directory)
    dataset = load(found.task.data_set)
    people = split_of(found.task, dataset, found.seed).unseen_people
    project = load_project(directory / PROJECT)
    with open_device(project, target) as device:
        experiment = learning_experiment(
            found.task, dataset, project.model, device, target, people, found.seed, progress
        )
    write_json(directory / EXPERIMENT, experiment.as_json())
    with new_file(directory / PICTURE) as aside:
        draw_learning(experiment, aside)
    return experiment


def report(directory: Path) -> str:
    """The summary and the picture of a run, anew from the figures in its folder."""
    stages.open_run(directory)
    names = (stages.FLOAT, stages.PRUNED, stages.INT8)
    results = tuple(stages.read_result(directory, name) for name in names)
    experiment, costs = read_experiment(directory), _read(directory / RESULTS, "run")
    try:
        text = summary_text(directory, results, costs, experiment)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{directory}: its figures are damaged; run it again") from error
    with new_file(directory / PICTURE) as aside:
        draw_learning(experiment, aside)
    with new_file(directory / SUMMARY) as aside:
        aside.write_text(text + "\n", encoding="utf-8")
    return text


def _read(path: Path, command: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: missing or damaged; `tinytrain {command}` writes it") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: not an object; `tinytrain {command}` writes it")
    return found


def read_experiment(directory: Path) -> Experiment:
    """The figures that `adapt` wrote into a run's folder."""
    found = _read(directory / EXPERIMENT, "adapt")
    try:
        users = tuple(UserResult(**user) for user in found["users"])
        return Experiment(found["task"], found["target"], found["seed"], users)
    except (KeyError, TypeError) as error:
        raise InputError(f"{directory / EXPERIMENT}: damaged; run `tinytrain adapt`") from error


def _prove(directory: Path, target: str, progress: Progress) -> Verification:
    found = verify(load_project(directory / PROJECT), target, progress=progress)
    if not found.passed:
        where = next(check.difference for check in found.checks if check.difference)
        raise CheckError(f"{target} differs from the emulator: {where}")
    return found
