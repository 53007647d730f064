"""Chains run row by row in the arena that is planned for them, and a budget is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.reference_models import reference_model
from tests.models import Operator, Tensor, build
from tests.operators.random_chains import RandomChain
from tinytrain.converters.tflite import parse_tflite
from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.operators.convolution import Convolution
from tinytrain.operators.elementwise import Add
from tinytrain.operators.kernel import Kernel
from tinytrain.operators.table import require_kernels
from tinytrain.plan.budget import chainable, plan_within
from tinytrain.plan.chains import Chain, make_chain, steps
from tinytrain.plan.memory import ALIGNMENT, MemoryPlan, plan_memory
from tinytrain.variants.choose import row_operators

seeds = st.integers(0, 1 << 32)

Prepared = tuple[Graph, tuple[Kernel, ...]]


def prepare(data: bytes) -> Prepared:
    graph = parse_tflite(data, "chain")
    return graph, require_kernels(graph)


def rows_read(kernel: Kernel, row: int) -> set[int]:
    """Of each input, by the definition of a convolution; an addition reads the same row of both."""
    if isinstance(kernel.parameters, Add):
        return {row}
    layer = kernel.parameters
    assert isinstance(layer, Convolution)
    top = row * layer.stride_height - layer.pad_top
    return set(range(top, top + layer.kernel_height)) & set(range(layer.input_height))


def rows_coming(
    kernels: Sequence[Kernel], height: int, made: Mapping[int, set[int]]
) -> dict[int, set[int]]:
    """By tensor, what the kernels still have to read until the last one's output, of that height,
    is whole."""
    wanted = {tensor: set[int]() for kernel in kernels for tensor in kernel.inputs}
    wanted[kernels[-1].outputs[0]] = set(range(height))
    for kernel in reversed(kernels):
        output = kernel.outputs[0]
        for row in wanted[output] - made[output]:
            for tensor in kernel.inputs:
                wanted[tensor] |= rows_read(kernel, row)
    return wanted


class Arena:
    """Bytes that know which byte of which tensor they are."""

    def __init__(self, size: int) -> None:
        self.bytes = np.full(size, -1, np.int64)

    def write(self, offset: int, tensor: int, first: int, count: int) -> None:
        self.bytes[offset : offset + count] = self.tags(tensor, first, count)

    def expect(self, offset: int, tensor: int, first: int, count: int) -> None:
        np.testing.assert_array_equal(
            self.bytes[offset : offset + count], self.tags(tensor, first, count)
        )

    @staticmethod
    def tags(tensor: int, first: int, count: int) -> NDArray[np.int64]:
        return (tensor << 32) + first + np.arange(count)


class ChainRun:
    """A chain's steps in an arena, with sets of rows in place of bounds; every row that is read has
    to be there, and none is made twice."""

    def __init__(
        self, graph: Graph, kernels: Sequence[Kernel], chain: Chain, plan: MemoryPlan, arena: Arena
    ) -> None:
        self.graph, self.plan, self.arena, self.chain = graph, plan, arena, chain
        self.kernels = [kernels[i] for i in chain.operators]
        outputs = [kernel.outputs[0] for kernel in self.kernels]
        self.output = outputs[-1]
        self.made: dict[int, set[int]] = {tensor: set() for tensor in outputs}
        self.held: dict[int, list[int]] = {tensor: [] for tensor in outputs}

    def run(self) -> None:
        height = self.graph.tensors[self.output].shape[1]
        for step in steps(self.chain.links, self.chain.rows):
            for kernel, rows in zip(self.kernels, step[len(self.chain.leads) :], strict=True):
                tensor = kernel.outputs[0]
                coming = rows_coming(self.kernels, height, self.made)[tensor]
                # Rows that a stride passes over may be made, too; nobody reads them.
                self.make(kernel, [row for row in range(rows.begin, rows.end) if row in coming])
                if tensor != self.output:
                    self.keep(tensor, rows_coming(self.kernels, height, self.made)[tensor])
        assert self.made[self.output] == set(range(height))

    def make(self, kernel: Kernel, rows: list[int]) -> None:
        tensor = kernel.outputs[0]
        assert not self.made[tensor] & set(rows)
        for row in rows:
            for source in kernel.inputs:
                for read in rows_read(kernel, row):
                    self.arena.expect(*self.place(source, read))
            if tensor == self.output:
                self.arena.write(*self.place(tensor, row))
        self.held[tensor] += rows
        self.made[tensor] |= set(rows)

    def keep(self, tensor: int, coming: set[int]) -> None:
        """What no row still to come reads makes room."""
        self.held[tensor] = [row for row in self.held[tensor] if row in coming]
        for row in self.held[tensor]:
            offset, *rest, count = self.place(tensor, row)
            buffer = self.plan.buffers[tensor]
            assert offset + count <= buffer.offset + buffer.bytes
            self.arena.write(offset, *rest, count)

    def place(self, tensor: int, row: int) -> tuple[int, int, int, int]:
        """Offset, tensor, first byte and bytes, as the arena takes them."""
        found = self.graph.tensors[tensor]
        count = found.bytes // found.shape[1]
        buffer = self.plan.buffers.get(tensor)
        if buffer is not None:
            return buffer.offset + self.held[tensor].index(row) * count, tensor, row * count, count
        return self.plan.placements[tensor].offset + row * count, tensor, row * count, count


def simulate(graph: Graph, kernels: Sequence[Kernel], plan: MemoryPlan) -> None:
    """Every whole tensor is intact until its last reader has read it."""
    arena = Arena(plan.arena_bytes)
    for tensor in graph.inputs:
        place = plan.placements[tensor]
        arena.write(place.offset, tensor, 0, place.bytes)
    for kernel in kernels:
        chain = plan.chain_of(kernel.index)
        if chain is not None:
            if kernel.index == chain.last:
                ChainRun(graph, kernels, chain, plan, arena).run()
            continue
        for tensor in kernel.inputs:
            place = plan.placements[tensor]
            arena.expect(place.offset, tensor, 0, place.bytes)
        place = plan.placements[kernel.outputs[0]]
        arena.write(place.offset, kernel.outputs[0], 0, place.bytes)
    for tensor in graph.outputs:
        place = plan.placements[tensor]
        arena.expect(place.offset, tensor, 0, place.bytes)


@given(seeds)
@settings(deadline=None, max_examples=300)
def test_a_chain_finds_every_row_that_it_reads(seed: int) -> None:
    case = RandomChain(seed)
    graph, kernels = prepare(case.build())
    plan = case.plan(graph, kernels)
    assert plan.chains
    simulate(graph, kernels, plan)


@given(seeds)
@settings(deadline=None, max_examples=60)
def test_what_lies_inside_a_chain_has_its_rows_and_nothing_else_there(seed: int) -> None:
    case = RandomChain(seed)
    graph, kernels = prepare(case.build())
    plan = case.plan(graph, kernels)
    inside = {kernels[i].outputs[0] for chain in plan.chains for i in chain.operators[:-1]}
    assert set(plan.buffers) == inside
    assert not inside & set(plan.placements)
    for buffer in plan.buffers.values():
        assert buffer.offset % ALIGNMENT == 0
        assert buffer.offset + buffer.bytes <= plan.arena_bytes
        for other in [*plan.placements.values(), *plan.buffers.values()]:
            if other is not buffer and other.first <= buffer.last <= other.last:
                ends = other.offset + other.bytes, buffer.offset + buffer.bytes
                assert ends[0] <= buffer.offset or ends[1] <= other.offset


def smallest_of(graph: Graph, kernels: Sequence[Kernel], by_rows: Sequence[int]) -> int:
    """What a refusal says."""
    with pytest.raises(InputError) as refused:
        plan_within(graph, kernels, by_rows, 1)
    found = re.match(r"--ram 1: the smallest arena is ([\d,]+) bytes; op", str(refused.value))
    assert found is not None
    return int(found[1].replace(",", ""))


@given(seeds)
@settings(deadline=None, max_examples=60)
def test_a_budget_is_kept_down_to_the_smallest_arena(seed: int) -> None:
    graph, kernels = prepare(RandomChain(seed).build())
    by_rows = range(len(kernels))
    plain = plan_memory(graph, kernels)
    smallest = smallest_of(graph, kernels, by_rows)
    assert smallest <= plain.arena_bytes
    for budget in {smallest, (smallest + plain.arena_bytes) // 2}:
        plan = plan_within(graph, kernels, by_rows, budget)
        assert plan.arena_bytes <= budget
        simulate(graph, kernels, plan)
    with pytest.raises(InputError):
        plan_within(graph, kernels, by_rows, smallest - 1)


@given(seeds)
@settings(deadline=None, max_examples=40)
def test_nothing_runs_by_rows_where_the_plain_plan_fits(seed: int) -> None:
    graph, kernels = prepare(RandomChain(seed).build())
    plain = plan_memory(graph, kernels)
    assert plan_within(graph, kernels, range(len(kernels)), plain.arena_bytes) == plain
    assert plan_within(graph, kernels, range(len(kernels)), None) == plain


@given(seeds)
@settings(deadline=None, max_examples=40)
def test_operators_without_such_a_kernel_are_in_no_chain(seed: int) -> None:
    graph, kernels = prepare(RandomChain(seed).build())
    without = int(np.random.default_rng(seed).integers(len(kernels)))
    by_rows = [i for i in range(len(kernels)) if i != without]
    plan = plan_within(graph, kernels, by_rows, smallest_of(graph, kernels, by_rows))
    assert plan.chain_of(without) is None


def expanding(readers: int = 1, output: bool = False) -> Prepared:
    """A 1x1 convolution to 16 channels, and a 3x3 one back to 4; `readers` of what is in between,
    which may be an output."""
    image = (1, 20, 10, 4)
    between, weights = (1, 20, 10, 16), ((16, 1, 1, 4), (4, 3, 3, 16))
    tensors = [Tensor(image, scale=0.5), Tensor(between, scale=400.0)]
    tensors += [Tensor(shape, scale=0.5, data=np.ones(shape)) for shape in weights]
    tensors += [Tensor(image, scale=9e5) for _ in range(readers)]
    one = {"strideH": 1, "strideW": 1, "padding": "SAME"}
    operators = [Operator("CONV_2D", (0, 2), (1,), "Conv2DOptions", one)]
    operators += [
        Operator("CONV_2D", (1, 3), (4 + i,), "Conv2DOptions", one) for i in range(readers)
    ]
    outputs = [4 + i for i in range(readers)] + [1] * output
    return prepare(build(tensors, operators, [0], outputs))


def test_what_is_wide_between_two_layers_needs_a_few_rows() -> None:
    graph, kernels = expanding()
    plan = plan_within(graph, kernels, [0, 1], 1300)
    assert [(c.first, c.last, c.rows, c.buffers) for c in plan.chains] == [(0, 1, 1, (3,))]
    # Input and output, one behind the other by no more than a row, and three rows.
    assert plan.arena_bytes == 20 * 10 * 4 + 3 * 10 * 16


@pytest.mark.parametrize(("readers", "output"), [(2, False), (1, True)])
def test_what_others_read_stays_whole(readers: int, output: bool) -> None:
    graph, kernels = expanding(readers, output)
    with pytest.raises(InputError, match="smallest arena") as refused:
        plan_within(graph, kernels, range(len(kernels)), 1300)
    assert "row by row" not in str(refused.value)


IMAGE = (1, 16, 10, 4)


def residual(stride: int = 1, between: bool = False) -> Prepared:
    """Two 3x3 convolutions, and the sum of what they make and their input, through a 1x1
    convolution where the stride is not 1. `between`: the first one's output is one of the model."""
    shape = (1, IMAGE[1] // stride, IMAGE[2] // stride, 4)
    tensors = [Tensor(IMAGE, scale=0.5)]
    operators = []

    def layer(x: int, kernel: int, step: int) -> int:
        weights = (4, kernel, kernel, 4)
        tensors.append(Tensor(weights, scale=0.01, data=np.ones(weights)))
        tensors.append(Tensor(shape, scale=0.5))
        options = {"strideH": step, "strideW": step, "padding": "SAME"}
        y = len(tensors) - 1
        operators.append(Operator("CONV_2D", (x, y - 1), (y,), "Conv2DOptions", options))
        return y

    first = layer(0, 3, stride)
    second = layer(first, 3, 1)
    skip = 0 if stride == 1 else layer(0, 1, stride)
    tensors.append(Tensor(shape, scale=1.0))
    output = len(tensors) - 1
    operators.append(Operator("ADD", (second, skip), (output,), "AddOptions"))
    return prepare(build(tensors, operators, [0], [output] + [first] * between))


def test_a_residual_block_runs_onto_its_input() -> None:
    graph, kernels = residual()
    chain = make_chain(graph, kernels, 0, 2, 1)
    assert (chain.buffers, chain.leads) == ((3, 1), {0: 0})
    plan = plan_memory(graph, kernels, [chain])
    assert plan.arena_bytes == (IMAGE[1] + 3 + 1) * 10 * 4
    assert plan.placements[kernels[-1].outputs[0]].offset == plan.placements[0].offset
    simulate(graph, kernels, plan)


@pytest.mark.parametrize(("rows", "buffers"), [(1, (3, 1, 1)), (2, (4, 2, 2)), (8, (8, 8, 8))])
def test_a_projected_residual_block_is_one_chain(rows: int, buffers: tuple[int, ...]) -> None:
    graph, kernels = residual(stride=2)
    chain = make_chain(graph, kernels, 0, 3, rows)
    assert (chain.buffers, chain.leads) == (buffers, {0: 0})
    simulate(graph, kernels, plan_memory(graph, kernels, [chain]))


def test_an_addition_reads_what_lies_whole_before_the_chain() -> None:
    graph, kernels = residual()
    chain = make_chain(graph, kernels, 1, 2, 1)
    first = kernels[0].outputs[0]
    # The second layer's window reaches a row above the one that is written.
    assert (chain.buffers, chain.leads) == ((1,), {first: 40, 0: 0})
    simulate(graph, kernels, plan_memory(graph, kernels, [chain]))


def chainable_spans(prepared: Prepared) -> list[tuple[int, int]]:
    graph, kernels = prepared
    return [(r[0], r[-1]) for r in chainable(graph, kernels, range(len(kernels)))]


def test_what_is_made_in_a_chain_is_read_in_it_alone() -> None:
    assert chainable_spans(residual()) == [(0, 1), (1, 2), (0, 2)]
    assert chainable_spans(residual(between=True)) == [(1, 2)]
    # The 1x1 convolution stands between the second layer and the addition.
    assert chainable_spans(residual(stride=2)) == [(0, 1), (2, 3), (1, 3), (0, 3)]


@pytest.mark.parametrize("other", ["constant", "channels"])
def test_an_addition_of_anything_but_two_images_is_in_no_chain(other: str) -> None:
    shape = IMAGE if other == "constant" else (1, 1, 1, 4)
    data = np.ones(shape) if other == "constant" else None
    weights = (4, 1, 1, 4)
    tensors = [
        Tensor(IMAGE, scale=0.5),
        Tensor(weights, scale=0.01, data=np.ones(weights)),
        Tensor(IMAGE, scale=0.5),
        Tensor(shape, scale=0.5, data=data),
        Tensor(IMAGE, scale=1.0),
    ]
    one = {"strideH": 1, "strideW": 1, "padding": "SAME"}
    operators = [
        Operator("CONV_2D", (0, 1), (2,), "Conv2DOptions", one),
        Operator("ADD", (2, 3), (4,), "AddOptions"),
    ]
    inputs = [0] if data is not None else [0, 3]
    graph, kernels = prepare(build(tensors, operators, inputs, [4]))
    assert list(chainable(graph, kernels, row_operators(kernels, frozenset()))) == []


def test_a_refusal_names_the_smallest_arena_and_what_sets_it() -> None:
    graph, kernels = expanding()
    with pytest.raises(InputError) as refused:
        plan_within(graph, kernels, [], 1300)
    assert str(refused.value) == (
        "--ram 1300: the smallest arena is 3,252 bytes; operator 1 (CONV_2D) sets it, with "
        "tensors of 3,200, 800 bytes that overlap"
    )
    with pytest.raises(InputError, match="operators 0 to 1, row by row, set it"):
        plan_within(graph, kernels, [0, 1], 1000)


SMALLEST = {"vww": (36_888, 28_152), "ic": (33_312, 16_896)}
"""The arena without a budget, and the smallest."""


@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_arena_of_a_reference_model(name: str) -> None:
    graph, kernels = prepare(reference_model(name))
    by_rows = sorted(row_operators(kernels, frozenset()))
    plain, smallest = SMALLEST[name]
    assert plan_memory(graph, kernels).arena_bytes == plain
    assert smallest_of(graph, kernels, by_rows) == smallest
    plan = plan_within(graph, kernels, by_rows, smallest)
    assert plan.arena_bytes == smallest
