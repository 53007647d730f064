"""Random models with state: variables that are read and assigned, and operators that hold some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tests.models import Operator, Subgraph, Tensor, build
from tests.operators.cases import Case, numbers, scales, seeds, shapes, styles, zero_points

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


def one_operator(tensors: Sequence[Tensor], operator: Operator) -> bytes:
    """The file of a model whose first tensor is the input and whose last is the output."""
    return build(tensors, [operator], [0], [len(tensors) - 1])


@dataclass(frozen=True)
class Svdf(Case):
    """`state_gain`, `output_gain`: log2 of the state's and the output's scale over their sums'.

    A state whose zero point is not 0 must not saturate, so its gain is raised.
    """

    units: int
    rank: int
    memory: int
    depth: int
    state_type: str
    weight_style: str
    scales: tuple[float, float, float]
    zero_points: tuple[int, int, int]
    state_gain: float
    output_gain: float
    bias_bits: int
    activation: str
    seed: int

    def build(self) -> bytes:
        return one_operator(*self.parts())

    def parts(self) -> tuple[list[Tensor], Operator]:
        rng = self.rng
        filters = self.units * self.rank
        wide = self.state_type == "int16"
        input_scale, weight_scale, time_scale = (np.float32(scale) for scale in self.scales)
        x_zero, state_zero, y_zero = self.zero_points
        state_zero = 0 if wide else state_zero
        reach = 255 * 128 * self.depth if state_zero else 1
        state_gain = max(self.state_gain, np.log2(reach / (126 - abs(state_zero))))
        state_scale = np.float32(input_scale * weight_scale * 2.0**state_gain)
        bias_scale = np.float32(state_scale * time_scale)
        output_scale = np.float32(bias_scale * 2.0**self.output_gain)
        time_weights = numbers(rng, (filters, self.memory), self.weight_style).astype(np.int64)
        if wide:
            time_weights = time_weights * 256 + rng.integers(0, 256, time_weights.shape)
        bias = rng.integers(-1 << self.bias_bits, (1 << self.bias_bits) + 1, self.units)
        weights = numbers(rng, (filters, self.depth), self.weight_style)
        tensors = [
            Tensor((1, self.depth), scale=float(input_scale), zero_point=x_zero),
            Tensor((filters, self.depth), scale=float(weight_scale), data=weights),
            Tensor(time_weights.shape, self.state_type, float(time_scale), data=time_weights),
            Tensor((self.units,), "int32", float(bias_scale), data=bias),
            Tensor(
                (1, filters * self.memory),
                self.state_type,
                float(state_scale),
                state_zero,
                is_variable=True,
            ),
            Tensor((1, self.units), scale=float(output_scale), zero_point=y_zero),
        ]
        options = {"rank": self.rank, "fusedActivationFunction": self.activation}
        return tensors, Operator("SVDF", (0, 1, 2, 3, 4), (5,), "SVDFOptions", options)


def svdfs(state_type: str, output_gains: st.SearchStrategy[float]) -> st.SearchStrategy[Case]:
    return st.builds(
        Svdf,
        units=st.integers(1, 4),
        rank=st.integers(1, 3),
        memory=st.integers(1, 7),
        depth=st.integers(1, 9),
        state_type=st.just(state_type),
        weight_style=styles,
        scales=st.tuples(small_scales, small_scales, small_scales),
        zero_points=st.tuples(
            zero_points, st.one_of(st.just(0), st.integers(-100, 100)), zero_points
        ),
        state_gain=st.floats(-6.0, 12.0),
        output_gain=output_gains,
        bias_bits=st.integers(0, 20),
        activation=st.sampled_from(["NONE", "RELU"]),
        seed=seeds,
    )


small_scales = st.floats(2.0**-10, 2.0**-4, width=32)
"""The reference wants the bias's scale to be the product of two others to within 1e-5."""

svdf = st.one_of(svdfs("int8", st.floats(1.1, 16.0)), svdfs("int16", st.floats(8.0, 30.0)))


@dataclass(frozen=True)
class Lstm(Case):
    """`reach`: log2 of how far a gate's sum goes in Q3.12, for the input and the recurrent part."""

    steps: int
    depth: int
    units: int
    time_major: bool
    weight_style: str
    reach: tuple[float, float]
    output_scale: float
    zero_points: tuple[int, int]
    cell_exponent: int
    cell_clip: float
    bias: bool
    seed: int

    def build(self) -> bytes:
        return one_operator(*self.parts())

    def parts(self) -> tuple[list[Tensor], Operator]:
        rng = self.rng
        shape = (
            (lambda n: (self.steps, 1, n)) if self.time_major else (lambda n: (1, self.steps, n))
        )
        x_zero, y_zero = self.zero_points
        tensors = [Tensor(shape(self.depth), scale=0.05, zero_point=x_zero)]
        input_scale = np.float32(0.05)
        for width, scale, reach in (
            (self.depth, input_scale, self.reach[0]),
            (self.units, np.float32(self.output_scale), self.reach[1]),
        ):
            for _ in range(4):
                spread = rng.uniform(0.5, 1.5) / (width * 64 * 128) / 4096
                weights = numbers(rng, (self.units, width), self.weight_style)
                weight_scale = float(np.float32(2.0**reach * spread / scale))
                tensors.append(Tensor(weights.shape, scale=weight_scale, data=weights))
        for gate in range(4):
            bias = rng.integers(-1 << 14, 1 << 14, self.units)
            bias_scale = float(np.float32(tensors[1 + gate].scale) * input_scale)
            tensors.append(Tensor((self.units,), "int32", bias_scale, data=bias * self.bias))
        state = (1, self.units)
        tensors += [
            Tensor(state, scale=self.output_scale, zero_point=y_zero, is_variable=True),
            Tensor(state, "int16", 2.0**self.cell_exponent, is_variable=True),
            Tensor(shape(self.units), scale=self.output_scale, zero_point=y_zero),
        ]
        inputs = (*range(9), -1, -1, -1, 9, 10, 11, 12, -1, -1, 13, 14, -1, -1, -1, -1)
        options = {
            "fusedActivationFunction": "TANH",
            "cellClip": self.cell_clip,
            "timeMajor": self.time_major,
        }
        table = "UnidirectionalSequenceLSTMOptions"
        return tensors, Operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, (15,), table, options)


lstms = st.builds(
    Lstm,
    steps=st.integers(1, 5),
    depth=st.integers(1, 6),
    units=st.integers(1, 6),
    time_major=st.booleans(),
    weight_style=styles,
    reach=st.tuples(st.floats(6.0, 17.0), st.floats(6.0, 17.0)),
    output_scale=st.floats(2.0**-12, 2.0**-5, width=32),
    zero_points=st.tuples(zero_points, zero_points),
    cell_exponent=st.integers(-18, -6),
    cell_clip=st.one_of(st.just(0.0), st.floats(2.0**-8, 8.0, width=32)),
    bias=st.booleans(),
    seed=seeds,
)

STRATEGIES: Mapping[str, st.SearchStrategy[Case]] = {
    "ASSIGN_VARIABLE": delays,
    "READ_VARIABLE": delays,
    "SVDF": svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstms,
}
