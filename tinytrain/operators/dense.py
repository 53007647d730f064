"""FULLY_CONNECTED, int8: D inputs, C outputs, weights C,D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.operators.kernel import (
    Kernel,
    Parameters,
    Reading,
    activation_range,
    channel_multipliers,
)


@dataclass(frozen=True, eq=False)
class FullyConnected(Parameters):
    structure: ClassVar[str] = "tt_dense"
    function: ClassVar[str] = "tt_fully_connected"
    rows: int
    """Vectors in the input that share the weights: 1 but for inputs of higher rank."""
    input_depth: int
    output_depth: int
    input_zero_point: int
    output_zero_point: int
    activation_min: int
    activation_max: int
    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int8]


def lower_fully_connected(reading: Reading) -> Kernel:
    reading.count((2, 3))
    x, tensor, input_ = reading.activation()
    y, result, output = reading.output()
    if reading.attribute("weights_format") != 0:
        raise reading.fail("shuffled weights are not supported")
    weights, weight_scale = reading.weights(1, 2, channel_axis=0)
    channels, depth = weights.shape
    rows = tensor.elements // depth
    if tensor.elements != rows * depth or result.elements != rows * channels:
        raise reading.fail(
            f"weights of shape {weights.shape} do not fit input {tensor.shape} and output "
            f"{result.shape}"
        )
    bias = reading.bias(2, channels)
    multiplier, shift = channel_multipliers(reading, input_, weight_scale, output, channels)
    reading.check_accumulator(weights, bias, shift)
    low, high = activation_range(reading, output)
    parameters = FullyConnected(
        rows=rows,
        input_depth=depth,
        output_depth=channels,
        input_zero_point=int(input_.zero_point[0]),
        output_zero_point=int(output.zero_point[0]),
        activation_min=low,
        activation_max=high,
        weights=weights,
        bias=bias,
        multiplier=multiplier,
        shift=shift,
    )
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), (y,), rows * weights.size)
