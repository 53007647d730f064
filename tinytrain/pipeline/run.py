"""The whole way: from a task's name to a device that learns, and the proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tinytrain.device.toolchain import missing_for
from tinytrain.errors import CheckError, InputError
from tinytrain.pipeline import frontend, runs, stages
from tinytrain.pipeline.bench import bench
from tinytrain.pipeline.convert import c_name, convert
from tinytrain.pipeline.learner import learner_of
from tinytrain.pipeline.learning import (
    adapt,
    draw,
    own_result,
    read_experiment,
    read_figures,
)
from tinytrain.pipeline.output import new_file, remove, set_aside, write_json
from tinytrain.pipeline.ram import RamLimit, ram_limit
from tinytrain.pipeline.verify import Verification, verify
from tinytrain.plan.budget import TooLittleRam
from tinytrain.progress import Progress
from tinytrain.project import PROJECT, load_project
from tinytrain.report.summary import groups_text, summary_text
from tinytrain.training.task_file import find_task
from tinytrain.variants.choose import BALANCED, Optimize

GROUPS, RESULTS = "groups.txt", "results.json"
BOARD = "cortex-m4"
_RECORDINGS = {"log_mel": "FILE.wav", "mfcc": "FILE.wav", "motion": "FILE.csv"}
"""What `tinytrain stream` takes, by front end."""


def run(
    task: str,
    out: Path,
    seed: int,
    target: str | None,
    progress: Progress,
    data_folder: Path | None = None,
    optimize: Optimize = BALANCED,
    ram: int | None = None,
    say: Callable[[str], None] | None = None,
) -> str:
    """Data to device in `out`; gives the summary. Raises CheckError where a proof fails.

    Goes on where an interrupted run of the same task and seed stopped. Of a finished one, of the
    same data too, the network is taken over, which `say` is told; where the rest fails, all of the
    finished run is back. `target`: where the users learn; None for the Cortex-M4 under QEMU, or the
    host where its tools are missing. `optimize` and `ram`: as in `convert`; without `ram` the
    task's budget holds.
    """
    board = target or (BOARD if not missing_for(BOARD) else "host")
    limit = ram_limit(ram, find_task(task))
    found = _make_network(task, out, seed, progress, data_folder, limit)
    with _finished_kept(found, say):
        convert_run(out, optimize, limit)
        _measure(found, board, progress)
        runs.keep_task(found)
        return report(out)


def make_project(
    task: str, out: Path, seed: int, progress: Progress, data_folder: Path | None = None
) -> runs.Run:
    """Data to C project in `out`; what is there of an interrupted run is not done again, and a
    finished one of the same data stays as it is.
    """
    limit = ram_limit(None, find_task(task))
    found = _make_network(task, out, seed, progress, data_folder, limit)
    if not (runs.is_finished(found) and (out / PROJECT).is_dir()):
        convert_run(out, limit=limit)
        runs.keep_task(found)
    return found


def _make_network(
    task: str,
    out: Path,
    seed: int,
    progress: Progress,
    data_folder: Path | None,
    limit: RamLimit | None,
) -> runs.Run:
    """Data to int8 network in `out`."""
    frontend.refuse_float(find_task(task), f"task {task!r}")
    found = runs.start_run(task, out, seed, data_folder, progress, keep=True, limit=limit)
    if not runs.has_stage(found, runs.FLOAT):
        stages.train(task, out, seed, progress, data_folder)
    if not runs.has_stage(found, runs.PRUNED):
        stages.prune(out, progress)
    if not runs.has_stage(found, runs.INT8):
        stages.quantize(out, progress)
    return found


@contextmanager
def _finished_kept(found: runs.Run, say: Callable[[str], None] | None) -> Iterator[None]:
    """What a finished run has of its project is back where the block, which makes it anew, fails;
    of others nothing is kept.
    """
    aside = found.directory / runs.UNFINISHED
    if not runs.is_finished(found):
        # Whoever was killed in the block left it there.
        remove(aside)
        yield
        return
    learned = [path.name for path in own_result(found.directory).all]
    made = (PROJECT, *learned, RESULTS, GROUPS, runs.SUMMARY)
    with set_aside(found.directory, made, aside):
        yield
    if say is not None:
        say(
            f"{found.directory}: the network of the finished run was taken over (same task, seed "
            "and data); to train anew, choose another --out, or delete it"
        )


def convert_run(
    directory: Path, optimize: Optimize = BALANCED, limit: RamLimit | None = None
) -> None:
    """Makes the C project of a run, with the head that its task asks for and its front end."""
    found = runs.open_run(directory)
    origin = frontend.of_run(found)
    try:
        convert(
            directory / f"{runs.INT8}.tflite",
            directory / PROJECT,
            c_name(found.task.name, given=False),
            options=lambda graph, operator: stages.head_options(found, graph, operator),
            samples=directory / runs.SAMPLES,
            head="auto" if found.task.network.classifies else "none",
            make_learner=lambda model: learner_of(found, model),
            statistics=stages.statistics_options(found),
            training=found.dataset.x[found.split.train],
            make_stream=None if origin is None else origin.plan,
            columns=None if origin is None else origin.columns,
            optimize=optimize,
            ram=None if limit is None else limit.bytes,
        )
    except TooLittleRam as error:
        if limit is None:
            raise
        raise TooLittleRam(limit.asked, error.smallest) from error


def _measure(found: runs.Run, board: str, progress: Progress) -> None:
    """Proves, measures and teaches a run's project."""
    out = found.directory
    proofs = [_prove(out, proof, progress) for proof in dict.fromkeys(("host", board))]
    progress("bench", 0, 1)
    project = load_project(out / PROJECT)
    costs = bench(project, board)
    progress("bench", 1, 1)
    if found.task.network.classifies:
        adapt(out, board, progress)
    results = {
        "optimize": project.model.optimize.name,
        "ram": project.model.ram,
        "verified": [asdict(proof) for proof in proofs],
        "bench": costs.as_json(),
    }
    write_json(out / RESULTS, results)


def report(directory: Path) -> str:
    """The summary and the picture of a run, anew from the figures in its folder."""
    found = runs.open_run(directory)
    names = (runs.FLOAT, runs.PRUNED, runs.INT8)
    results = tuple(runs.read_result(directory, name) for name in names)
    experiment = read_experiment(directory) if found.task.network.classifies else None
    costs = read_figures(directory / RESULTS, "run")
    try:
        text = summary_text(
            directory,
            results,
            costs,
            experiment,
            runs.count_findings(directory),
            _RECORDINGS.get(found.task.frontend.kind, ""),
        )
        groups = groups_text(results)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{directory}: its figures are damaged; run it again") from error
    if experiment is not None:
        draw(experiment, own_result(directory))
    for name, content in ((GROUPS, groups), (runs.SUMMARY, text)):
        with new_file(directory / name) as aside:
            aside.write_text(content + "\n", encoding="utf-8")
    return text


def _prove(directory: Path, target: str, progress: Progress) -> Verification:
    found = verify(load_project(directory / PROJECT), target, progress=progress)
    if not found.passed:
        where = next(check.difference for check in found.checks if check.difference)
        raise CheckError(f"{target} differs from the emulator: {where}")
    return found
