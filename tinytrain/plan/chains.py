"""Chains of convolutions and additions that run row by row, so that what lies between them is never
whole.

A chain is a graph: each operator reads the outputs of others in it, or tensors that are whole while
it runs. `tt_run_chain` in firmware/src/fast/chain.c is the twin of `steps`: a step goes on by a few
rows of the operator with the most, and makes what is not there yet of all that this part of the
last output takes. From that follow the rows that each buffer in between has to have, and how far
the last output may overlap what the chain reads.

What a step goes on by is counted in parts of a row, of which there are as many as rows of that
operator go into one row of the last output. Were it counted in whole rows, an operator before
strides would have to make as many rows at once, and all that comes before it, too. For the same
reason the first step starts before the first row: so that no operator begins with a whole window's
rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tinytrain.graph import Graph
from tinytrain.operators.convolution import Convolution, DepthwiseConv2D
from tinytrain.operators.kernel import Kernel

NOTHING = -(1 << 31)
"""Below what any link has to be as far as."""
CALL = 250
"""Instructions of a kernel's call beyond its work, on a Cortex-M4."""
A_BYTE_MOVED = 1.25
A_WEIGHT = 3.0
"""Of a depthwise layer, whose weights each call brings into order."""
A_PRODUCT_LEFT = (0.0, 1.8, 0.9)
"""Of a pixel's: instructions more where none, one or two are left over from blocks of three
pixels."""


@dataclass(frozen=True)
class Link:
    """A tensor of rows, and how they are made; without inputs, all of them are there."""

    tensor: int
    height: int
    row_bytes: int
    operator: int | None = None
    """That makes it; None: it is whole while the chain runs."""
    inputs: tuple[int, ...] = ()
    """The links that it reads, which are before it in the chain."""
    input_height: int = 0
    kernel_height: int = 1
    """A row of an addition is made of one row of each input."""
    stride_height: int = 1
    pad_top: int = 0
    call: float = CALL
    """Instructions of a call beyond its work."""
    width: int = 0
    """Pixels of a row that a CONV_2D makes in blocks."""
    products: int = 0
    """Of a pixel of it."""

    def first_read(self, row: int) -> int:
        """The first row of the inputs that it reads for rows from `row` on."""
        if row == self.height:
            return self.input_height
        return min(max(row * self.stride_height - self.pad_top, 0), self.input_height)

    def a_call(self, rows: int) -> float:
        """Instructions of making so many rows, beyond those that go by pixels."""
        return self.call + self.products * A_PRODUCT_LEFT[rows * self.width % 3]

    def wanted(self, own: int, parts: int) -> int:
        """How far its inputs have to be for it to be as far as `own`, in parts of a row; below 0
        before their first."""
        below = self.kernel_height - self.pad_top
        return min((own - parts) * self.stride_height + below * parts, self.input_height * parts)


