"""Random models with state: variables that are read and assigned, and operators that hold some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.models import Operator, Subgraph, Tensor, build
from tests.operators.cases import Case, numbers, scales, seeds, shapes, zero_points

HANDLE = Tensor((1,), "resource")


def handle(name: str, output: int, container: str = "") -> Operator:
    options = {"sharedName": name, "container": container}
    return Operator("VAR_HANDLE", (), (output,), "VarHandleOptions", options)


def read(variable: int, output: int) -> Operator:
    return Operator("READ_VARIABLE", (variable,), (output,), "ReadVariableOptions")


def assign(variable: int, value: int) -> Operator:
    return Operator("ASSIGN_VARIABLE", (variable, value), (), "AssignVariableOptions")


def call_once(subgraph: int = 1) -> Operator:
    options = {"initSubgraphIndex": subgraph}
    return Operator("CALL_ONCE", (), (), "CallOnceOptions", options)


def initialization(name: str, value: Tensor) -> Subgraph:
    return Subgraph([HANDLE, value], [handle(name, 0), assign(0, 1)])


@dataclass(frozen=True)
class Delay(Case):
    """A variable `near` for the last input and one, `far`, for that before: their sum.

    `order`: what is assigned before it is used. `initial`: whether CALL_ONCE gives first values.
    """

    shape: tuple[int, ...]
    scales: tuple[float, float, float]
    zero_points: tuple[int, int, int]
    order: str
    initial: bool
    second_handle: bool
    seed: int

    def build(self) -> bytes:
        values = [
            Tensor(self.shape, scale=scale, zero_point=zero_point)
            for scale, zero_point in zip(self.scales, self.zero_points, strict=True)
        ]
        # Tensors: 0 input, 1 and 2 what was read, 3 their sum, 4 to 6 handles.
        tensors = [values[0], values[0], values[1], values[2], HANDLE, HANDLE, HANDLE]
        near = 6 if self.second_handle else 4
        handles = [handle("near", 4), handle("far", 5), handle("near", 6)]
        add = Operator("ADD", (1, 2), (3,), "AddOptions")
        steps = {
            "read, add, assign": [read(4, 1), read(5, 2), add, assign(5, 1), assign(near, 0)],
            "read, assign, add": [read(4, 1), assign(near, 0), read(5, 2), assign(5, 1), add],
            "assign, read, add": [assign(near, 0), read(4, 1), read(5, 2), add, assign(5, 1)],
            "assign sum": [read(4, 1), read(5, 2), add, assign(near, 3), assign(5, 3)],
            "twice": [
                read(4, 1),
                assign(5, 0),
                read(5, 2),
                assign(5, 1),
                add,
                assign(near, 0),
                assign(near, 3),
            ],
        }[self.order]
        others = []
        if self.initial:
            first = numbers(self.rng, self.shape, "any")
            others.append(initialization("near", Tensor(self.shape, data=first, scale=1.0)))
            handles.insert(0, call_once())
        return build(tensors, [*handles, *steps], [0], [3], others)


delays = st.builds(
    Delay,
    shape=shapes(100),
    scales=st.tuples(scales, scales, scales),
    zero_points=st.tuples(zero_points, zero_points, zero_points),
    order=st.sampled_from(
        ["read, add, assign", "read, assign, add", "assign, read, add", "assign sum", "twice"]
    ),
    initial=st.booleans(),
    second_handle=st.booleans(),
    seed=seeds,
)

STATE_STRATEGIES: Mapping[str, st.SearchStrategy[Case]] = {
    "ASSIGN_VARIABLE": delays,
    "READ_VARIABLE": delays,
}
