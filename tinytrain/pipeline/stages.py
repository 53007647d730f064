"""The host's stages: train, prune, quantize. Each reads from a run's folder what the one before
wrote, and adds its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.inference import infer_bytes
from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.head import HeadOptions
from tinytrain.operators.table import require_kernels
from tinytrain.pipeline.convert import feature_energy
from tinytrain.pipeline.output import new_file, write_json
from tinytrain.pipeline.runs import (
    ACCURACY,
    AREA,
    FLOAT,
    INT8,
    PRUNED,
    SAMPLES,
    UNFINISHED,
    Run,
    StageResult,
    open_run,
    start_run,
    write_result,
)
from tinytrain.progress import Progress
from tinytrain.statistics import StatisticsOptions
from tinytrain.training.anomaly import anomaly_scores, squared_errors
from tinytrain.training.data import IndexArray
from tinytrain.training.evaluate import accuracy_by_group, group_accuracies
from tinytrain.training.groups import areas_by_group

KEPT_SAMPLES = 400
"""Samples of unseen people that go with the model, for golden samples and verification."""


def train(
    task: str, out: Path, seed: int, progress: Progress, data_folder: Path | None = None
) -> StageResult:
    """Starts a run in `out` with a trained float network, or goes on where one was interrupted."""
    from tinytrain.training.fit import train as fit_network

    if seed < 0:
        raise InputError(f"--seed {seed}: 0 or more")
    found = start_run(task, out, seed, data_folder, progress)
    dataset, checkpoints = found.dataset, out / UNFINISHED
    checkpoints.mkdir(exist_ok=True)
    trained = fit_network(found.task, dataset, seed, progress, checkpoints)
    write_json(out / "history.json", [asdict(epoch) for epoch in trained.history])
    result = _keep_network(found, FLOAT, trained.model)
    shutil.rmtree(checkpoints)
    return result


def prune(directory: Path, progress: Progress) -> StageResult:
    """Adds the pruned network to a run."""
    from tinytrain.training.prune import prune as prune_network

    found = open_run(directory)
    model = _load_network(found, FLOAT, "train")
    pruned = prune_network(model, found.task, found.dataset, found.seed, progress)
    write_json(directory / "rounds.json", [asdict(one) for one in pruned.rounds])
    return _keep_network(found, PRUNED, pruned.model, pruned.notes)


def quantize(directory: Path, progress: Progress) -> StageResult:
    """Adds the int8 model, and samples of unseen people for it, to a run."""
    from tinytrain.training.recover import measured_samples, quantize_best

    found = open_run(directory)
    model = _load_network(found, PRUNED, "prune")
    measured = measured_samples(found.task, found.dataset, found.seed)

    def measure(data: bytes) -> Mapping[str, float]:
        return _accuracy(found, parse_tflite(data, f"{INT8}.tflite"), measured)

    quantized = quantize_best(model, found.task, found.dataset, found.seed, measure, progress)
    with new_file(directory / f"{INT8}.tflite") as aside:
        aside.write_bytes(quantized.data)
    _keep_samples(found)
    graph = parse_tflite(quantized.data, f"{INT8}.tflite")
    result = StageResult(
        INT8,
        sum(kernel.macs for kernel in require_kernels(graph)),
        sum(t.data.nbytes for t in graph.tensors if t.data is not None),
        _accuracy(found, graph, found.split.unseen),
        _accuracy(found, graph, _seen(found)),
        quantized.notes,
        _measure(found),
    )
    write_result(directory, result)
    return result


def head_options(found: Run, graph: Graph, operator: int) -> HeadOptions:
    """The task's head, with the energy of the features measured on the training people."""
    samples = found.dataset.x[found.split.train]
    energy = feature_energy(graph, require_kernels(graph), operator, samples)
    head = found.task.head
    return HeadOptions(head.eta, head.tau, head.rows, energy, head.reserved, head.masters)


def statistics_options(found: Run) -> StatisticsOptions | None:
    """The task's layers whose statistics the device re-estimates, if any."""
    chosen = found.task.statistics
    if not chosen.layers:
        return None
    return StatisticsOptions(chosen.layers, chosen.samples, chosen.share, chosen.guard)


def _seen(found: Run) -> IndexArray:
    """The samples of training and validation."""
    return np.sort(np.concatenate([found.split.train, found.split.validation]))


def _accuracy(found: Run, graph: Graph, indices: IndexArray) -> dict[str, float]:
    """Of the quantized model in the emulator, by group; of an autoencoder the area."""
    x = found.dataset.x[indices]
    outputs = infer_bytes(graph, require_kernels(graph), x.reshape(len(x), -1).view(np.uint8))
    tensor = graph.tensors[graph.outputs[0]]
    values = outputs.view(tensor.dtype)
    if found.task.network.classifies:
        return group_accuracies(found.dataset, indices, values.argmax(axis=1))
    assert tensor.quantization is not None
    zero, scale = tensor.quantization.zero_point[0], tensor.quantization.scale[0]
    again = ((values.astype(np.float64) - zero) * scale).astype(np.float32)
    return areas_by_group(found.dataset, indices, squared_errors(again, x))


def _keep_samples(found: Run) -> None:
    unseen = found.split.unseen
    kept = np.sort(np.random.default_rng(found.seed).permutation(unseen)[:KEPT_SAMPLES])
    with new_file(found.directory / SAMPLES) as aside, aside.open("wb") as file:
        np.savez_compressed(file, x=found.dataset.x[kept], y=found.dataset.y[kept])


def _keep_network(found: Run, name: str, model: Any, notes: tuple[str, ...] = ()) -> StageResult:
    from tinytrain.training.channels import macs, weight_bytes

    with new_file(found.directory / f"{name}.keras") as aside:
        model.save(aside)
    result = StageResult(
        name,
        macs(model),
        weight_bytes(model),
        _float_accuracy(found, model, found.split.unseen),
        _float_accuracy(found, model, _seen(found)),
        notes,
        _measure(found),
    )
    write_result(found.directory, result)
    return result


def _float_accuracy(found: Run, model: Any, indices: IndexArray) -> dict[str, float]:
    if found.task.network.classifies:
        return accuracy_by_group(model, found.dataset, indices)
    scores = anomaly_scores(model, found.dataset.x[indices])
    return areas_by_group(found.dataset, indices, scores)


def _measure(found: Run) -> str:
    return ACCURACY if found.task.network.classifies else AREA


def _load_network(found: Run, name: str, stage: str) -> Any:
    from tinytrain.training.libraries import load_keras

    path = found.directory / f"{name}.keras"
    if not path.is_file():
        raise InputError(f"{path}: not there; `tinytrain {stage}` makes it")
    try:
        return load_keras().saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a readable Keras file; run `tinytrain {stage}`") from error
