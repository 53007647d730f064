"""A look at a model, a row an operator, whether it can be converted or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tinytrain.errors import InputError
from tinytrain.graph import Graph, Tensor
from tinytrain.operators.table import lower_graph, refusals
from tinytrain.pipeline.output import new_file
from tinytrain.pipeline.source import find_source
from tinytrain.plan.memory import MemoryPlan, plan_memory
from tinytrain.project import load_project
from tinytrain.report.picture import draw_memory


@dataclass(frozen=True)
class OperatorRow:
    index: int
    name: str
    output: str
    shape: tuple[int, ...]
    macs: int
    weights: int
    """Bytes of its weights and biases."""
    ram: int
    """Bytes of activations alive while it runs."""
    problem: str | None
    """Why it cannot be converted."""


@dataclass(frozen=True)
class Stretch:
    """Where one activation lies in the arena, and when."""

    tensor: str
    offset: int
    bytes: int
    first: int
    """The operator that writes it; -1 for an input."""
    last: int
    """The last operator that reads it; the number of operators for an output."""


@dataclass(frozen=True)
class Inspection:
    name: str
    arena: int | None
    """None where an operator cannot be converted."""
    macs: int
    weights: int
    inputs: tuple[Mapping[str, object], ...]
    outputs: tuple[Mapping[str, object], ...]
    operators: tuple[OperatorRow, ...]
    memory: tuple[Stretch, ...]
    """By offset, then by time; empty where an operator cannot be converted."""
    refusals: tuple[str, ...]
    """Why it cannot be converted; empty where it can."""

    def as_json(self) -> dict[str, object]:
        """The object that `tinytrain inspect --json` prints."""
        rows = [
            {
                "index": row.index,
                "name": row.name,
                "output": row.output,
                "shape": list(row.shape),
                "macs": row.macs,
                "weights": row.weights,
                "ram": row.ram,
                "supported": row.problem is None,
                "problem": row.problem,
            }
            for row in self.operators
        ]
        return {
            "name": self.name,
            "arena": self.arena,
            "macs": self.macs,
            "weights": self.weights,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "operators": rows,
            "memory": [asdict(stretch) for stretch in self.memory],
        }


def inspect(path: Path) -> Inspection:
    """Looks at a model file, or at the project in a directory."""
    graph = load_project(path).model.graph if path.is_dir() else find_source(path).graph()
    lowering = lower_graph(graph)
    kernels = [kernel for kernel in lowering.kernels if kernel is not None]
    plan = None if lowering.problems else plan_memory(graph, kernels)
    alive = _alive(graph)
    rows = tuple(
        OperatorRow(
            index=index,
            name=operator.kind,
            output=graph.tensors[operator.outputs[0]].name,
            shape=graph.tensors[operator.outputs[0]].shape,
            macs=kernel.macs if kernel is not None else 0,
            weights=kernel.weight_bytes if kernel is not None else 0,
            ram=alive[index],
            problem=lowering.problems.get(index),
        )
        for index, (operator, kernel) in enumerate(
            zip(graph.operators, lowering.kernels, strict=True)
        )
    )
    return Inspection(
        graph.name,
        plan.arena_bytes if plan else None,
        sum(row.macs for row in rows),
        sum(row.weights for row in rows),
        tuple(_entry(graph.tensors[index]) for index in graph.inputs),
        tuple(_entry(graph.tensors[index]) for index in graph.outputs),
        rows,
        _stretches(graph, plan) if plan else (),
        tuple(refusals(graph, lowering)) if lowering.problems else (),
    )


def picture_memory(inspection: Inspection, path: Path) -> None:
    """Draws the arena over time. Raises InputError for a model that cannot be converted."""
    if not inspection.memory:
        raise InputError(f"{inspection.name}: has no memory plan: it cannot be converted")
    with new_file(path) as aside:
        draw_memory(inspection, aside)


def _stretches(graph: Graph, plan: MemoryPlan) -> tuple[Stretch, ...]:
    found = (
        Stretch(graph.tensors[p.tensor].name, p.offset, p.bytes, p.first, p.last)
        for p in plan.placements.values()
    )
    return tuple(sorted(found, key=lambda stretch: (stretch.offset, stretch.first)))


def _alive(graph: Graph) -> list[int]:
    """Bytes of activations alive while each operator runs, inputs and outputs included."""
    last: dict[int, int] = {}
    for index, operator in enumerate(graph.operators):
        last.update(dict.fromkeys((*operator.inputs, *operator.outputs), index))
    last.update(dict.fromkeys(graph.outputs, len(graph.operators)))
    last.update(dict.fromkeys(graph.variables, len(graph.operators)))
    live = {*graph.inputs, *graph.variables}
    rows = []
    for index, operator in enumerate(graph.operators):
        live |= set(operator.outputs)
        rows.append(sum(graph.tensors[tensor].bytes for tensor in live))
        live = {tensor for tensor in live if last.get(tensor, -1) > index}
    return rows


def _entry(tensor: Tensor) -> dict[str, object]:
    found = tensor.quantization
    per_tensor = found is not None and found.per_tensor
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": float(found.scale[0]) if found and per_tensor else None,
        "zero_point": int(found.zero_point[0]) if found and per_tensor else None,
    }
