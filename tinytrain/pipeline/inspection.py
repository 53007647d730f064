"""A look at a model, a row an operator, whether it can be converted or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tinytrain.converters.refusal import FileEdge, RefusedError
from tinytrain.errors import InputError
from tinytrain.graph import Graph, Operator, Tensor
from tinytrain.head import find_head
from tinytrain.operators.table import lower_graph, refusals
from tinytrain.pipeline.output import new_file
from tinytrain.pipeline.source import find_source
from tinytrain.plan.budget import plan_within
from tinytrain.plan.memory import MemoryPlan
from tinytrain.project import load_project
from tinytrain.report.picture import draw_memory
from tinytrain.variants.choose import BALANCED, Optimize, Variant, choose_variants, row_operators


@dataclass(frozen=True)
class OperatorRow:
    index: int
    name: str
    inputs: tuple[str, ...]
    """What it reads, constants left out."""
    output: str
    shape: tuple[int, ...] | None
    """None where it is not known, as the figures below."""
    macs: int | None
    weights: int | None
    """Bytes of its weights and biases."""
    ram: int | None
    """Bytes of activations alive while it runs."""
    problem: str | None
    """Why it cannot be converted."""
    judged: bool = True
    """Whether it was looked at: not where it reads what another operator could not give."""
    kernel: str | None = None
    """The C function that computes it; None where it cannot be converted."""
    reason: str | None = None
    """Why this one."""
    tensor: int | None = None
    """The index of its output, by which commands take it; None of a file's node."""

    @property
    def supported(self) -> bool | None:
        return self.problem is None if self.judged else None


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
    rows: int | None = None
    """Of a tensor that is never whole: as many of its rows are there at once."""


@dataclass(frozen=True)
class ChainRow:
    """Operators that run together, row by row, at the turn of the last one."""

    first: int
    last: int
    rows: int
    """That are made at a time of the operator with the most."""


