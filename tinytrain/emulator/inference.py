"""Inference over a whole graph.

State is a value like others here: a stateful model's variables go in, and come out among the values
of the inference. Nothing in this module remembers anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import (  # noqa: F401 (they register their kernels)
    elementwise_kernels,
    layout_kernels,
    lookup_kernels,
    quantize_kernels,
    sigmoid_kernels,
    state_kernels,
    weighted_kernels,
    wide_kernels,
)
from tinytrain.emulator.kernels import Value, evaluate
from tinytrain.graph import Graph
from tinytrain.operators.kernel import Kernel

PART_ELEMENTS = 1 << 21
"""Elements of the largest activation that are computed together. Threads were tried and are slower:
the matrix products already use all cores, and the rest waits for memory."""

State = Mapping[int, Value]
"""The variables' values (n, elements), by tensor."""


def initial_state(graph: Graph, count: int = 1) -> dict[int, Value]:
    """The variables of `count` devices that have just been started."""
    start = {tensor: graph.tensors[tensor].initial_value for tensor in graph.variables}
    return {tensor: np.tile(value, (count, 1)) for tensor, value in start.items()}


def run(
    graph: Graph,
    kernels: Sequence[Kernel],
    inputs: Sequence[Value],
    end: int | None = None,
    state: State | None = None,
) -> dict[int, Value]:
    """Runs operators [0, end) on a batch; gives every activation and variable by tensor index.

    `inputs`: one array (n, elements) or (n, *shape) for each graph input. Values are (n, elements).
    The n inferences are independent: each has its own row of `state`, by default the initial one.
    """
    values: dict[int, Value] = {}
    for written in steps(graph, kernels, inputs, end, state):
        values.update(written)
    return values


def steps(
    graph: Graph,
    kernels: Sequence[Kernel],
    inputs: Sequence[Value],
    end: int | None = None,
    state: State | None = None,
) -> Iterator[dict[int, Value]]:
    """`run`, step by step: first inputs and variables, then what each operator writes."""
    count = len(inputs[0])
    values = dict(initial_state(graph, count) if state is None else state)
    for tensor, x in zip(graph.inputs, inputs, strict=True):
        values[tensor] = np.ascontiguousarray(x).reshape(len(x), -1)
    yield dict(values)
    for kernel in kernels[:end]:
        operands = (
            values[tensor] if tensor in values else _constant(graph, tensor, count)
            for tensor in (*kernel.inputs, *kernel.state)
        )
        results = evaluate(kernel.parameters, *operands)
        outputs = results if isinstance(results, tuple) else (results,)
        written = dict(zip((*kernel.outputs, *kernel.state), outputs, strict=True))
        values.update(written)
        yield written


def run_in_order(
    graph: Graph,
    kernels: Sequence[Kernel],
    inputs: Sequence[Value],
    end: int | None = None,
    state: State | None = None,
) -> dict[int, Value]:
    """`run` on one device: each inference continues from the state that the one before left.

    `state`: (1, elements) for each variable. The variables' values are those after each inference.
    """
    if not graph.variables or not len(inputs[0]):
        return run(graph, kernels, inputs, end)
    state = initial_state(graph) if state is None else state
    rows: list[dict[int, Value]] = []
    for i in range(len(inputs[0])):
        rows.append(run(graph, kernels, [x[i : i + 1] for x in inputs], end, state))
        state = last_state(graph, rows[-1])
    return {tensor: np.concatenate([row[tensor] for row in rows]) for tensor in rows[0]}


def last_state(graph: Graph, values: Mapping[int, Value]) -> dict[int, Value]:
    """The variables after the last inference of `values`."""
    return {tensor: values[tensor][-1:] for tensor in graph.variables}


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

    Of a stateful model, what a device that has just been started gives for them, in order. Of any
    other, works on some samples at a time, so that activations stay near the cache.
    """
    if graph.variables:
        return output_bytes(graph, run_in_order(graph, kernels, split_inputs(graph, data)))
    largest = max(graph.tensors[kernel.outputs[0]].elements for kernel in kernels)
    step = max(1, PART_ELEMENTS // largest)
    parts = [data[start : start + step] for start in range(0, len(data), step)]
    return np.concatenate([_infer_part(graph, kernels, part) for part in parts or [data]])


def _infer_part(
    graph: Graph, kernels: Sequence[Kernel], data: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    return output_bytes(graph, run(graph, kernels, split_inputs(graph, data)))


def output_bytes(graph: Graph, values: Mapping[int, Value]) -> npt.NDArray[np.uint8]:
    """(n, output bytes) of the values of n inferences."""
    outputs = (np.ascontiguousarray(values[tensor]) for tensor in graph.outputs)
    return np.concatenate([output.view(np.uint8) for output in outputs], axis=1)
