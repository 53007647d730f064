"""The host's stages: train, prune, quantize. Each reads what the one before wrote.

A run's folder holds run.json (task and seed), then float.keras, pruned.keras, model.tflite, each
with a .json of its figures beside it, and samples.npz.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.inference import run
from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.head import HeadOptions
from tinytrain.operators.table import require_kernels
from tinytrain.pipeline.convert import feature_energy
from tinytrain.pipeline.output import new_directory, new_file, write_json
from tinytrain.progress import Progress
from tinytrain.training.data import DataSet, Split, load
from tinytrain.training.evaluate import accuracy_by_group, group_accuracies
from tinytrain.training.fit import split_of
from tinytrain.training.tasks import Task, task_by_name

MARKER = "run.json"
FLOAT, PRUNED, INT8 = "float", "pruned", "model"
LATER = (
    "pruned.keras",
    "pruned.json",
    "model.tflite",
    "model.json",
    "samples.npz",
    "project",
    "adapt.json",
    "learning.png",
    "results.json",
    "summary.txt",
)
"""What the stages after the first add to a run's folder."""

KEPT_SAMPLES = 400
"""Windows of unseen people that go with the model, for golden samples and verification."""


@dataclass(frozen=True)
class StageResult:
    """What one stage made of the model. Accuracies 0 to 1 by person never seen in training."""

    stage: str
    macs: int
    accuracy: Mapping[str, float]

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


def open_run(directory: Path) -> Run:
    """Reads a run's folder. Raises InputError where it is none."""
    path = directory / MARKER
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        task, seed = str(found["task"]), int(found["seed"])
    except OSError as error:
        raise InputError(
            f"{directory}: no run is here ({MARKER}: {error.strerror}); "
            "`tinytrain train TASK --out DIR` starts one"
        ) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a run's description; start the run again") from error
    return Run(directory, task_by_name(task), seed)


def train(task_name: str, out: Path, seed: int, progress: Progress) -> StageResult:
    """Starts a run in `out` with a trained float network."""
    from tinytrain.training.fit import train as fit_network

    task = task_by_name(task_name)
    if seed < 0:
        raise InputError(f"--seed {seed}: 0 or more")
    with new_directory(out, MARKER, LATER) as aside:
        dataset = load(task.data_set)
        trained = fit_network(task, dataset, seed, progress)
        started = Run(aside, task, seed)
        write_json(aside / MARKER, {"task": task.name, "seed": seed})
        result = _keep_network(started, FLOAT, trained.model, dataset)
        write_json(aside / "history.json", [asdict(epoch) for epoch in trained.history])
    return result


def prune(directory: Path, progress: Progress) -> StageResult:
    """Adds the pruned network to a run."""
    from tinytrain.training.prune import prune as prune_network

    found = open_run(directory)
    model = _load_network(found, FLOAT, "train")
    dataset = load(found.task.data_set)
    smaller = prune_network(model, found.task, dataset, found.seed, progress)
    return _keep_network(found, PRUNED, smaller.model, dataset)


def quantize(directory: Path, progress: Progress) -> StageResult:
    """Adds the int8 model, and samples of unseen people for it, to a run."""
    from tinytrain.training.quantize import calibration_windows
    from tinytrain.training.quantize import quantize as quantize_network

    found = open_run(directory)
    model = _load_network(found, PRUNED, "prune")
    dataset = load(found.task.data_set)
    split = split_of(found.task, dataset, found.seed)
    progress("quantize", 0, 1)
    data = quantize_network(model, calibration_windows(found.task, dataset, found.seed))
    with new_file(directory / f"{INT8}.tflite") as aside:
        aside.write_bytes(data)
    kept = np.sort(np.random.default_rng(found.seed).permutation(split.unseen)[:KEPT_SAMPLES])
    with new_file(directory / "samples.npz") as aside, aside.open("wb") as file:
        np.savez_compressed(file, x=dataset.x[kept], y=dataset.y[kept])
    graph = parse_tflite(data, f"{INT8}.tflite")
    result = _measure_int8(graph, dataset, split)
    _keep_result(directory, INT8, result)
    progress("quantize", 1, 1)
    return result


def head_options(found: Run, graph: Graph, operator: int) -> HeadOptions:
    """The task's head, with the energy of the features measured on the training people."""
    dataset = load(found.task.data_set)
    train_windows = dataset.x[split_of(found.task, dataset, found.seed).train]
    energy = feature_energy(graph, require_kernels(graph), operator, train_windows)
    head = found.task.head
    return HeadOptions(head.eta, head.tau, head.rows, energy)


def read_result(directory: Path, name: str) -> StageResult:
    """A stage's figures, as it wrote them."""
    path = directory / f"{name}.json"
    try:
        return StageResult(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: missing or damaged; run that stage again") from error


def _measure_int8(graph: Graph, dataset: DataSet, split: Split) -> StageResult:
    kernels = require_kernels(graph)
    x = dataset.x[split.unseen]
    outputs = run(graph, kernels, [x.reshape(len(x), -1)])[graph.outputs[0]]
    accuracy = group_accuracies(dataset, split.unseen, outputs.argmax(axis=1))
    return StageResult(INT8, sum(kernel.macs for kernel in kernels), accuracy)


def _keep_network(found: Run, name: str, model: Any, dataset: DataSet) -> StageResult:
    from tinytrain.training.network import architecture_of, macs

    with new_file(found.directory / f"{name}.keras") as aside:
        model.save(aside)
    split = split_of(found.task, dataset, found.seed)
    accuracy = accuracy_by_group(model, dataset, split.unseen)
    result = StageResult(name, macs(architecture_of(model)), accuracy)
    _keep_result(found.directory, name, result)
    return result


def _load_network(found: Run, name: str, stage: str) -> Any:
    from tinytrain.training.network import load_keras

    path = found.directory / f"{name}.keras"
    if not path.is_file():
        raise InputError(f"{path}: not there; `tinytrain {stage}` makes it")
    try:
        return load_keras().saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a readable Keras file; run `tinytrain {stage}`") from error


def _keep_result(directory: Path, name: str, result: StageResult) -> None:
    write_json(directory / f"{name}.json", asdict(result))
