"""Model file to C project."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinytrain.converters.c.rendering import Golden
from tinytrain.converters.c.writer import write_project
from tinytrain.emulator.inference import infer_bytes, run_in_order, split_inputs
from tinytrain.emulator.statistics import training_moments
from tinytrain.errors import InputError
from tinytrain.frontend.columns import Columns
from tinytrain.frontend.constants import StreamPlan
from tinytrain.frontend.limits import check_plan
from tinytrain.graph import Graph
from tinytrain.head import HeadOptions, find_head
from tinytrain.learner import LearnerParts
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel
from tinytrain.pipeline.output import new_directory
from tinytrain.pipeline.samples import random_inputs
from tinytrain.pipeline.source import find_source
from tinytrain.project import (
    check_inputs,
    check_labels,
    check_stream,
    prepare_model,
    read_arrays,
)
from tinytrain.statistics import Statistics, StatisticsOptions, build_statistics, find_layers
from tinytrain.variants.choose import BALANCED, Optimize

GOLDEN_SAMPLES = 8
MAX_NAME = 32
C_KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while inputs outputs operator_outputs constants variables run "
    "model golden main".split()
)

ChooseOptions = Callable[[Graph, int], HeadOptions]
"""Options that depend on the graph and on the head's operator."""

MakeLearner = Callable[[Model], LearnerParts | None]
"""What learns around the head of a model, which has one; None for a plain head."""

MakeStream = Callable[[Model], StreamPlan]
"""The front end that a model was trained on, and the stream around it."""


def convert(
    source: Path,
    out: Path,
    name: str | None = None,
    head: str = "auto",
    options: HeadOptions | ChooseOptions | None = None,
    samples: Path | None = None,
    representative: Path | None = None,
    statistics: StatisticsOptions | None = None,
    training: npt.NDArray[np.generic] | None = None,
    make_learner: MakeLearner | None = None,
    make_stream: MakeStream | None = None,
    columns: Columns | None = None,
    optimize: Optimize = BALANCED,
    ram: int | None = None,
) -> Model:
    """Writes the project of the model file `source` to `out`, whole or not at all.

    `representative`: for a .keras, float inputs to quantize it with (`pipeline.source`).
    `make_learner`: what learns around the head; without it the head is plain.
    `make_stream`: the front end and the stream around it; without it samples are features.
    `columns`: what recordings for that front end call its channels.
    `samples`: an .npz with real inputs x (n, *input shape) of the model's input type, and labels y
    where there are any. They set the step size of the head, become the golden inputs, and are kept
    in the project for `verify`. Without them the energy of the features is assumed and inputs are
    random.
    `statistics`: the layers whose normalization statistics the device re-estimates; those of the
    training people are measured on `training` (n, *input shape), or else on the samples.
    `optimize`: what the C kernels are chosen by.
    `ram`: the most bytes that the arena may have; layers run row by row where it takes that.
    """
    prefix = c_name(name if name is not None else source.stem, given=name is not None)
    found = find_source(source, representative)
    arrays = {} if samples is None else _read_samples(samples)

    def choose(graph: Graph, kernels: tuple[Kernel, ...]) -> tuple[int, HeadOptions] | None:
        operator = find_head(graph, kernels, head)
        if operator is None:
            return None
        chosen = options(graph, operator) if callable(options) else options or HeadOptions()
        if arrays and chosen.energy is None:
            x = check_inputs(arrays["x"], graph, f"{samples}: x")
            chosen = replace(chosen, energy=feature_energy(graph, kernels, operator, x))
        return operator, chosen

    model = prepare_model(found, prefix, choose, optimize, ram)
    if make_learner is not None and model.head is not None:
        model = replace(model, learner=make_learner(model))
    if statistics is not None:
        x = training
        if x is None and arrays:
            x = check_inputs(arrays["x"], model.graph, f"{samples}: x")
        measured = measured_statistics(model, statistics, x)
        model = replace(model, statistics=measured)
    if make_stream is not None:
        plan = make_stream(model)
        check_plan(plan, "frontend")
        check_stream(plan, model, "frontend")
        model = replace(model, stream=plan, columns=columns)
    kept = _check_samples(arrays, model, samples)
    with new_directory(out, "manifest.json") as directory:
        write_project(model, found, _golden(model, kept), directory)
        if kept:
            np.savez_compressed(directory / "samples.npz", **kept)  # type: ignore[arg-type]
    return model


def c_name(text: str, given: bool) -> str:
    """The C prefix: `text` itself where the user gave it, else made from a file's name."""
    if given:
        if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{MAX_NAME - 1}}}", text) or text in C_KEYWORDS:
            raise InputError(
                f"--name {text}: 1 to {MAX_NAME} of a-z, 0-9 and _, a letter first, no C keyword"
            )
        return text
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:MAX_NAME]
    return name if re.match(r"[a-z]", name) and name not in C_KEYWORDS else f"m_{name}"[:MAX_NAME]


def feature_energy(
    graph: Graph, kernels: tuple[Kernel, ...], operator: int, x: npt.NDArray[np.generic]
) -> float:
    """Mean over inputs (n, ...) of |x|^2, x the quantized features less their zero point."""
    feature = kernels[operator].inputs[0]
    quantization = graph.tensors[feature].quantization
    assert quantization is not None
    inputs = split_inputs(graph, np.ascontiguousarray(x).reshape(len(x), -1).view(np.uint8))
    values = run_in_order(graph, kernels, inputs, end=operator)[feature].astype(np.int64)
    return float(((values - quantization.zero_point[0]) ** 2).sum(axis=1).mean())


def measured_statistics(
    model: Model, options: StatisticsOptions, x: npt.NDArray[np.generic] | None
) -> Statistics:
    """The layers that `options` names, with the statistics of the training people's x (n, ...)."""
    graph, kernels = model.graph, model.kernels
    operators = find_layers(graph, kernels, options, model.head is not None)
    if x is None:
        raise InputError("--statistics compares with the training people: give --samples of them")
    inputs = split_inputs(graph, np.ascontiguousarray(x).reshape(len(x), -1).view(np.uint8))
    moments = training_moments(graph, kernels, operators, options.samples, inputs)
    return build_statistics(kernels, options, moments)


def _read_samples(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    arrays = read_arrays(path)
    if "x" not in arrays:
        raise InputError(f"{path}: no array x; found {', '.join(arrays) or 'none'}")
    if not arrays["x"].size:
        raise InputError(f"{path}: x holds no samples")
    return arrays


def _check_samples(
    arrays: dict[str, npt.NDArray[np.generic]], model: Model, path: Path | None
) -> dict[str, npt.NDArray[np.generic]]:
    """The samples to keep in the project, checked against the model."""
    if not arrays:
        return {}
    kept: dict[str, npt.NDArray[np.generic]] = {
        "x": check_inputs(arrays["x"], model.graph, f"{path}: x")
    }
    if "y" in arrays:
        kept["y"] = check_labels(arrays["y"], len(kept["x"]), model, f"{path}: y")
    return kept


def _golden(model: Model, kept: dict[str, npt.NDArray[np.generic]]) -> Golden:
    if kept:
        count = min(GOLDEN_SAMPLES, len(kept["x"]))
        # Samples of a stateful model are neighbours in time.
        last = count if model.graph.variables else len(kept["x"])
        spread = np.linspace(0, last - 1, count)
        inputs = kept["x"][spread.astype(np.int64)].reshape(len(spread), -1).view(np.uint8)
    else:
        inputs = random_inputs(model, GOLDEN_SAMPLES, np.random.default_rng(0))
    return Golden(inputs, infer_bytes(model.graph, model.kernels, inputs))
