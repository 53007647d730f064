"""AVERAGE_POOL_2D and MAX_POOL_2D, int8, NHWC: windows over valid positions only, no rescaling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinytrain.operators.convolution import MAX_STRIDE, slides, windows
from tinytrain.operators.kernel import (
    MAX_ADDENDS,
    Kernel,
    Parameters,
    Reading,
    activation_range,
)
from tinytrain.operators.overlap import window_leads


@dataclass(frozen=True, eq=False)
class Pooling(Parameters):
    structure: ClassVar[str] = "tt_pooling"
    input_height: int
    input_width: int
    channels: int
    output_height: int
    output_width: int
    filter_height: int
    filter_width: int
    stride_height: int
    stride_width: int
    pad_top: int
    pad_left: int
    activation_min: int
    activation_max: int


class AveragePool2D(Pooling):
    function: ClassVar[str] = "tt_average_pool_2d"


class MaxPool2D(Pooling):
    function: ClassVar[str] = "tt_max_pool_2d"


def lower_average_pool_2d(reading: Reading) -> Kernel:
    return _lower(reading, AveragePool2D)


def lower_max_pool_2d(reading: Reading) -> Kernel:
    return _lower(reading, MaxPool2D)


def _lower(reading: Reading, kind: type[Pooling]) -> Kernel:
    reading.count((1, 1))
    x, _, input_ = reading.activation()
    y, _, output = reading.output()
    if input_.scale[0] != output.scale[0] or input_.zero_point[0] != output.zero_point[0]:
        raise reading.fail("input and output need the same scale and zero point")
    shape = reading.rank(x, 4)
    height = reading.integer("filter_height", 1, MAX_STRIDE)
    width = reading.integer("filter_width", 1, MAX_STRIDE)
    if height * width > MAX_ADDENDS:
        raise reading.fail(f"a filter of {height}x{width}; at most {MAX_ADDENDS} positions")
    slide = windows(reading, shape, (height, width))
    reading.expect_shape(y, (1, slide["output_height"], slide["output_width"], shape[3]))
    low, high = activation_range(reading, output)
    parameters = kind(
        input_height=shape[1],
        input_width=shape[2],
        channels=shape[3],
        filter_height=height,
        filter_width=width,
        **slide,
        activation_min=low,
        activation_max=high,
    )
    leads = window_leads(reading, x, y, slides(shape, (height, width), slide))
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), (y,), leads=leads)
