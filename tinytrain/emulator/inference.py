"""Inference over a whole graph."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from tinytrain.emulator import (  # noqa: F401 (they register their kernels)
    elementwise_kernels,
    layout_kernels,
    lookup_kernels,
    quantize_kernels,
    sigmoid_kernels,
    wide_kernels,
)
from tinytrain.emulator.kernels import Value, evaluate
from tinytrain.graph import Graph
from tinytrain.operators.kernel import Kernel

PART_ELEMENTS = 1 << 17
"""Elements of the largest activation that one thread computes together: what a cache holds."""


def run(
    graph: Graph, kernels: Sequence[Kernel], inputs: Sequence[Value], end: int | None = None
) -> dict[int, Value]:
    """Runs operators [0, end) on a batch; gives every activation by tensor index.

    `inputs`: one array (n, elements) or (n, *shape) for each graph input. Values are (n, elements).
    """
    values = {
        tensor: np.ascontiguousarray(x).reshape(len(x), -1)
        for tensor, x in zip(graph.inputs, inputs, strict=True)
    }
    count = len(inputs[0])
    for kernel in kernels[:end]:
        operands = (
            values[tensor] if tensor in values else _constant(graph, tensor, count)
            for tensor in kernel.inputs
        )
        results = evaluate(kernel.parameters, *operands)
        outputs = results if isinstance(results, tuple) else (results,)
        values.update(zip(kernel.outputs, outputs, strict=True))
    return values


def _constant(graph: Graph, tensor: int, count: int) -> Value:
    """A constant operand, the same for each of `count` inferences."""
    data = graph.tensors[tensor].data
    assert data is not None
    return np.broadcast_to(data.reshape(1, -1), (count, data.size))


def split_inputs(graph: Graph, data: npt.NDArray[np.uint8]) -> list[Value]:
    """Rows of bytes (n, input bytes) as one array (n, elements) for each graph input."""
    tensors = [graph.tensors[tensor] for tensor in graph.inputs]
    edges = np.cumsum([tensor.bytes for tensor in tensors])[:-1]
    return [
        np.ascontiguousarray(part).view(tensor.dtype)
        for tensor, part in zip(tensors, np.split(data, edges, axis=1), strict=True)
    ]


def infer_bytes(
    graph: Graph, kernels: Sequence[Kernel], data: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Outputs as bytes (n, output bytes), side by side, of inputs (n, input bytes).

    Works on a few samples at a time, so that activations stay in the cache, on all cores.
    """
    cores = os.cpu_count() or 1
    largest = max(graph.tensors[kernel.outputs[0]].elements for kernel in kernels)
    step = max(1, min(-(-len(data) // cores), PART_ELEMENTS // largest))
    parts = [data[start : start + step] for start in range(0, len(data), step)]
    if len(parts) <= 1:
        return _infer_part(graph, kernels, data)
    # Each thread computes whole inferences; products that spread over threads would wait for
    # each other.
    with threadpool_limits(1), ThreadPoolExecutor(cores) as pool:
        return np.concatenate(list(pool.map(partial(_infer_part, graph, kernels), parts)))


def _infer_part(
    graph: Graph, kernels: Sequence[Kernel], data: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    values = run(graph, kernels, split_inputs(graph, data))
    outputs = (np.ascontiguousarray(values[tensor]) for tensor in graph.outputs)
    return np.concatenate([output.view(np.uint8) for output in outputs], axis=1)
