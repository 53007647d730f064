"""Inference over a whole graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinytrain.emulator.kernels import Int8, evaluate
from tinytrain.graph import Graph
from tinytrain.operators.kernel import Kernel


def run(
    graph: Graph, kernels: Sequence[Kernel], inputs: Sequence[Int8], end: int | None = None
) -> dict[int, Int8]:
    """Runs operators [0, end) on a batch; gives every activation by tensor index.

    `inputs`: one array (n, elements) or (n, *shape) for each graph input. Values are (n, elements).
    """
    values = {
        tensor: np.ascontiguousarray(x).reshape(len(x), -1)
        for tensor, x in zip(graph.inputs, inputs, strict=True)
    }
    for kernel in kernels[:end]:
        outputs = evaluate(kernel.parameters, *(values[tensor] for tensor in kernel.inputs))
        values[kernel.outputs[0]] = outputs
    return values


def split_inputs(graph: Graph, data: npt.NDArray[np.uint8]) -> list[Int8]:
    """Rows of bytes (n, input bytes) as one int8 array (n, elements) for each graph input."""
    sizes = [graph.tensors[tensor].bytes for tensor in graph.inputs]
    edges = np.cumsum(sizes)[:-1]
    return [np.ascontiguousarray(part).view(np.int8) for part in np.split(data, edges, axis=1)]


def infer_bytes(
    graph: Graph, kernels: Sequence[Kernel], data: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Outputs as bytes (n, output bytes), side by side, of inputs (n, input bytes)."""
    values = run(graph, kernels, split_inputs(graph, data))
    return np.concatenate([values[tensor].view(np.uint8) for tensor in graph.outputs], axis=1)