@dataclass(frozen=True)
class Chain:
    """Operators first to last, that run together when the last one's turn comes."""

    first: int
    last: int
    rows: int
    """That the operator with the most makes in a step."""
    parts: int
    """That a row is counted in."""
    start: int
    """Parts of the last output's rows that the first step starts from: 0, or before them."""
    links: tuple[Link, ...]
    """The tensors that are whole, then the operators in their order."""
    buffers: tuple[int, ...]
    """Rows of the buffer of each operator's output but the last."""
    leads: Mapping[int, int]
    """By whole tensor: how many bytes before it the output has to start at least."""
    extra: int
    """Instructions that it takes beyond those of its operators one after the other, about."""

    @property
    def operators(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def between(self) -> tuple[Link, ...]:
        """Those with a buffer."""
        return self.links[len(self.leads) : -1]


@dataclass(frozen=True)
class Rows:
    """What a link does in a step."""

    keep: int
    """Rows before this one are not needed any more."""
    begin: int
    """It makes rows begin to end - 1."""
    end: int


def make_chain(graph: Graph, kernels: Sequence[Kernel], first: int, last: int, rows: int) -> Chain:
    """Of kernels that make images by rows, convolutions and additions of images of one shape; no
    output but the last is read elsewhere."""
    links = links_of(graph, kernels[first : last + 1])
    done = list(steps(links, rows))
    inside = range(sum(not link.inputs for link in links), len(links) - 1)
    return Chain(
        first,
        last,
        rows,
        parts_of(links),
        start_of(links, rows),
        links,
        tuple(max(step[i].end - step[i].keep for step in done) for i in inside),
        {link.tensor: _lead(links, i, done) for i, link in enumerate(links) if not link.inputs},
        round(sum(_extra_instructions(links[i], i, done) for i in range(inside.start, len(links)))),
    )


def links_of(graph: Graph, kernels: Sequence[Kernel]) -> tuple[Link, ...]:
    made = {kernel.outputs[0] for kernel in kernels}
    whole = dict.fromkeys(t for kernel in kernels for t in kernel.inputs if t not in made)
    found = [Link(tensor, *_rows_of(graph, tensor)) for tensor in whole]
    place = {link.tensor: i for i, link in enumerate(found)}
    for kernel in kernels:
        place[kernel.outputs[0]] = len(found)
        found.append(_link_of(graph, kernel, tuple(place[tensor] for tensor in kernel.inputs)))
    return tuple(found)


def _link_of(graph: Graph, kernel: Kernel, inputs: tuple[int, ...]) -> Link:
    tensor, p = kernel.outputs[0], kernel.parameters
    size = _rows_of(graph, tensor)
    if not isinstance(p, Convolution):
        return Link(tensor, *size, kernel.index, inputs, size[0])
    window = p.input_height, p.kernel_height, p.stride_height, p.pad_top
    found = Link(tensor, *size, kernel.index, inputs, *window)
    if isinstance(p, DepthwiseConv2D):
        return replace(found, call=CALL + A_WEIGHT * p.weights.size)
    return replace(found, width=p.output_width, products=p.weights.size)


def _rows_of(graph: Graph, tensor: int) -> tuple[int, int]:
    """How many rows an image has, and the bytes of one."""
    found = graph.tensors[tensor]
    return found.shape[1], found.bytes // found.shape[1]


def parts_of(links: Sequence[Link]) -> int:
    """As many rows of the operator with the most go into a row of the last output."""
    return -(-most_rows(links) // links[-1].height)


def most_rows(links: Sequence[Link]) -> int:
    """Of an operator."""
    return max(link.height for link in links if link.inputs)


def start_of(links: Sequence[Link], rows: int) -> int:
    """From where on no operator begins with more rows than it goes on with."""
    parts, start = parts_of(links), 0
    operators = [i for i, link in enumerate(links) if link.inputs]
    while max(wanted_of(links, start, parts)[i] for i in operators) > 0:
        start -= rows
    return start


def wanted_of(links: Sequence[Link], last: int, parts: int) -> list[int]:
    """How far each link has to be for the last one to be as far as `last`, in parts of a row."""
    found = [NOTHING] * len(links)
    found[-1] = last
    # From the last link backwards: those that read one are all behind it.
    for i in reversed(range(len(links))):
        for j in links[i].inputs:
            found[j] = max(found[j], links[i].wanted(found[i], parts))
    return found


def steps(links: Sequence[Link], rows: int) -> Iterator[list[Rows]]:
    """What each link does, step by step, until the last output is whole."""
    parts, last = parts_of(links), start_of(links, rows)
    made = [0 if link.inputs else link.height for link in links]
    while made[-1] < links[-1].height:
        last = min(last + rows, links[-1].height * parts)
        step = _step(links, made, [wanted // parts for wanted in wanted_of(links, last, parts)])
        made = [found.end for found in step]
        yield step


def _step(links: Sequence[Link], made: Sequence[int], end: Sequence[int]) -> list[Rows]:
    """`end`: how many rows of each link there have to be."""
    keep = [link.height for link in links]
    keep[-1] = 0
    found: list[Rows] = []
    for i in reversed(range(len(links))):
        begin = max(made[i], keep[i])
        found.append(Rows(keep[i], begin, max(end[i], begin)))
        for j in links[i].inputs:
            keep[j] = min(keep[j], links[i].first_read(begin))
    return found[::-1]


def _lead(links: Sequence[Link], whole: int, done: Sequence[list[Rows]]) -> int:
    """A step's output is written when all before it has read what the step needs: the output's end
    has to lie before what the steps after it read. An addition that makes the output reads its
    inputs just where it writes.
    """
    output, read = links[-1].row_bytes, links[whole].row_bytes
    return max([0, *(a[-1].end * output - b[whole].keep * read for a, b in pairwise(done))])


def _extra_instructions(link: Link, i: int, done: Sequence[list[Rows]]) -> float:
    """Of its calls beyond those of one, and of moving rows to their buffer's start."""
    calls = [step[i].end - step[i].begin for step in done if step[i].begin < step[i].end]
    last = i + 1 == len(done[0])
    kept = 0 if last else sum(max(a[i].end - b[i].keep, 0) for a, b in pairwise(done))
    more = sum(map(link.a_call, calls)) - link.a_call(link.height)
    return more + kept * link.row_bytes * A_BYTE_MOVED
