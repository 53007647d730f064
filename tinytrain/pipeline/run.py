"""The whole way: from a task's name to a device that learns, and the proof."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tinytrain.adapt.experiment import Experiment, UserResult, learning_experiment
from tinytrain.adapt.streams import StreamOptions
from tinytrain.device.opening import open_device
from tinytrain.device.toolchain import missing_for
from tinytrain.errors import CheckError, InputError
from tinytrain.pipeline import frontend, runs, stages
from tinytrain.pipeline.bench import bench
from tinytrain.pipeline.convert import c_name, convert
from tinytrain.pipeline.learner import learner_of
from tinytrain.pipeline.output import new_file, write_json
from tinytrain.pipeline.verify import Verification, verify
from tinytrain.progress import Progress
from tinytrain.project import load_project
from tinytrain.report.picture import draw_learning
from tinytrain.report.summary import groups_text, summary_text
from tinytrain.training.task_file import find_task

PROJECT, PICTURE, GROUPS = "project", "learning.png", "groups.txt"
EXPERIMENT, RESULTS = "adapt.json", "results.json"
BOARD = "cortex-m4"


def run(
    task: str,
    out: Path,
    seed: int,
    target: str | None,
    progress: Progress,
    data_folder: Path | None = None,
) -> str:
    """Data to device in `out`; gives the summary. Raises CheckError where a proof fails.

    Goes on where an interrupted run of the same task and seed stopped. `target`: where the users
    learn; None for the Cortex-M4 under QEMU, or the host where its tools are missing.
    """
    board = target or (BOARD if not missing_for(BOARD) else "host")
    found = make_project(task, out, seed, progress, data_folder)
    proofs = [_prove(out, proof, progress) for proof in dict.fromkeys(("host", board))]
    progress("bench", 0, 1)
    costs = bench(load_project(out / PROJECT), board)
    progress("bench", 1, 1)
    if found.task.network.classifies:
        adapt(out, board, progress)
    write_json(out / RESULTS, {"verified": [asdict(p) for p in proofs], "bench": costs.as_json()})
    return report(out)


def make_project(
    task: str, out: Path, seed: int, progress: Progress, data_folder: Path | None = None
) -> runs.Run:
    """Data to C project in `out`; what is there of an interrupted run is not done again."""
    frontend.refuse_float(find_task(task), f"task {task!r}")
    found = runs.start_run(task, out, seed, data_folder, progress)
    if not runs.has_stage(found, runs.FLOAT):
        stages.train(task, out, seed, progress, data_folder)
    if not runs.has_stage(found, runs.PRUNED):
        stages.prune(out, progress)
    if not runs.has_stage(found, runs.INT8):
        stages.quantize(out, progress)
    convert_run(out)
    return found


def convert_run(directory: Path) -> None:
    """Makes the C project of a run, with the head that its task asks for and its front end."""
    found = runs.open_run(directory)
    origin = frontend.of_run(found)
    convert(
        directory / f"{runs.INT8}.tflite",
        directory / PROJECT,
        c_name(found.task.name, given=False),
        options=lambda graph, operator: stages.head_options(found, graph, operator),
        samples=directory / "samples.npz",
        head="auto" if found.task.network.classifies else "none",
        make_learner=lambda model: learner_of(found, model),
        statistics=stages.statistics_options(found),
        training=found.dataset.x[found.split.train],
        make_stream=None if origin is None else origin.plan,
    )


def adapt(
    directory: Path,
    target: str,
    progress: Progress,
    options: StreamOptions | None = None,
    streams: int = 1,
) -> Experiment:
    """The learning experiment of a run's unseen people, on `target`; writes its figures.

    `options`: of the streams, but for the passes, which are the task's.
    """
    found = runs.open_run(directory)
    if not found.task.network.classifies:
        raise InputError(f"{directory}: an autoencoder has no classes that a person could teach")
    project = load_project(directory / PROJECT)
    with open_device(project, target) as device:
        experiment = learning_experiment(
            found.task,
            found.dataset,
            found.split,
            project.model,
            device,
            target,
            found.seed,
            progress,
            replace(options or StreamOptions(), passes=found.task.head.passes),
            streams,
        )
    write_json(directory / EXPERIMENT, experiment.as_json())
    with new_file(directory / PICTURE) as aside:
        draw_learning(experiment, aside)
    return experiment


def report(directory: Path) -> str:
    """The summary and the picture of a run, anew from the figures in its folder."""
    found = runs.open_run(directory)
    names = (runs.FLOAT, runs.PRUNED, runs.INT8)
    results = tuple(runs.read_result(directory, name) for name in names)
    experiment = read_experiment(directory) if found.task.network.classifies else None
    costs = _read(directory / RESULTS, "run")
    try:
        text = summary_text(directory, results, costs, experiment, runs.count_findings(directory))
        groups = groups_text(results)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{directory}: its figures are damaged; run it again") from error
    if experiment is not None:
        with new_file(directory / PICTURE) as aside:
            draw_learning(experiment, aside)
    for name, content in ((GROUPS, groups), (runs.SUMMARY, text)):
        with new_file(directory / name) as aside:
            aside.write_text(content + "\n", encoding="utf-8")
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
