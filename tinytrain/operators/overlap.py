"""Where the output of an operator that slides a window over its input may overlap that input.

The kernels' order is the contract in kernels.h ("Overlap"): output pixels one after the other, row
by row; the channels of a pixel in any order, and the pixel's whole window may be read until all of
them are written. So when a pixel is written, the input has to be whole from the first byte on that
it or a later one reads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.operators.kernel import Reading

Positions = npt.NDArray[np.int64]

NOTHING = 1 << 33
"""The first position of a window that lies in the padding altogether: behind every input."""

MAX_WINDOWS = 1 << 16
"""Along one axis; where there are more, nothing overlaps."""


@dataclass(frozen=True)
class Slide:
    """A window's way along one axis of `size` input positions."""

    size: int
    outputs: int
    kernel: int
    stride: int
    dilation: int
    before: int
    """Padding in front."""
    transposed: bool = False
    """Whether it is the window over the output instead, of TRANSPOSE_CONV: output position y is
    reached by the inputs i for which y + before - i * stride is a tap."""

    def first_reads(self) -> Positions:
        """The first input position that each output position reads."""
        place = np.arange(self.outputs, dtype=np.int64)
        if self.transposed:
            place += self.before
            first = np.maximum((place - self.kernel) // self.stride + 1, 0)
            reads = first * self.stride <= place
        else:
            origin = place * self.stride - self.before
            tap = np.maximum(-(origin // self.dilation), 0)
            first = origin + tap * self.dilation
            reads = tap < self.kernel
        return np.where(reads & (first < self.size), first, NOTHING)


def window_leads(reading: Reading, x: int, y: int, slides: tuple[Slide, Slide]) -> dict[int, int]:
    """Leads of an operator on images, from input `x` to output `y`; slides: rows, columns."""
    if max(slide.outputs for slide in slides) > MAX_WINDOWS:
        return {}
    rows, columns = (slide.first_reads() for slide in slides)
    tensors = reading.graph.tensors
    step = tensors[x].bytes // (slides[0].size * slides[1].size)
    pixel = tensors[y].bytes // (slides[0].outputs * slides[1].outputs)
    return {x: lead(rows * slides[1].size * step, columns * step, pixel)}


def row_leads(reading: Reading, x: int, y: int, rows: int) -> dict[int, int]:
    """Leads of an operator that makes each of `rows` rows of the output of one of the input."""
    source, target = (reading.graph.tensors[tensor].bytes // rows for tensor in (x, y))
    return {x: max(target, target * rows - source * (rows - 1))}


def lead(rows: Positions, columns: Positions, pixel: int) -> int:
    """The least distance from the output's start to the input's, in bytes.

    Output pixel (y, x), of `pixel` bytes, reads from byte rows[y] + columns[x] of the input on. Its
    end, (y * len(columns) + x + 1) * pixel, has to lie before what it and all later pixels read:
    those right of it in its row, and those in the rows below.
    """
    right = np.minimum.accumulate(columns[::-1])[::-1]
    below = np.minimum.accumulate(rows[::-1])[::-1][1:] + right[0]
    ends = np.arange(1, len(columns) + 1) * pixel
    starts = np.arange(len(rows)) * len(columns) * pixel
    in_row = int((starts - rows).max() + (ends - right).max())
    to_next = int((starts[1:] - below).max()) if len(rows) > 1 else 0
    return max(in_row, to_next, 0)
