"""Inference over a whole graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import (  # noqa: F401 (they register their kernels)
    elementwise_kernels,
    lookup_kernels,
    quantize_kernels,
)
from tinytrain.emulator.kernels import Value, evaluate
from tinytrain.graph import Graph
from tinytrain.operators.kernel import Kernel


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
    """Outputs as bytes (n, output bytes), side by side, of inputs (n, input bytes)."""
    values = run(graph, kernels, split_inputs(graph, data))
    outputs = (np.ascontiguousarray(values[tensor]) for tensor in graph.outputs)
    return np.concatenate([output.view(np.uint8) for output in outputs], axis=1)
