"""CONV_2D and DEPTHWISE_CONV_2D, int8 or int16 with int8 weights, NHWC.

Letters: H, W height and width, I input channels, O output channels, K kernel extents. Weights are
O,KH,KW,I for CONV_2D and 1,KH,KW,O for DEPTHWISE_CONV_2D, as in .tflite files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.graph import MAX_ELEMENTS
from tinytrain.operators.kernel import (
    Kernel,
    Parameters,
    Reading,
    activation_range,
    channel_multipliers,
)
from tinytrain.operators.overlap import Slide, window_leads
from tinytrain.operators.wide import checked_bias, require_symmetric


@dataclass(frozen=True, eq=False)
class Convolution(Parameters):
    structure: ClassVar[str] = "tt_convolution"
    input_height: int
    input_width: int
    input_channels: int
    output_height: int
    output_width: int
    output_channels: int
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    dilation_height: int
    dilation_width: int
    pad_top: int
    pad_left: int
    input_zero_point: int
    output_zero_point: int
    activation_min: int
    activation_max: int
    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int8]


class Conv2D(Convolution):
    function: ClassVar[str] = "tt_conv_2d"


class DepthwiseConv2D(Convolution):
    """Output channel o reads input channel o / (output_channels / input_channels)."""

    function: ClassVar[str] = "tt_depthwise_conv_2d"


@dataclass(frozen=True, eq=False)
class ConvolutionInt16(Parameters):
    """int16 activations; see wide.py for the two kinds of sums."""

    structure: ClassVar[str] = "tt_convolution_int16"
    convolution: Convolution
    wide_bias: npt.NDArray[np.int64]
    """(O,) where sums have 64 bits; empty where they have 32 and convolution.bias holds."""


class Conv2DInt16(ConvolutionInt16):
    function: ClassVar[str] = "tt_conv_2d_int16"


class DepthwiseConv2DInt16(ConvolutionInt16):
    function: ClassVar[str] = "tt_depthwise_conv_2d_int16"


@dataclass(frozen=True)
class Window:
    """A sliding window along one axis: how many outputs there are, and the padding in front."""

    outputs: int
    before: int


def window(size: int, kernel: int, stride: int, dilation: int, padding: str) -> Window:
    """TensorFlow's rules: SAME gives ceil(size / stride) outputs, with half of the padding in
    front, rounded down; VALID pads nothing. Zero or fewer outputs: the kernel does not fit.
    """
    reach = (kernel - 1) * dilation + 1
    if padding == "SAME":
        outputs = -(-size // stride)
        return Window(outputs, max((outputs - 1) * stride + reach - size, 0) // 2)
    return Window((size - reach) // stride + 1, 0)


MAX_STRIDE = 1 << 12


def windows(reading: Reading, shape: tuple[int, ...], kernel: tuple[int, int]) -> dict[str, int]:
    """Strides, dilations, padding and output extents of a 2-D operator on input `shape` (NHWC)."""
    padding = reading.choice("padding", ("SAME", "VALID"))
    attributes = reading.operator.attributes
    found: dict[str, int] = {}
    for axis, size, extent, edge in (
        ("height", shape[1], kernel[0], "top"),
        ("width", shape[2], kernel[1], "left"),
    ):
        stride = reading.integer(f"stride_{axis}", 1, MAX_STRIDE)
        dilation = 1
        if f"dilation_{axis}" in attributes:
            dilation = reading.integer(f"dilation_{axis}", 1, MAX_STRIDE)
            found[f"dilation_{axis}"] = dilation
        slide = window(size, extent, stride, dilation, padding)
        if slide.outputs < 1:
            raise reading.fail(f"its window of {extent} does not fit an input {axis} of {size}")
        found[f"stride_{axis}"] = stride
        found[f"output_{axis}"] = slide.outputs
        found[f"pad_{edge}"] = slide.before
    return found


def slides(
    shape: tuple[int, ...], kernel: tuple[int, int], found: Mapping[str, int]
) -> tuple[Slide, Slide]:
    """The ways along height and width; `found`: what `windows` gave for input `shape`."""
    rows, columns = (
        Slide(
            size,
            found[f"output_{axis}"],
            extent,
            found[f"stride_{axis}"],
            found.get(f"dilation_{axis}", 1),
            found[f"pad_{edge}"],
        )
        for axis, edge, size, extent in (
            ("height", "top", shape[1], kernel[0]),
            ("width", "left", shape[2], kernel[1]),
        )
    )
    return rows, columns


def lower_conv_2d(reading: Reading) -> Kernel:
    weights, _ = reading.weights(1, 4, channel_axis=0)
    x = reading.input_index(0)
    if weights.shape[3] != reading.rank(x, 4)[3]:
        raise reading.fail(
            f"weights for {weights.shape[3]} channels on an input of {reading.rank(x, 4)[3]} "
            "(grouped convolution is not supported)"
        )
    return _lower(reading, Conv2D, Conv2DInt16, channel_axis=0)


def lower_depthwise_conv_2d(reading: Reading) -> Kernel:
    weights, _ = reading.weights(1, 4, channel_axis=3)
    x = reading.input_index(0)
    channels = reading.rank(x, 4)[3]
    multiplier = reading.integer("depth_multiplier", 1, MAX_ELEMENTS)
    if weights.shape[0] != 1 or weights.shape[3] != channels * multiplier:
        raise reading.fail(
            f"weights of shape {weights.shape} on {channels} input channels with depth_multiplier "
            f"{multiplier}"
        )
    if len(reading.operator.inputs) > 2 and reading.graph.tensors[x].dtype == "int16":
        # With an int32 bias the reference reads beyond its end.
        reading.constant(2, "int64")
    return _lower(reading, DepthwiseConv2D, DepthwiseConv2DInt16, channel_axis=3)


def _lower(
    reading: Reading,
    kind: type[Convolution],
    int16_kind: type[ConvolutionInt16],
    channel_axis: int,
) -> Kernel:
    reading.count((2, 3))
    x, tensor, input_ = reading.activation(0, ("int8", "int16"))
    y, _, output = reading.output(0, (tensor.dtype,))
    shape = reading.rank(x, 4)
    weights, weight_scale = reading.weights(1, 4, channel_axis)
    channels = weights.shape[channel_axis]
    slide = windows(reading, shape, (weights.shape[1], weights.shape[2]))
    reading.expect_shape(y, (1, slide["output_height"], slide["output_width"], channels))
    multiplier, shift = channel_multipliers(reading, input_, weight_scale, output, channels)
    rows = np.moveaxis(weights, channel_axis, 0)
    bias = checked_bias(reading, tensor.dtype, rows, (multiplier, shift))
    low, high = activation_range(reading, output, tensor.dtype)
    convolution = kind(
        input_height=shape[1],
        input_width=shape[2],
        input_channels=shape[3],
        output_channels=channels,
        kernel_height=weights.shape[1],
        kernel_width=weights.shape[2],
        **slide,
        input_zero_point=int(input_.zero_point[0]),
        output_zero_point=int(output.zero_point[0]),
        activation_min=low,
        activation_max=high,
        weights=weights,
        bias=bias.narrow,
        multiplier=multiplier,
        shift=shift,
    )
    parameters: Parameters = convolution
    if tensor.dtype == "int16":
        require_symmetric(reading, (input_, output))
        parameters = int16_kind(convolution, bias.wide)
    macs = slide["output_height"] * slide["output_width"] * weights.size
    leads = window_leads(reading, x, y, slides(shape, (weights.shape[1], weights.shape[2]), slide))
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), (y,), macs, leads)
