"""Where every activation lies in the arena, so that the arena is as small as possible.

A tensor lives from the operator that writes it to the last that reads it. Tensors that live at the
same time may not overlap, but an operator's output and an input that dies there may, by the
operator's `leads`. Where an operator can write onto an input of its size, both are one block.
Blocks are packed first-fit in several orders, with and without overlap, and the best packing is
taken.

A variable lives for ever and never overlaps another tensor: an operator that writes onto what was
read from it would change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tinytrain.graph import Graph
from tinytrain.operators.kernel import Kernel

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
    """By tensor."""
    live_peak: int
    """The most bytes of tensors alive at once: the least that any packing without overlap can
    reach."""


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


def plan_memory(graph: Graph, kernels: Sequence[Kernel]) -> MemoryPlan:
    lives = _lifetimes(graph, kernels)
    blocks = _merge_in_place(graph, kernels, lives)
    leads = _leads(kernels, blocks)
    orders = [sorted(blocks, key=order) for order in _ORDERS]
    packings = [_pack(order, {}) for order in orders]
    packings += [_improve(order, leads) for order in orders if leads]
    offsets = min(packings, key=_end)
    placements = {
        tensor: Placement(tensor, offsets[block], graph.tensors[tensor].bytes, *lives[tensor])
        for block in blocks
        for tensor in block.tensors
    }
    peak = max(
        sum(_aligned(graph.tensors[t].bytes) for t, (a, b) in lives.items() if a <= step <= b)
        for step in range(len(kernels))
    )
    return MemoryPlan(_end(offsets), placements, peak)


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


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _lifetimes(graph: Graph, kernels: Sequence[Kernel]) -> dict[int, tuple[int, int]]:
    """(first, last) of every activation that is written or given."""
    lives = {tensor: (-1, 0) for tensor in (*graph.inputs, *graph.variables)}
    for step, kernel in enumerate(kernels):
        for tensor in _activations(graph, kernel):
            lives[tensor] = (lives[tensor][0], step)
        for tensor in kernel.outputs:
            lives[tensor] = (step, step)
    for tensor in graph.outputs:
        lives[tensor] = (lives[tensor][0], len(kernels))
    return lives | {tensor: (-1, len(kernels)) for tensor in graph.variables}


def _activations(graph: Graph, kernel: Kernel) -> list[int]:
    """The operands that lie in the arena."""
    return [tensor for tensor in kernel.inputs if graph.tensors[tensor].data is None]


def _merge_in_place(
    graph: Graph, kernels: Sequence[Kernel], lives: Mapping[int, tuple[int, int]]
) -> list[_Block]:
    """One block a tensor, merged where an operator may write onto an input of the same size."""
    block_of = {
        tensor: _Block((tensor,), _aligned(graph.tensors[tensor].bytes), first, last)
        for tensor, (first, last) in lives.items()
    }
    for step, kernel in enumerate(kernels):
        output = kernel.outputs[0]
        for tensor in _activations(graph, kernel):
            under, over = block_of[tensor], block_of[output]
            same_size = graph.tensors[tensor].bytes == graph.tensors[output].bytes
            in_place = same_size and kernel.leads.get(tensor) == 0
            if in_place and lives[tensor][1] == under.last == over.first == step:
                merged = _Block(under.tensors + over.tensors, over.bytes, under.first, over.last)
                block_of.update(dict.fromkeys(merged.tensors, merged))
                break
    return list(dict.fromkeys(block_of.values()))


def _leads(kernels: Sequence[Kernel], blocks: Sequence[_Block]) -> _Leads:
    """Of outputs over inputs that die when they are written."""
    block_of = {tensor: block for block in blocks for tensor in block.tensors}
    found: dict[tuple[_Block, _Block], int] = {}
    for step, kernel in enumerate(kernels):
        output = block_of[kernel.outputs[0]]
        for tensor, lead in kernel.leads.items():
            under = block_of.get(tensor)
            if under is not None and under.last == step == output.first:
                found[output, under] = min(_aligned(lead), output.bytes)
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
