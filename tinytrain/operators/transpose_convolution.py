"""TRANSPOSE_CONV, int8, NHWC: the convolution that CONV_2D with the same weights undoes.

Letters as in convolution.py. Weights are O,KH,KW,I. Inputs: the output's shape, weights, x, bias.
"""

from __future__ import annotations

from typing import ClassVar

from tinytrain.operators.convolution import MAX_STRIDE, Convolution, window
from tinytrain.operators.kernel import Kernel, Reading, activation_range, channel_multipliers
from tinytrain.operators.layout import integers
from tinytrain.operators.overlap import Slide, window_leads


class TransposeConv(Convolution):
    """Input pixel y adds weights to output pixels y * stride - pad and on; dilations are 1."""

    function: ClassVar[str] = "tt_transpose_conv"


def lower_transpose_conv(reading: Reading) -> Kernel:
    """TensorFlow Lite's integer_ops/transpose_conv.h; the scratch buffer it scatters into is not
    needed here, as each output gathers what belongs to it.
    """
    reading.count((3, 4))
    x, _, input_ = reading.activation(2)
    y, result, output = reading.output()
    shape = reading.rank(x, 4)
    weights, weight_scale = reading.weights(1, 4, channel_axis=0)
    channels = weights.shape[0]
    if weights.shape[3] != shape[3]:
        raise reading.fail(f"weights for {weights.shape[3]} channels on an input of {shape[3]}")
    reading.expect_shape(y, (1, *reading.rank(y, 4)[1:3], channels))
    if integers(reading, 0, (4,)) != result.shape:
        raise reading.fail(
            f"its first input says {integers(reading, 0, (4,))}, its output has {result.shape}"
        )
    slide = _windows(reading, shape, result.shape, (weights.shape[1], weights.shape[2]))
    bias = reading.bias(3, channels)
    multiplier, shift = channel_multipliers(reading, input_, weight_scale, output, channels)
    reading.check_accumulator(weights, bias, shift)
    low, high = activation_range(reading, output)
    parameters = TransposeConv(
        input_height=shape[1],
        input_width=shape[2],
        input_channels=shape[3],
        output_height=result.shape[1],
        output_width=result.shape[2],
        output_channels=channels,
        kernel_height=weights.shape[1],
        kernel_width=weights.shape[2],
        **slide,
        dilation_height=1,
        dilation_width=1,
        input_zero_point=int(input_.zero_point[0]),
        output_zero_point=int(output.zero_point[0]),
        activation_min=low,
        activation_max=high,
        weights=weights,
        bias=bias,
        multiplier=multiplier,
        shift=shift,
    )
    macs = shape[1] * shape[2] * weights.size
    leads = window_leads(reading, x, y, _slides(parameters))
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), (y,), macs, leads)


def _slides(p: TransposeConv) -> tuple[Slide, Slide]:
    rows = (p.input_height, p.output_height, p.kernel_height, p.stride_height, 1, p.pad_top)
    columns = (p.input_width, p.output_width, p.kernel_width, p.stride_width, 1, p.pad_left)
    return Slide(*rows, transposed=True), Slide(*columns, transposed=True)


def _windows(
    reading: Reading,
    shape: tuple[int, ...],
    result: tuple[int, ...],
    kernel: tuple[int, int],
) -> dict[str, int]:
    """Strides and padding: those of the convolution from `result` (NHWC) to `shape`."""
    padding = reading.choice("padding", ("SAME", "VALID"))
    found: dict[str, int] = {}
    for axis, edge, inputs, outputs, extent in (
        ("height", "top", shape[1], result[1], kernel[0]),
        ("width", "left", shape[2], result[2], kernel[1]),
    ):
        stride = reading.integer(f"stride_{axis}", 1, MAX_STRIDE)
        slide = window(outputs, extent, stride, 1, padding)
        if slide.outputs != inputs:
            raise reading.fail(
                f"an output {axis} of {outputs} belongs to an input {axis} of {slide.outputs}, "
                f"not {inputs}"
            )
        found[f"stride_{axis}"] = stride
        found[f"pad_{edge}"] = slide.before
    return found
