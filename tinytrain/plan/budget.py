"""The plan that fits a budget of arena, with as few instructions beyond the plain one's as can be.

What an operator needs, alone or as a chain, is estimated by the sizes of what is alive at its turn.
The cheapest way through all operators within a bound on that is a shortest path. Bounds that shrink
step by step, from none on, give ways that need less and less and cost more and more, and each is
laid out as it would be. Where none fits, more chains are put beside those of the smallest. All this
does not depend on the budget, so that what a refusal names as the smallest arena does fit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.operators.kernel import Kernel
from tinytrain.plan.chains import Chain, links_of, make_chain, most_rows
from tinytrain.plan.memory import Memory, MemoryPlan, Step, aligned, describe, plan_memory

MAX_LINKS = 12
"""Of a chain: each takes some stack."""
MAX_STEPS = 512
"""Of a chain: images that are higher have more than one row a step."""
MORE = 200
"""Chains that are tried beside those of the smallest plan: in layers of one size, every output
moves a little further down, and each chain ends that.
"""


@dataclass(frozen=True)
class _Way:
    """Operators [0, n), alone or in chains."""

    extra: int
    """Instructions beyond those of the operators alone."""
    need: int
    """Bytes that the neediest of its parts takes."""
    chains: tuple[Chain, ...]

    def then(self, extra: int, need: int, chains: tuple[Chain, ...]) -> _Way:
        return _Way(self.extra + extra, max(self.need, need), self.chains + chains)


@dataclass(frozen=True)
class _Candidate:
    chain: Chain
    need: int


class TooLittleRam(InputError):
    """`asked` is what nothing fits, `smallest` says what the smallest arena takes."""

    def __init__(self, asked: str, smallest: str) -> None:
        super().__init__(f"{asked}: {smallest}")
        self.smallest = smallest


def plan_within(
    graph: Graph,
    kernels: Sequence[Kernel],
    by_rows: Collection[int],
    budget: int | None,
    renewed: Collection[int] = (),
) -> MemoryPlan:
    """The plain plan where it fits or there is no budget. `by_rows`: operators with a kernel that
    can make some rows of its output alone; `renewed`: others with one, whose statistics keep them
    from it. Raises TooLittleRam where nothing fits.
    """
    plain = plan_memory(graph, kernels)
    if budget is None or plain.arena_bytes <= budget:
        return plain
    found: list[_Laid] = []
    for laid in _laid_out(graph, kernels, by_rows):
        if any(known.extra < laid.extra and known.arena <= budget for known in found):
            break
        found.append(laid)
    fitting = [laid for laid in found if laid.arena <= budget]
    if not fitting:
        smallest = min(found, key=lambda laid: laid.arena)
        said = _smallest(graph, kernels, smallest.plan) + _kept_whole(len(renewed))
        raise TooLittleRam(f"--ram {budget}", said)
    return min(fitting, key=lambda laid: (laid.extra, laid.arena)).plan


@dataclass(frozen=True, eq=False)
class _Laid:
    """A plan, and the instructions that it takes beyond the plain one."""

    extra: int
    plan: MemoryPlan

    @property
    def arena(self) -> int:
        return self.plan.arena_bytes


def _laid_out(graph: Graph, kernels: Sequence[Kernel], by_rows: Collection[int]) -> Iterator[_Laid]:
    """The cheapest ways within ever smaller bounds, then the smallest of them with more chains."""
    memory = describe(graph, kernels)
    candidates = _candidates(graph, kernels, by_rows)
    found = []
    for way in _ways(memory, candidates):
        found.append(_Laid(way.extra, plan_memory(graph, kernels, way.chains)))
        yield found[-1]
    smallest, best = None, min(found, key=lambda laid: laid.arena)
    chains = sorted(
        (c for same in candidates.values() for c in same), key=lambda c: (c.need, c.chain.extra)
    )
    while smallest is None or best.arena < smallest.arena:
        smallest = best
        for candidate in chains[:MORE]:
            if any(smallest.plan.chain_of(i) for i in candidate.chain.operators):
                continue
            plan = plan_memory(graph, kernels, (*smallest.plan.chains, candidate.chain))
            laid = _Laid(smallest.extra + candidate.chain.extra, plan)
            yield laid
            best = min(best, laid, key=lambda laid: (laid.arena, laid.extra))


def _ways(memory: Memory, candidates: Mapping[int, Sequence[_Candidate]]) -> Iterator[_Way]:
    """Ever smaller, and ever costlier; the first one is without chains."""
    alone = [_need(memory, step) for step in memory.steps]
    way = _cheapest(alone, candidates, max(alone))
    while way is not None:
        yield way
        way = _cheapest(alone, candidates, way.need - 1)


def _cheapest(
    alone: Sequence[int], candidates: Mapping[int, Sequence[_Candidate]], bound: int
) -> _Way | None:
    """The way of which no part needs more than `bound`; candidates by their last operator."""
    ways: list[_Way | None] = [_Way(0, 0, ())]
    for index, need in enumerate(alone):
        found = []
        before = ways[index]
        if before is not None and need <= bound:
            found.append(before.then(0, need, ()))
        for candidate in candidates.get(index, ()):
            before = ways[candidate.chain.first]
            if before is not None and candidate.need <= bound:
                chain = candidate.chain
                found.append(before.then(max(chain.extra, 1), candidate.need, (chain,)))
        ways.append(min(found, key=lambda way: (way.extra, way.need)) if found else None)
    return ways[-1]


def _need(memory: Memory, step: Step) -> int:
    """Bytes of what is alive at an operator's turn, where its output overlaps what it may."""
    lives, sizes = memory.lives, memory.sizes
    alive = [t for t, (first, last) in lives.items() if first <= step.index <= last]
    output = aligned(sizes[step.outputs[0]])
    saved = [0]
    for tensor, lead in step.leads.items():
        if tensor in lives and lives[tensor][1] == step.index:
            size = aligned(sizes[tensor])
            saved.append(output + size - max(output, min(aligned(lead), output) + size))
    return sum(aligned(sizes[t]) for t in alive) - max(saved)


