"""Where every activation lies in the arena, so that the arena is as small as possible.

A tensor lives from the operator that writes it to the last that reads it. Tensors that live at the
same time may not overlap. An operator that allows it writes onto an input that dies there: both
are then one block. Blocks are packed first-fit in several orders, and the best packing is taken.

A variable lives for ever and is never one block with another tensor: an operator that writes onto
what was read from it would change it.
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
    """The most bytes of tensors alive at once: the least that any packing without writing in place
    can reach."""


@dataclass(frozen=True)
class _Block:
    """Tensors that share one stretch."""

    tensors: tuple[int, ...]
    bytes: int
    first: int
    last: int


def plan_memory(graph: Graph, kernels: Sequence[Kernel]) -> MemoryPlan:
    lives = _lifetimes(graph, kernels)
    blocks = _merge_in_place(graph, kernels, lives)
    packings = (_pack(sorted(blocks, key=order)) for order in _ORDERS)
    offsets = min(packings, key=lambda packing: _end(blocks, packing))
    placements = {
        tensor: Placement(tensor, offsets[block], graph.tensors[tensor].bytes, *lives[tensor])
        for block in blocks
        for tensor in block.tensors
    }
    peak = max(
        sum(_aligned(graph.tensors[t].bytes) for t, (a, b) in lives.items() if a <= step <= b)
        for step in range(len(kernels))
    )
    return MemoryPlan(_end(blocks, offsets), placements, peak)


_ORDERS: tuple[Callable[[_Block], tuple[int, ...]], ...] = (
    lambda block: (-block.bytes, block.first),
    lambda block: (-(block.last - block.first), -block.bytes),
    lambda block: (-block.bytes * (block.last - block.first + 1),),
    lambda block: (block.first, -block.bytes),
    lambda block: (-block.last, -block.bytes),
)


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
        mergeable = kernel.in_place and not graph.tensors[output].is_variable
        for tensor in _activations(graph, kernel) if mergeable else ():
            under, over = block_of[tensor], block_of[output]
            same_size = graph.tensors[tensor].bytes == graph.tensors[output].bytes
            if lives[tensor][1] == step == under.last and same_size:
                merged = _Block(under.tensors + over.tensors, over.bytes, under.first, over.last)
                block_of.update(dict.fromkeys(merged.tensors, merged))
                break
    return list(dict.fromkeys(block_of.values()))


def _pack(blocks: Sequence[_Block]) -> dict[_Block, int]:
    """Each block in turn at the lowest offset that is free for its whole life."""
    offsets: dict[_Block, int] = {}
    for block in blocks:
        taken = sorted(
            (offset, offset + other.bytes)
            for other, offset in offsets.items()
            if other.first <= block.last and block.first <= other.last
        )
        place = 0
        for start, end in taken:
            if place + block.bytes <= start:
                break
            place = max(place, end)
        offsets[block] = place
    return offsets


def _end(blocks: Sequence[_Block], offsets: Mapping[_Block, int]) -> int:
    return max(offsets[block] + block.bytes for block in blocks)
