"""A C project on disk: reading back what `converters/c` wrote."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.converters.c.manifest import MANIFEST_FORMAT
from tinytrain.converters.formats import FORMATS, Source
from tinytrain.converters.tflite import read_bytes
from tinytrain.errors import InputError
from tinytrain.frontend.columns import Columns, read_columns
from tinytrain.frontend.constants import StreamPlan
from tinytrain.frontend.file import FRONTEND_FILE, read_frontend
from tinytrain.frontend.hash import frontend_hash
from tinytrain.frontend.limits import channels_of
from tinytrain.graph import Graph
from tinytrain.head import Head, HeadOptions, build_head, find_head
from tinytrain.learner_file import LEARNER_FILE, read_learner
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel
from tinytrain.operators.table import require_kernels
from tinytrain.statistics import (
    STATISTICS_FILE,
    Statistics,
    StatisticsOptions,
    build_statistics,
    find_layers,
    stored_moments,
)
from tinytrain.variants.choose import BALANCED, OPTIMIZATIONS, Optimize

RUN_FILE = "run.json"
"""What the folder of a run holds; its project is in PROJECT there."""
PROJECT = "project"

MIN_ENERGY = 1e-9
"""Of features that are not all zero: far below one unit in one of many samples."""

ARRAY_ERRORS = (
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise for a damaged or forged file."""


@dataclass(frozen=True, eq=False)
class Project:
    directory: Path
    model: Model
    manifest: Mapping[str, Any]


def prepare_model(
    source: Source,
    name: str,
    choose_head: Callable[[Graph, tuple[Kernel, ...]], tuple[int, HeadOptions] | None],
    optimize: Optimize = BALANCED,
    ram: int | None = None,
) -> Model:
    """Everything that follows from a model file's bytes, the choice of a plain head, what the
    kernels are chosen by, and the most bytes of arena."""
    graph = source.graph()
    kernels = require_kernels(graph)
    chosen = choose_head(graph, kernels)
    head: Head | None = None
    if chosen is not None:
        head = build_head(graph, kernels, *chosen)
    return Model(name, source.sha256, graph, kernels, head, optimize=optimize, ram=ram)


def load_project(directory: Path) -> Project:
    """Reads a project. Raises InputError where it is none, or is damaged."""
    path = directory / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{directory}: not a project ({path.name}: {error.strerror}); "
            f"{_where_there_is_one(directory, path.name)}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON; convert the model again") from error
    return _load(directory, _Manifest(path, manifest))


def _where_there_is_one(directory: Path, manifest: str) -> str:
    """What to do where a folder holds no project."""
    inner = directory / PROJECT
    if (inner / manifest).is_file():
        return f"did you mean {inner}?"
    run = directory.parent if directory.name == PROJECT else directory
    if (run / RUN_FILE).is_file():
        return f"start `tinytrain run TASK --out {run}` again, which makes one"
    return "`tinytrain convert MODEL.tflite --out DIR` makes one"


@dataclass(frozen=True)
class _Manifest:
    """A manifest, read with checks. Every complaint names the file and the key."""

    path: Path
    values: Any

    def fail(self, message: str) -> InputError:
        return InputError(f"{self.path}: {message}; convert the model again")

    def get(self, place: str, *types: type) -> Any:
        """The value at a dotted place, of one of `types` exactly: a bool is no number."""
        value = self.values
        for key in place.split("."):
            if not isinstance(value, dict) or key not in value:
                raise self.fail(f"key {place} is missing")
            value = value[key]
        if type(value) not in types:
            names = " or ".join(kind.__name__ for kind in types)
            raise self.fail(f"key {place} is {repr(value)[:40]}; {names} is expected")
        return value


def _load(directory: Path, manifest: _Manifest) -> Project:
    version = manifest.get("format", int)
    if version != MANIFEST_FORMAT:
        raise manifest.fail(f"project format {version}; {MANIFEST_FORMAT} is supported")
    name = manifest.get("name", str)
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise manifest.fail(f"key name is {name[:40]!r}; a C name is expected")
    source = _source(directory, manifest)
    has_head = manifest.get("head", dict, type(None)) is not None

    def choose(graph: Graph, kernels: tuple[Kernel, ...]) -> tuple[int, HeadOptions] | None:
        return _head_choice(manifest, graph, kernels) if has_head else None

    model = prepare_model(source, name, choose, _optimize(manifest), _ram(manifest))
    if model.head is not None and manifest.get("learner", dict, type(None)) is not None:
        path, digest = directory / LEARNER_FILE, manifest.get("learner.sha256", str)
        model = replace(
            model, learner=read_learner(path, digest, model.head.constants, read_arrays)
        )
    model = replace(model, statistics=_statistics(directory, manifest, model))
    model = replace(model, stream=_stream(directory, manifest, model))
    model = replace(model, columns=_columns(manifest, model))
    _check_derived(manifest, model)
    return Project(directory, model, manifest.values)


