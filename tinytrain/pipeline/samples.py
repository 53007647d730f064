"""Inputs and labels for a project: its own real samples, or random ones where it has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.graph import ITEM_BYTES
from tinytrain.model import Model
from tinytrain.operators.quantize import Edge
from tinytrain.project import Project, load_samples


@dataclass(frozen=True, eq=False)
class Samples:
    inputs: npt.NDArray[np.uint8]
    """(n, input bytes)"""
    labels: npt.NDArray[np.int64]
    """(n,)"""
    origin: str
    """Where they come from, for people to read."""


def project_samples(project: Project, count: int, seed: int) -> Samples:
    """`count` samples in an order drawn by `seed`; real ones are repeated where there are fewer,
    and stay in their order where the model has variables.

    Labels that the samples do not have are drawn at random.
    """
    rng = np.random.default_rng(seed)
    head = project.model.head
    classes = head.constants.classes if head else 1
    path = project.directory / "samples.npz"
    if not path.is_file():
        inputs = random_inputs(project.model, count, rng)
        return Samples(inputs, rng.integers(0, classes, count), "random inputs")
    return _draw(path, project, count, classes, rng)


def _draw(
    path: Path, project: Project, count: int, classes: int, rng: np.random.Generator
) -> Samples:
    x, y = load_samples(path, project.model)
    if not len(x):
        raise InputError(f"{path}: x holds no samples; convert the model again")
    stateful = bool(project.model.graph.variables)
    order = np.arange if stateful else rng.permutation
    rounds = [order(len(x)) for _ in range(-(-count // len(x)))]
    chosen = np.concatenate(rounds)[:count]
    inputs = x.reshape(len(x), -1).view(np.uint8)[chosen]
    labels = y[chosen] if len(y) else rng.integers(0, classes, count)
    repeated = f", repeated up to {len(rounds)} times" if len(rounds) > 1 else ""
    return Samples(inputs, labels, f"{min(count, len(x))} real samples{repeated}")


def random_inputs(model: Model, count: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """(count, input bytes): uniform bytes, and for a float32 input numbers of a usable size."""
    parts = [
        _random_tensor(model, tensor, count, rng).view(np.uint8) for tensor in model.graph.inputs
    ]
    return np.concatenate(parts, axis=1)


def _random_tensor(
    model: Model, index: int, count: int, rng: np.random.Generator
) -> npt.NDArray[np.generic]:
    """(count, elements). Floats cover what the QUANTIZE that reads them can hold, and some more."""
    tensor = model.graph.tensors[index]
    if tensor.dtype != "float32":
        return rng.integers(0, 256, (count, tensor.bytes), np.uint8)
    largest = 1.0
    for kernel in model.kernels:
        edge = kernel.parameters
        if kernel.inputs == (index,) and isinstance(edge, Edge):
            bits = 8 * ITEM_BYTES[model.graph.tensors[kernel.outputs[0]].dtype]
            largest = edge.scale * 2.0**bits
    return (rng.uniform(-largest, largest, (count, tensor.elements))).astype(np.float32)
