"""A C project on disk: reading back what `converters/c` wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.converters.tflite import parse_tflite, read_bytes
from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.head import Head, HeadOptions, build_head
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel
from tinytrain.operators.table import require_kernels
from tinytrain.plan.memory import plan_memory

SUPPORTED_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Project:
    directory: Path
    model: Model
    manifest: Mapping[str, Any]


def prepare_model(
    source: bytes,
    file: str,
    name: str,
    choose_head: Callable[[Graph, tuple[Kernel, ...]], tuple[int, HeadOptions] | None],
) -> Model:
    """Everything that follows from a model file's bytes and the choice of a head."""
    graph = parse_tflite(source, file)
    kernels = require_kernels(graph)
    chosen = choose_head(graph, kernels)
    head: Head | None = None
    if chosen is not None:
        head = build_head(graph, kernels, *chosen)
    return Model(
        name, hashlib.sha256(source).hexdigest(), graph, kernels, plan_memory(graph, kernels), head
    )


def load_project(directory: Path) -> Project:
    """Reads a project. Raises InputError where it is none, or is damaged."""
    path = directory / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{directory}: not a project ({path.name}: {error.strerror}); "
            "`tinytrain convert MODEL.tflite --out DIR` makes one"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON; convert the model again") from error
    try:
        return _load(directory, manifest)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: key {error} is missing or of the wrong type; convert the model again"
        ) from error


def _load(directory: Path, manifest: Mapping[str, Any]) -> Project:
    if manifest["format"] != SUPPORTED_FORMAT:
        raise InputError(
            f"{directory}: project format {manifest['format']}; {SUPPORTED_FORMAT} is supported: "
            "convert the model again"
        )
    source = read_bytes(directory / "source.tflite")
    entry = manifest["head"]
    model = prepare_model(
        source,
        manifest["source"]["file"],
        manifest["name"],
        lambda _graph, _kernels: None if entry is None else (entry["operator"], _options(entry)),
    )
    if model.source_sha256 != manifest["source"]["sha256"]:
        raise InputError(
            f"{directory / 'source.tflite'}: SHA-256 {model.source_sha256[:16]}..., but the "
            f"manifest says {manifest['source']['sha256'][:16]}...; convert the model again"
        )
    return Project(directory, model, manifest)


def _options(entry: Mapping[str, Any]) -> HeadOptions:
    return HeadOptions(entry["eta"], entry["tau"], entry["rows"], entry["energy"])


def load_samples(path: Path, model: Model) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """x (n, *input shape) and y (n,) of an .npz file; y is empty where the file has none."""
    arrays = read_arrays(path)
    if "x" not in arrays:
        raise InputError(f"{path}: no array x; found {', '.join(arrays) or 'none'}")
    x = check_inputs(arrays["x"], input_shape(model.graph), f"{path}: x")
    if "y" not in arrays:
        return x, np.zeros(0, np.int64)
    return x, check_labels(arrays["y"], len(x), model, f"{path}: y")


def read_arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of an .npy (under the name x) or .npz file."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"x": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror or error}") from error
    except (ValueError, EOFError, KeyError) as error:
        raise InputError(f"{path}: not a readable .npy or .npz file of plain numbers") from error


def input_shape(graph: Graph) -> tuple[int, ...]:
    """The shape of one sample, without the batch. Several inputs lie side by side, as bytes."""
    if len(graph.inputs) > 1:
        return (sum(graph.tensors[tensor].bytes for tensor in graph.inputs),)
    shape = graph.tensors[graph.inputs[0]].shape
    return shape[1:] if shape[:1] == (1,) else shape


def check_inputs(
    x: npt.NDArray[np.generic], inner: tuple[int, ...], where: str
) -> npt.NDArray[np.int8]:
    """x as (n, *inner) int8, where it has that shape or (n, 1, *inner)."""
    if x.dtype != np.int8:
        raise InputError(f"{where} is {x.dtype}; int8 of shape (n, {_comma(inner)}) is expected")
    if x.ndim == 0 or x.shape[1:] not in (inner, (1, *inner)):
        raise InputError(f"{where} has shape {x.shape}; (n, {_comma(inner)}) is expected")
    return np.ascontiguousarray(x.astype(np.int8)).reshape(len(x), *inner)


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
