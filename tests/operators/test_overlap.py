"""An output that overlaps its input never overwrites a byte that is still to be read.

The judge walks over every tap of every window, in the order that kernels.h promises, and knows
nothing of how the distance was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings

from tests.operators.cases import Case
from tests.operators.test_against_tflite_micro import DRAWS, STRATEGIES
from tests.plan.test_memory import chain
from tinytrain.converters.tflite import parse_tflite
from tinytrain.errors import InputError
from tinytrain.operators.convolution import Convolution, ConvolutionInt16
from tinytrain.operators.dense import FullyConnected, FullyConnectedInt16
from tinytrain.operators.overlap import MAX_WINDOWS
from tinytrain.operators.pooling import Pooling
from tinytrain.operators.table import require_kernels
from tinytrain.operators.transpose_convolution import TransposeConv

SLIDING = (
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "CONV_2D int16",
    "DEPTHWISE_CONV_2D",
    "DEPTHWISE_CONV_2D int16",
    "FULLY_CONNECTED",
    "FULLY_CONNECTED int16",
    "MAX_POOL_2D",
    "TRANSPOSE_CONV",
)


@dataclass(frozen=True)
class Walk:
    """What a kernel reads, by output pixel in the order of writing, and how large pixels are."""

    reads: list[list[int]]
    """Input pixels."""
    input_pixel: int
    output_pixel: int

    def is_safe(self, distance: int) -> bool:
        """Whether no byte is read once it is overwritten; the input starts `distance` behind the
        output. A pixel counts as written while its own window is read.
        """
        reach = [pixel for pixels in self.reads for pixel in pixels]
        overwritten = np.zeros(
            len(self.reads) * self.output_pixel
            + distance
            + (max(reach, default=0) + 1) * self.input_pixel,
            bool,
        )
        for place, pixels in enumerate(self.reads):
            overwritten[place * self.output_pixel :][: self.output_pixel] = True
            for pixel in pixels:
                start = distance + pixel * self.input_pixel
                if overwritten[start : start + self.input_pixel].any():
                    return False
        return True


def walk_of(parameters: Any) -> Walk:
    """From the constants that the C kernel gets."""
    item = 2 if isinstance(parameters, ConvolutionInt16 | FullyConnectedInt16) else 1
    if isinstance(parameters, FullyConnected | FullyConnectedInt16):
        dense = parameters.dense if isinstance(parameters, FullyConnectedInt16) else parameters
        reads = [[row] for row in range(dense.rows)]
        return Walk(reads, item * dense.input_depth, item * dense.output_depth)
    if isinstance(parameters, Pooling):
        return Walk(list(windows(parameters)), parameters.channels, parameters.channels)
    p = parameters.convolution if isinstance(parameters, ConvolutionInt16) else parameters
    assert isinstance(p, Convolution)
    reads = scattered(p) if isinstance(p, TransposeConv) else list(windows(p))
    return Walk(reads, item * p.input_channels, item * p.output_channels)


def windows(p: Any) -> Iterator[list[int]]:
    pooled = isinstance(p, Pooling)
    taps = (p.filter_height, p.filter_width) if pooled else (p.kernel_height, p.kernel_width)
    dilations = (1, 1) if pooled else (p.dilation_height, p.dilation_width)
    for y, x in product(range(p.output_height), range(p.output_width)):
        found = []
        for i, j in product(*map(range, taps)):
            row = y * p.stride_height - p.pad_top + i * dilations[0]
            column = x * p.stride_width - p.pad_left + j * dilations[1]
            if 0 <= row < p.input_height and 0 <= column < p.input_width:
                found.append(row * p.input_width + column)
        yield found


def scattered(p: TransposeConv) -> list[list[int]]:
    """As kernels.h says it: which output pixels an input pixel adds to."""
    found: list[list[int]] = [[] for _ in range(p.output_height * p.output_width)]
    taps = (range(p.kernel_height), range(p.kernel_width))
    for row, column in product(range(p.input_height), range(p.input_width)):
        for i, j in product(*taps):
            y = row * p.stride_height - p.pad_top + i
            x = column * p.stride_width - p.pad_left + j
            if 0 <= y < p.output_height and 0 <= x < p.output_width:
                found[y * p.output_width + x].append(row * p.input_width + column)
    return found


@pytest.mark.parametrize("kind", SLIDING)
def test_no_input_byte_is_overwritten_before_its_last_read(kind: str) -> None:
    @settings(max_examples=DRAWS, deadline=None)
    @given(STRATEGIES[kind])
    def check(case: Case) -> None:
        try:
            (kernel,) = require_kernels(parse_tflite(case.build(), "model"))
        except InputError:
            assume(False)
        (lead,) = kernel.leads.values()
        walk = walk_of(kernel.parameters)
        assert walk.is_safe(lead)
        assert lead == 0 or not walk.is_safe(lead - 1), "it could be nearer"

    check()


def test_images_of_endless_rows_do_not_overlap() -> None:
    _, kernels, _ = chain([2 * MAX_WINDOWS + 2, MAX_WINDOWS + 1])
    assert kernels[0].leads == {}
