"""FULLY_CONNECTED, int8 or int16 with int8 weights: D inputs, C outputs, weights C,D."""

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
from tinytrain.operators.overlap import row_leads
from tinytrain.operators.wide import checked_bias, require_symmetric


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


@dataclass(frozen=True, eq=False)
class FullyConnectedInt16(Parameters):
    """int16 activations; see wide.py for the two kinds of sums."""

    structure: ClassVar[str] = "tt_dense_int16"
    function: ClassVar[str] = "tt_fully_connected_int16"
    dense: FullyConnected
    wide_bias: npt.NDArray[np.int64]
    """(C,) where sums have 64 bits; empty where they have 32 and dense.bias holds."""


def lower_fully_connected(reading: Reading) -> Kernel:
    reading.count((2, 3))
    x, tensor, input_ = reading.activation(0, ("int8", "int16"))
    y, result, output = reading.output(0, (tensor.dtype,))
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
    multiplier, shift = channel_multipliers(reading, input_, weight_scale, output, channels)
    bias = checked_bias(reading, tensor.dtype, weights, (multiplier, shift))
    low, high = activation_range(reading, output, tensor.dtype)
    dense = FullyConnected(
        rows=rows,
        input_depth=depth,
        output_depth=channels,
        input_zero_point=int(input_.zero_point[0]),
        output_zero_point=int(output.zero_point[0]),
        activation_min=low,
        activation_max=high,
        weights=weights,
        bias=bias.narrow,
        multiplier=multiplier,
        shift=shift,
    )
    parameters: Parameters = dense
    if tensor.dtype == "int16":
        require_symmetric(reading, (input_, output))
        parameters = FullyConnectedInt16(dense, bias.wide)
    leads = row_leads(reading, x, y, rows)
    macs = rows * weights.size
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), (y,), macs, leads)
