"""ADD, int8: two inputs of the same shape, rescaled to a common scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinytrain.arithmetic import quantize_multiplier
from tinytrain.operators.kernel import Kernel, Parameters, Reading, activation_range, check_shift


@dataclass(frozen=True, eq=False)
class Add(Parameters):
    structure: ClassVar[str] = "tt_addition"
    function: ClassVar[str] = "tt_add"
    elements: int
    input1_zero_point: int
    input1_multiplier: int
    input1_shift: int
    input2_zero_point: int
    input2_multiplier: int
    input2_shift: int
    output_zero_point: int
    output_multiplier: int
    output_shift: int
    activation_min: int
    activation_max: int


LEFT_SHIFT = 20
"""Bits that both inputs are raised by before they are added, so that rescaling loses little."""


def lower_add(reading: Reading) -> Kernel:
    reading.count((2, 2))
    first, tensor, a = reading.operand(0)
    second, _, b = reading.operand(1)
    y, _, output = reading.output()
    for index in (second, y):
        if reading.graph.tensors[index].shape != tensor.shape:
            raise reading.fail(
                f"{reading.name(index)} has shape {reading.graph.tensors[index].shape}, not "
                f"{tensor.shape} (broadcasting is not supported)"
            )
    scale_a, scale_b = float(a.scale[0]), float(b.scale[0])
    twice = 2.0 * max(scale_a, scale_b)
    multiplier_a, shift_a = quantize_multiplier(scale_a / twice)
    multiplier_b, shift_b = quantize_multiplier(scale_b / twice)
    multiplier, shift = quantize_multiplier(twice / ((1 << LEFT_SHIFT) * float(output.scale[0])))
    check_shift(reading, shift)
    low, high = activation_range(reading, output)
    parameters = Add(
        elements=tensor.elements,
        input1_zero_point=int(a.zero_point[0]),
        input1_multiplier=multiplier_a,
        input1_shift=shift_a,
        input2_zero_point=int(b.zero_point[0]),
        input2_multiplier=multiplier_b,
        input2_shift=shift_b,
        output_zero_point=int(output.zero_point[0]),
        output_multiplier=multiplier,
        output_shift=shift,
        activation_min=low,
        activation_max=high,
    )
    kind = reading.operator.kind
    return Kernel(reading.index, kind, parameters, (first, second), (y,), in_place=True)
