"""Whole graphs with branches: the emulator, the planned arena and the emitted C agree with
tflite-micro.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.operators.cases import seeds
from tests.operators.programs import TARGETS, run_programs, write_programs
from tests.operators.random_graphs import RandomGraph
from tests.operators.test_against_tflite_micro import (
    DRAWS,
    assert_equal_to_reference,
    samples,
)
from tests.operators.test_host_kernels import entries_of, equals_tflite_micro
from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.inference import run
from tinytrain.emulator.kernels import evaluate
from tinytrain.graph import Graph
from tinytrain.operators.kernel import Kernel
from tinytrain.operators.table import require_kernels
from tinytrain.plan.memory import plan_memory

FEW = 20

graphs = st.builds(RandomGraph, operators=st.integers(2, 8), seed=seeds)
anything = settings(max_examples=DRAWS, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@anything
@given(graphs)
def test_the_emulator_gives_the_bytes_of_tflite_micro(case: RandomGraph) -> None:
    assert_equal_to_reference(case.build(), case.rng)


@anything
@given(graphs)
def test_tensors_keep_their_bytes_in_the_planned_arena(case: RandomGraph) -> None:
    """Every operator reads what was meant for it, though others share the memory."""
    graph = parse_tflite(case.build(), "model")
    kernels = require_kernels(graph)
    inputs = [
        batch[0] for batch in samples([graph.tensors[t].shape for t in graph.inputs], case.rng)
    ]
    expected = run(graph, kernels, [x[None] for x in inputs])
    found = run_in_arena(graph, kernels, inputs)
    for tensor, output in zip(graph.outputs, found, strict=True):
        np.testing.assert_array_equal(output, expected[tensor][0])


def run_in_arena(
    graph: Graph, kernels: Sequence[Kernel], inputs: list[NDArray[np.int8]]
) -> list[NDArray[Any]]:
    """The outputs of one inference on an arena laid out by the planner.

    Before an operator reads an input that its outputs may not overlap, these are spoilt.
    """
    plan = plan_memory(graph, kernels)
    arena = np.zeros(plan.arena_bytes, np.uint8)

    def place(tensor: int) -> NDArray[Any]:
        data = graph.tensors[tensor].data
        if data is not None:
            return data.reshape(1, -1)
        at = plan.placements[tensor]
        return arena[at.offset : at.offset + at.bytes].view(graph.tensors[tensor].dtype)[None]

    for tensor, x in zip(graph.inputs, inputs, strict=True):
        place(tensor)[:] = x.reshape(1, -1)
    for kernel in kernels:
        shared = {tensor: place(tensor).copy() for tensor in kernel.leads}
        for tensor in kernel.outputs:
            place(tensor)[:] = 85
        operands = [shared.get(tensor, place(tensor)) for tensor in kernel.inputs]
        results = evaluate(kernel.parameters, *operands)
        results = results if isinstance(results, tuple) else (results,)
        for tensor, result in zip(kernel.outputs, results, strict=True):
            place(tensor)[:] = result
    return [place(tensor)[0].copy() for tensor in graph.outputs]


def cases(count: int) -> dict[str, RandomGraph]:
    return {f"graph_{seed}": RandomGraph(2 + seed % 7, seed) for seed in range(count)}


def test_a_few_emitted_graphs_give_the_emulators_bytes_on_the_host(
    tmp_path: Path, require_host_gcc: None
) -> None:
    write_programs(tmp_path, entries_of(cases(FEW)))
    assert run_programs(tmp_path, "host") == []


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DRAWS graphs, with outputs that tflite-micro gives, too."""
    folder = tmp_path_factory.mktemp("graphs")
    entries = entries_of(cases(DRAWS))
    assert [entry.name for entry in entries if not equals_tflite_micro(entry)] == []
    write_programs(folder, entries)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_the_emitted_graphs_give_the_emulators_bytes(
    target: str, programs: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    assert run_programs(programs, target) == []