def _check_derived(manifest: _Manifest, model: Model) -> None:
    """What the manifest says of arena and kernels has to follow from the rest: else another version
    chose them, and the emitted C is not what this one would measure."""
    arena = manifest.get("arena", int)
    try:
        ours = model.memory.arena_bytes
    except InputError as error:
        raise manifest.fail(f"key ram: {error}") from error
    if arena != ours:
        raise manifest.fail(f"key arena is {arena}, but the model needs {ours} bytes")
    listed = manifest.get("operators", list)
    if len(listed) != len(model.variants):
        raise manifest.fail(f"key operators has {len(listed)} of {len(model.variants)} operators")
    for index, (entry, variant) in enumerate(zip(listed, model.variants, strict=True)):
        kernel = entry.get("kernel") if isinstance(entry, dict) else None
        if kernel != variant.kernel:
            raise manifest.fail(
                f"key operators: operator {index} has kernel {str(kernel)[:40]}, but "
                f"{variant.kernel} follows from the rest"
            )


def _optimize(manifest: _Manifest) -> Optimize:
    value = manifest.get("optimize", str)
    if value not in OPTIMIZATIONS:
        allowed = ", ".join(OPTIMIZATIONS)
        raise manifest.fail(f"key optimize is {value[:40]!r}; one of {allowed} is expected")
    return OPTIMIZATIONS[value]


def _ram(manifest: _Manifest) -> int | None:
    value: int | None = manifest.get("ram", int, type(None))
    if value is not None and value < 1:
        raise manifest.fail(f"key ram is {value}; bytes or null are expected")
    return value


def _source(directory: Path, manifest: _Manifest) -> Source:
    """The model file kept in the project, which has to be the one that it was made from."""
    form = manifest.get("source.format", str)
    if form not in FORMATS:
        raise manifest.fail(f"key source.format is {form[:40]!r}; one of {', '.join(FORMATS)}")
    file = Source(manifest.get("source.file", str), form, b"")
    path = directory / file.kept_as
    source = replace(file, data=read_bytes(path))
    found, expected = source.sha256, manifest.get("source.sha256", str)
    if found != expected:
        raise InputError(
            f"{path}: SHA-256 {found[:16]}..., but the manifest says {expected[:16]}...; "
            "convert the model again"
        )
    return source


def _head_choice(
    manifest: _Manifest, graph: Graph, kernels: tuple[Kernel, ...]
) -> tuple[int, HeadOptions]:
    operator = manifest.get("head.operator", int)
    if not 0 <= operator < len(kernels):
        raise manifest.fail(f"key head.operator is {operator}; there are {len(kernels)} operators")
    find_head(graph, kernels, str(kernels[operator].outputs[0]))
    energy = manifest.get("head.energy", int, float)
    if not MIN_ENERGY <= energy < inf:
        raise manifest.fail(f"key head.energy is {energy}; at least {MIN_ENERGY} is expected")
    return operator, HeadOptions(
        manifest.get("head.eta", int, float),
        manifest.get("head.tau", int, float),
        manifest.get("head.rows", int),
        energy,
        manifest.get("head.reserved", int),
        manifest.get("head.masters", int),
    )


def _statistics(directory: Path, manifest: _Manifest, model: Model) -> Statistics | None:
    """The layers whose statistics are re-estimated, from the manifest and the file beside it."""
    if "statistics" not in manifest.values:
        return None
    graph, kernels = model.graph, model.kernels
    named = manifest.get("statistics.operators", list)
    if not named or any(type(i) is not int or not 0 <= i < len(kernels) for i in named):
        raise manifest.fail(f"key statistics.operators is {repr(named)[:40]}; operators expected")
    options = StatisticsOptions(
        tuple(str(kernels[i].outputs[0]) for i in named),
        manifest.get("statistics.samples", int),
        manifest.get("statistics.share", int, float),
        manifest.get("statistics.guard", str),
    )
    operators = find_layers(graph, kernels, options, model.head is not None)
    path = directory / STATISTICS_FILE
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != manifest.get("statistics.sha256", str):
        raise InputError(f"{path}: not what the manifest says; convert the model again")
    try:
        return build_statistics(kernels, options, stored_moments(kernels, operators, data))
    except ValueError as error:
        raise InputError(f"{path}: {error}; convert the model again") from error


def _stream(directory: Path, manifest: _Manifest, model: Model) -> StreamPlan | None:
    """The front end that the model was trained on, from the file beside the manifest."""
    if manifest.values.get("frontend") is None:
        return None
    path = directory / FRONTEND_FILE
    plan = read_frontend(path, manifest.get("frontend.sha256", str), read_arrays)
    found, expected = f"{frontend_hash(plan.frontend):08x}", manifest.get("frontend.hash", str)
    if found != expected:
        raise InputError(
            f"{path}: front end {found}, but the model was trained on {expected[:16]}; "
            "convert the model again"
        )
    check_stream(plan, model, str(path))
    return plan


