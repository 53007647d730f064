"""Where every activation lies in the arena, so that the arena is as small as possible.

A tensor lives from the operator that writes it to the last that reads it. Tensors that live at the
same time may not overlap, but an operator's output and an input that dies there may, by the
operator's `leads`. Where an operator can write onto an input of its size, both are one block.
Blocks are packed first-fit in several orders, with and without overlap, and the best packing is
taken.

A variable lives for ever and never overlaps another tensor: an operator that writes onto what was
read from it would change it.

A chain of operators that runs row by row (chains.py) is one operator here, in the place of its last
one, and the buffers of what lies between them live while it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tinytrain.graph import Graph
from tinytrain.operators.kernel import Kernel
from tinytrain.plan.chains import Chain

ALIGNMENT = 4


@dataclass(frozen=True)
class Placement:
    """A tensor's stretch of the arena, and when it is alive."""

    tensor: int
    offset: int
    bytes: int
    first: int
    """The operator that writes it; -1 for a graph input or a variable."""
    last: int
    """The last operator that reads it; the number of operators for a graph output or a variable."""


@dataclass(frozen=True)
class MemoryPlan:
    arena_bytes: int
    placements: Mapping[int, Placement]
    """By tensor; those inside a chain are in `buffers`."""
    live_peak: int
    """The most bytes of tensors alive at once: the least that any packing without overlap can
    reach."""
    chains: tuple[Chain, ...] = ()
    """What runs row by row."""
    buffers: Mapping[int, Placement] = field(default_factory=dict)
    """By tensor inside a chain: where some of its rows lie while the chain runs."""

    def chain_of(self, operator: int) -> Chain | None:
        """The one that an operator is in."""
        return next((chain for chain in self.chains if operator in chain.operators), None)


@dataclass(frozen=True)
class Step:
    """What happens at an operator's turn, as far as memory goes."""

    index: int
    inputs: tuple[int, ...]
    """The operands that lie in the arena."""
    outputs: tuple[int, ...]
    leads: Mapping[int, int]
    """Of the first output over inputs."""


@dataclass(frozen=True)
class Memory:
    """What there is to place, and when."""

    steps: tuple[Step, ...]
    lives: Mapping[int, tuple[int, int]]
    """(first, last) of every activation that is written or given."""
    sizes: Mapping[int, int]
    """Bytes of each."""


@dataclass(frozen=True, eq=False)
class _Block:
    """Tensors that share one stretch."""

    tensors: tuple[int, ...]
    bytes: int
    first: int
    last: int


_Leads = Mapping[tuple[_Block, _Block], int]
"""By (lower, upper): how far apart the two have to start for the lower one to end in the upper."""

_Packing = Mapping[_Block, int]
"""Offsets."""


def plan_memory(
    graph: Graph, kernels: Sequence[Kernel], chains: Sequence[Chain] = ()
) -> MemoryPlan:
    memory = describe(graph, kernels, chains)
    lives, sizes = memory.lives, memory.sizes
    blocks = _merge_in_place(memory)
    leads = _leads(memory.steps, blocks)
    orders = [sorted(blocks, key=order) for order in _ORDERS]
    packings = [_pack(order, {}) for order in orders]
    packings += [_improve(order, leads) for order in orders if leads]
    offsets = min(packings, key=_end)
    placements = {
        tensor: Placement(tensor, offsets[block], sizes[tensor], *lives[tensor])
        for block in blocks
        for tensor in block.tensors
    }
    peak = max(
        sum(aligned(sizes[t]) for t, (a, b) in lives.items() if a <= step <= b)
        for step in range(len(kernels))
    )
    inside = [link.tensor for chain in chains for link in chain.between]
    buffers = {tensor: placements.pop(tensor) for tensor in inside}
    return MemoryPlan(_end(offsets), placements, peak, tuple(chains), buffers)


def describe(graph: Graph, kernels: Sequence[Kernel], chains: Sequence[Chain] = ()) -> Memory:
    steps = _steps(graph, kernels, chains)
    lives = _lifetimes(graph, steps, len(kernels))
    sizes = {tensor: graph.tensors[tensor].bytes for tensor in lives}
    for chain in chains:
        for link, rows in zip(chain.between, chain.buffers, strict=True):
            sizes[link.tensor] = rows * link.row_bytes
    return Memory(steps, lives, sizes)


_ORDERS: tuple[Callable[[_Block], tuple[int, ...]], ...] = (
    lambda block: (-block.bytes, block.first),
    lambda block: (-(block.last - block.first), -block.bytes),
    lambda block: (-block.bytes * (block.last - block.first + 1),),
    lambda block: (block.first, -block.bytes),
    lambda block: (-block.last, -block.bytes),
    lambda block: (-block.first, -block.bytes),
)