def _candidates(
    graph: Graph, kernels: Sequence[Kernel], by_rows: Collection[int]
) -> dict[int, list[_Candidate]]:
    """Every chain that there can be, by its last operator; of those of the same operators, what
    costs more and needs no less is left out."""
    found: dict[int, list[_Candidate]] = {}
    for operators in chainable(graph, kernels, by_rows):
        first, last = operators[0], operators[-1]
        same: list[_Candidate] = []
        for rows in _rows_a_step(most_rows(links_of(graph, kernels[first : last + 1]))):
            chain = make_chain(graph, kernels, first, last, rows)
            memory = describe(graph, kernels, (chain,))
            (step,) = (step for step in memory.steps if step.index == last)
            need = _need(memory, step)
            if all(need < c.need or chain.extra < c.chain.extra for c in same):
                same.append(_Candidate(chain, need))
        found.setdefault(last, []).extend(same)
    return found


def chainable(graph: Graph, kernels: Sequence[Kernel], by_rows: Collection[int]) -> Iterator[range]:
    """The operators that can be a chain, by their last one: all make images by rows, and what they
    make is read among them alone, but for the last output."""
    able = {i for i in by_rows if _of_images(graph, kernels[i])}
    reader = _last_readers(graph, kernels)
    for last in sorted(able):
        for first in reversed(range(max(last - MAX_LINKS + 1, 0), last)):
            if first not in able or not first < reader[first] <= last:
                break
            yield range(first, last + 1)


def _of_images(graph: Graph, kernel: Kernel) -> bool:
    """Whether what it reads and writes lies in the arena in rows, and changes for nobody else."""
    tensors = [graph.tensors[tensor] for tensor in (*kernel.inputs, *kernel.outputs)]
    return all(
        len(t.shape) == 4 and t.shape[0] == 1 and t.data is None and not t.is_variable
        for t in tensors
    )


def _last_readers(graph: Graph, kernels: Sequence[Kernel]) -> list[int]:
    """The last operator that reads each one's output; the number of operators for an output."""
    found = {t: kernel.index for kernel in kernels for t in (*kernel.inputs, *kernel.state)}
    found.update(dict.fromkeys(graph.outputs, len(kernels)))
    return [found.get(kernel.outputs[0], -1) for kernel in kernels]


def _rows_a_step(height: int) -> list[int]:
    """The fewer, the smaller the buffers; the more, the fewer calls."""
    found = [1]
    while found[-1] * MAX_STEPS < height:
        found[0] *= 2
    while found[-1] * 2 < height:
        found.append(found[-1] * 2)
    # Kernels work on blocks of three pixels: of three rows, however wide, none is left over.
    return sorted([*found, *(rows * 3 for rows in found if rows * 3 < height)])


def _smallest(graph: Graph, kernels: Sequence[Kernel], plan: MemoryPlan) -> str:
    """What the smallest plan takes, and which of its operators sets it."""
    memory = describe(graph, kernels, plan.chains)
    neediest = max(memory.steps, key=lambda step: _need(memory, step))
    chain = plan.chain_of(neediest.index)
    kind = kernels[neediest.index].kind
    who = f"operator {neediest.index} ({kind}) sets it"
    if chain is not None:
        who = f"operators {chain.first} to {chain.last}, row by row, set it"
    alive = [
        memory.sizes[t]
        for t, (first, last) in memory.lives.items()
        if first <= neediest.index <= last
    ]
    sizes = ", ".join(f"{size:,}" for size in alive)
    overlap = " that overlap" if sum(alive) > plan.arena_bytes else ""
    return (
        f"the smallest arena is {plan.arena_bytes:,} bytes; {who}, with tensors of {sizes} "
        f"bytes{overlap}"
    )


def _kept_whole(renewed: int) -> str:
    if not renewed:
        return ""
    return (
        f"; layers whose statistics are renewed (--statistics), here {renewed}, do not run row by "
        "row"
    )