def _columns(manifest: _Manifest, model: Model) -> Columns | None:
    """The names of the recordings' columns; projects of sounds and older ones have none."""
    if model.stream is None or "columns" not in manifest.values["frontend"]:
        return None
    found = manifest.get("frontend.columns", dict)
    try:
        return read_columns(found, channels_of(model.stream.frontend))
    except ValueError as error:
        raise manifest.fail(f"key frontend.columns.{error}") from error


def check_stream(plan: StreamPlan, model: Model, where: str) -> None:
    """Raises InputError, one line that begins with `where`, unless the plan suits the model."""
    shape = (plan.frames, plan.frontend.outputs)
    inputs, outputs = model.inputs, model.outputs
    if len(inputs) != 1 or inputs[0].dtype != "int8" or model.input_bytes != shape[0] * shape[1]:
        raise InputError(
            f"{where}: the front end gives {shape[0]} frames of {shape[1]} int8 features; the "
            f"model takes {', '.join(f'{t.dtype} {t.shape}' for t in inputs)}"
        )
    if model.head is None and (len(outputs) != 1 or outputs[0].dtype != "int8"):
        raise InputError(
            f"{where}: detecting needs a learning head, or one int8 output; the model has neither"
        )
    if plan.classes < model.capacity:
        raise InputError(
            f"{where}: room for {plan.classes} classes; the model has {model.capacity}"
        )


def load_samples(path: Path, model: Model) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.int64]]:
    """x (n, *input shape) and y (n,) of an .npz file; y is empty where the file has none."""
    arrays = read_arrays(path)
    if "x" not in arrays:
        raise InputError(f"{path}: no array x; found {', '.join(arrays) or 'none'}")
    x = check_inputs(arrays["x"], model.graph, f"{path}: x")
    if "y" not in arrays:
        return x, np.zeros(0, np.int64)
    return x, check_labels(arrays["y"], len(x), model, f"{path}: y")


def read_arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of an .npy (under the name x) or .npz file."""
    try:
        # np.load forgets to close a damaged archive that it opened itself.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"x": loaded}
            arrays = {name: loaded[name] for name in loaded.files}
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror or error}") from error
    except ARRAY_ERRORS as error:
        raise InputError(f"{path}: not a readable .npy or .npz file of plain numbers") from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise InputError(f"{path}: {name} is no array")
    return arrays


def input_shape(graph: Graph) -> tuple[int, ...]:
    """The shape of one sample, without the batch. Several inputs lie side by side, as bytes."""
    if len(graph.inputs) > 1:
        return (sum(graph.tensors[tensor].bytes for tensor in graph.inputs),)
    shape = graph.tensors[graph.inputs[0]].shape
    return shape[1:] if shape[:1] == (1,) else shape


def input_type(graph: Graph) -> np.dtype[np.generic]:
    """The type of one sample's elements; several inputs lie side by side, as bytes."""
    if len(graph.inputs) > 1:
        return np.dtype(np.int8)
    return np.dtype(graph.tensors[graph.inputs[0]].dtype)


def check_inputs(x: npt.NDArray[np.generic], graph: Graph, where: str) -> npt.NDArray[np.generic]:
    """x as (n, *input shape) of the model's input type, where it is that or (n, 1, *shape)."""
    inner, dtype = input_shape(graph), input_type(graph)
    if x.dtype != dtype:
        raise InputError(
            f"{where} is {x.dtype}; {dtype.name} of shape (n, {_comma(inner)}) is expected"
        )
    if x.ndim == 0 or x.shape[1:] not in (inner, (1, *inner)):
        raise InputError(f"{where} has shape {x.shape}; (n, {_comma(inner)}) is expected")
    return np.ascontiguousarray(x.astype(dtype)).reshape(len(x), *inner)


def _comma(shape: tuple[int, ...]) -> str:
    return ", ".join(str(extent) for extent in shape)


def check_labels(
    y: npt.NDArray[np.generic], samples: int, model: Model, where: str
) -> npt.NDArray[np.int64]:
    """y as (n,) class indices of the model's head."""
    classes = model.head.constants.classes if model.head else model.outputs[0].elements
    if y.shape != (samples,) or y.dtype.kind not in "iu":
        raise InputError(f"{where} is {y.dtype} of shape {y.shape}; ({samples},) integers expected")
    wrong = np.flatnonzero((y.astype(np.int64) < 0) | (y.astype(np.int64) >= classes))
    if wrong.size:
        raise InputError(
            f"{where}: label {y[wrong[0]]} of sample {wrong[0]} is not in 0 to {classes - 1}"
        )
    return y.astype(np.int64)