@dataclass(frozen=True)
class Inspection:
    name: str
    arena: int | None
    """None where an operator cannot be converted."""
    macs: int | None
    weights: int | None
    inputs: tuple[Mapping[str, object], ...]
    outputs: tuple[Mapping[str, object], ...]
    operators: tuple[OperatorRow, ...]
    memory: tuple[Stretch, ...]
    """By offset, then by time; empty where an operator cannot be converted."""
    refusals: tuple[str, ...]
    """Why it cannot be converted; empty where it can."""
    chains: tuple[ChainRow, ...] = ()
    of_file: bool = False
    """Whether the rows are the file's nodes, as they could not be made into operators."""

    def as_json(self) -> dict[str, object]:
        """The object that `tinytrain inspect --json` prints."""
        rows = [
            {
                "index": row.index,
                "name": row.name,
                "inputs": list(row.inputs),
                "output": row.output,
                "shape": None if row.shape is None else list(row.shape),
                "macs": row.macs,
                "weights": row.weights,
                "ram": row.ram,
                "supported": row.supported,
                "problem": row.problem,
                "kernel": row.kernel,
                "reason": row.reason,
                "tensor": row.tensor,
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
            "chains": [asdict(chain) for chain in self.chains],
        }


def inspect(path: Path, optimize: Optimize | None = None, ram: int | None = None) -> Inspection:
    """Looks at a model file, or at the project in a directory.

    `optimize`: what to choose kernels by; None: balanced, or as the project was converted.
    `ram`: the most bytes of arena; None: any, or as the project was converted.
    """
    if path.is_dir():
        model = load_project(path).model
        model = replace(model, optimize=optimize or model.optimize, ram=ram or model.ram)
        return _of_graph(model.graph, model.variants, model.memory)
    try:
        graph = find_source(path).graph()
    except RefusedError as refused:
        return _of_file(refused)
    lowering = lower_graph(graph)
    kernels = [kernel for kernel in lowering.kernels if kernel is not None]
    plan = None
    if not lowering.problems:
        plan = plan_within(graph, kernels, row_operators(kernels, frozenset()), ram)
    chained = (
        frozenset(i for chain in plan.chains for i in chain.operators) if plan else frozenset()
    )
    # As `convert` does it without options: the head reads the weights of its layer.
    head = None if lowering.problems else find_head(graph, kernels, "auto")
    chosen = iter(choose_variants(kernels, frozenset(), optimize or BALANCED, head, chained))
    variants = [None if kernel is None else next(chosen) for kernel in lowering.kernels]
    return _of_graph(graph, variants, plan)


def _of_file(refused: RefusedError) -> Inspection:
    """The nodes of a file that cannot be made into operators."""
    rows = tuple(
        OperatorRow(
            index=node.index,
            name=node.kind,
            inputs=node.inputs,
            output=node.output,
            shape=node.shape,
            macs=None,
            weights=None,
            ram=None,
            problem=node.problem,
            judged=node.judged,
        )
        for node in refused.nodes
    )
    return Inspection(
        name=refused.file,
        arena=None,
        macs=None,
        weights=None,
        inputs=tuple(_edge_entry(edge) for edge in refused.inputs),
        outputs=tuple(_edge_entry(edge) for edge in refused.outputs),
        operators=rows,
        memory=(),
        refusals=refused.problems,
        of_file=True,
    )


def _of_graph(
    graph: Graph, variants: Sequence[Variant | None], plan: MemoryPlan | None
) -> Inspection:
    lowering = lower_graph(graph)
    alive = _alive(graph, plan)
    rows = tuple(
        OperatorRow(
            index=index,
            name=operator.kind,
            inputs=_read_by(graph, operator),
            output=graph.tensors[operator.outputs[0]].name,
            shape=graph.tensors[operator.outputs[0]].shape,
            macs=kernel.macs if kernel is not None else 0,
            weights=kernel.weight_bytes if kernel is not None else 0,
            ram=alive[index],
            problem=lowering.problems.get(index),
            kernel=variant.kernel if variant else None,
            reason=variant.reason if variant else None,
            tensor=operator.outputs[0],
        )
        for index, (operator, kernel, variant) in enumerate(
            zip(graph.operators, lowering.kernels, variants, strict=True)
        )
    )
    return Inspection(
        graph.name,
        plan.arena_bytes if plan else None,
        sum(row.macs or 0 for row in rows),
        sum(row.weights or 0 for row in rows),
        tuple(_entry(graph.tensors[index]) for index in graph.inputs),
        tuple(_entry(graph.tensors[index]) for index in graph.outputs),
        rows,
        _stretches(graph, plan) if plan else (),
        tuple(refusals(graph, lowering)) if lowering.problems else (),
        tuple(ChainRow(c.first, c.last, c.rows) for c in plan.chains) if plan else (),
    )


def picture_memory(inspection: Inspection, path: Path) -> None:
    """Draws the arena over time. Raises InputError for a model that cannot be converted."""
    if not inspection.memory:
        raise InputError(f"{inspection.name}: has no memory plan: it cannot be converted")
    with new_file(path) as aside:
        draw_memory(inspection, aside)


def _stretches(graph: Graph, plan: MemoryPlan) -> tuple[Stretch, ...]:
    found = [
        Stretch(graph.tensors[p.tensor].name, p.offset, p.bytes, p.first, p.last)
        for p in plan.placements.values()
    ]
    for p in plan.buffers.values():
        tensor = graph.tensors[p.tensor]
        rows = p.bytes * tensor.shape[1] // tensor.bytes
        found.append(Stretch(tensor.name, p.offset, p.bytes, p.first, p.last, rows))
    return tuple(sorted(found, key=lambda stretch: (stretch.offset, stretch.first)))


def _read_by(graph: Graph, operator: Operator) -> tuple[str, ...]:
    read = (graph.tensors[index] for index in operator.inputs if index != -1)
    return tuple(tensor.name for tensor in read if tensor.data is None)


def _alive(graph: Graph, plan: MemoryPlan | None) -> list[int]:
    """Bytes of activations alive while each operator runs, inputs and outputs included; those of a
    chain run together."""
    if plan is not None and plan.chains:
        places = [*plan.placements.values(), *plan.buffers.values()]
        turns = [
            chain.last if chain else i
            for i in range(len(graph.operators))
            for chain in [plan.chain_of(i)]
        ]
        return [sum(p.bytes for p in places if p.first <= turn <= p.last) for turn in turns]
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


def _edge_entry(edge: FileEdge) -> dict[str, object]:
    shape = None if edge.shape is None else list(edge.shape)
    quantization = {"scale": None, "zero_point": None}
    return {"name": edge.name, "shape": shape, "dtype": edge.dtype, **quantization}


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
