"""Chains of convolutions that run row by row, so that what lies between them is never whole.

`tt_run_chain` in firmware/src/fast/chain.c is the twin of `steps`: each step makes a few rows of
the last layer's output, and of every layer before the rows that these need and that are not there
yet. From that follow the rows that each buffer in between has to have, and how far the last output
may overlap the first input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tinytrain.operators.convolution import Convolution, DepthwiseConv2D
from tinytrain.operators.kernel import Kernel


@dataclass(frozen=True)
class Chain:
    """Operators first to last, that run together when the last one's turn comes."""

    first: int
    last: int
    rows: int
    """Of the last output, that a step makes."""
    buffers: tuple[int, ...]
    """Rows of the buffer of each output but the last."""
    lead: int
    """How many bytes before the input the output has to start at least."""
    extra: int
    """Instructions that it takes beyond those of its layers one after the other, about."""

    @property
    def operators(self) -> range:
        return range(self.first, self.last + 1)


@dataclass(frozen=True)
class Rows:
    """What a layer does in a step."""

    keep: int
    """Rows of its output before this one are not needed any more."""
    begin: int
    """It makes rows begin to end - 1."""
    end: int


CALL = 250
"""Instructions of a kernel's call beyond its work, on a Cortex-M4."""
A_BYTE_MOVED = 1.25
A_WEIGHT = 3.0
"""Of a depthwise layer, whose weights each call brings into order."""


def make_chain(kernels: Sequence[Kernel], first: int, last: int, rows: int) -> Chain:
    """Of kernels that are convolutions, each output read by the next one alone."""
    layers = [layer_of(kernel) for kernel in kernels[first : last + 1]]
    done = list(steps(layers, rows))
    buffers = [max(step[i].end - step[i].keep for step in done) for i in range(len(layers) - 1)]
    return Chain(
        first, last, rows, tuple(buffers), _lead(layers, done), _extra_instructions(layers, done)
    )


def layer_of(kernel: Kernel) -> Convolution:
    assert isinstance(kernel.parameters, Convolution)
    return kernel.parameters


def row_bytes(layer: Convolution) -> int:
    """Of the output."""
    return layer.output_width * layer.output_channels


def steps(layers: Sequence[Convolution], rows: int) -> Iterator[list[Rows]]:
    """What each layer does, step by step, until the last output is whole."""
    height = layers[-1].output_height
    made = [0] * len(layers)
    while made[-1] < height:
        step = [Rows(0, made[-1], min(made[-1] + rows, height))]
        for layer, there in zip(layers[:0:-1], made[-2::-1], strict=True):
            top, bottom = first_read(layer, step[0].begin), first_read(layer, step[0].end - 1)
            keep = min(max(top, 0), layer.input_height)
            begin = max(there, keep)
            end = max(min(bottom + layer.kernel_height, layer.input_height), begin)
            step.insert(0, Rows(keep, begin, end))
        made = [found.end for found in step]
        yield step


def first_read(layer: Convolution, row: int) -> int:
    """The first row of the input that a row of the output reads; in the padding below 0."""
    return row * layer.stride_height - layer.pad_top


def _lead(layers: Sequence[Convolution], done: Sequence[list[Rows]]) -> int:
    """A step's output is written when the first layer has read all that the step needs of it: the
    output's end has to lie before what the steps after it read.
    """
    source = layers[0].input_width * layers[0].input_channels
    reads_end = done[-1][0].end
    found = [0]
    for step in done:
        if step[0].end < reads_end:
            unread = max(first_read(layers[0], step[0].end), 0)
            found.append(step[-1].end * row_bytes(layers[-1]) - unread * source)
    return max(found)


def _extra_instructions(layers: Sequence[Convolution], done: Sequence[list[Rows]]) -> int:
    """Of calls beyond one a layer, and of moving rows to their buffer's start."""
    total = 0.0
    for i, layer in enumerate(layers):
        calls = sum(step[i].begin < step[i].end for step in done)
        depthwise = isinstance(layer, DepthwiseConv2D)
        total += (calls - 1) * (CALL + A_WEIGHT * layer.weights.size * depthwise)
        kept = (
            sum(max(a[i].end - b[i].keep, 0) for a, b in pairwise(done))
            if i + 1 < len(layers)
            else 0
        )
        total += kept * row_bytes(layer) * A_BYTE_MOVED
    return round(total)