_ROUNDS = 10
_WORK = 1 << 20
"""Pairs of blocks looked at in all rounds: graphs of more than 300 operators get fewer rounds."""


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _steps(graph: Graph, kernels: Sequence[Kernel], chains: Sequence[Chain]) -> tuple[Step, ...]:
    chained = {i: chain for chain in chains for i in chain.operators}
    found = []
    for index, kernel in enumerate(kernels):
        chain = chained.get(index)
        if chain is None:
            found.append(Step(index, _activations(graph, kernel), kernel.outputs, kernel.leads))
        elif index == chain.last:
            outputs = (kernel.outputs[0], *(link.tensor for link in chain.between))
            found.append(Step(index, tuple(chain.leads), outputs, chain.leads))
    return tuple(found)


def _lifetimes(graph: Graph, steps: Sequence[Step], count: int) -> dict[int, tuple[int, int]]:
    lives = {tensor: (-1, 0) for tensor in (*graph.inputs, *graph.variables)}
    for step in steps:
        for tensor in step.inputs:
            lives[tensor] = (lives[tensor][0], step.index)
        for tensor in step.outputs:
            lives[tensor] = (step.index, step.index)
    for tensor in graph.outputs:
        lives[tensor] = (lives[tensor][0], count)
    return lives | {tensor: (-1, count) for tensor in graph.variables}


def _activations(graph: Graph, kernel: Kernel) -> tuple[int, ...]:
    """The operands that lie in the arena."""
    return tuple(tensor for tensor in kernel.inputs if graph.tensors[tensor].data is None)


def _merge_in_place(memory: Memory) -> list[_Block]:
    """One block a tensor, merged where an operator may write onto an input of the same size."""
    lives, sizes = memory.lives, memory.sizes
    block_of = {
        tensor: _Block((tensor,), aligned(sizes[tensor]), first, last)
        for tensor, (first, last) in lives.items()
    }
    for step in memory.steps:
        output = step.outputs[0]
        for tensor in step.inputs:
            under, over = block_of[tensor], block_of[output]
            in_place = sizes[tensor] == sizes[output] and step.leads.get(tensor) == 0
            if in_place and lives[tensor][1] == under.last == over.first == step.index:
                merged = _Block(under.tensors + over.tensors, over.bytes, under.first, over.last)
                block_of.update(dict.fromkeys(merged.tensors, merged))
                break
    return list(dict.fromkeys(block_of.values()))


def _leads(steps: Sequence[Step], blocks: Sequence[_Block]) -> _Leads:
    """Of outputs over inputs that die when they are written."""
    block_of = {tensor: block for block in blocks for tensor in block.tensors}
    found: dict[tuple[_Block, _Block], int] = {}
    for step in steps:
        output = block_of[step.outputs[0]]
        for tensor, lead in step.leads.items():
            under = block_of.get(tensor)
            if under is not None and under.last == step.index == output.first:
                found[output, under] = min(aligned(lead), output.bytes)
    return found


def _improve(blocks: Sequence[_Block], leads: _Leads) -> _Packing:
    """The best of a few packings: each starts with the block that ended last in the one before."""
    order = list(blocks)
    best = offsets = _pack(order, leads)
    for _ in range(min(_ROUNDS, _WORK // len(order) ** 2)):
        highest = _highest(offsets)
        order = [highest, *(block for block in order if block is not highest)]
        offsets = _pack(order, leads)
        best = min(best, offsets, key=_end)
    return best


def _pack(blocks: Sequence[_Block], leads: _Leads) -> _Packing:
    """Each block in turn at the lowest offset that is free for its whole life."""
    offsets: dict[_Block, int] = {}
    for block in blocks:
        # Between the offsets of a pair, the block would be neither below nor above the other.
        taken = sorted(
            (
                offset - leads.get((block, other), block.bytes),
                offset + leads.get((other, block), other.bytes),
            )
            for other, offset in offsets.items()
            if other.first <= block.last and block.first <= other.last
        )
        place = 0
        for below, above in taken:
            if place <= below:
                break
            place = max(place, above)
        offsets[block] = place
    return offsets


def _highest(offsets: _Packing) -> _Block:
    return max(offsets, key=lambda block: offsets[block] + block.bytes)


def _end(offsets: _Packing) -> int:
    highest = _highest(offsets)
    return offsets[highest] + highest.bytes
