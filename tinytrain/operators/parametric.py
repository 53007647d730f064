"""PRELU, int8: x where it is positive, else x * alpha, with alpha stretched to the input's shape.

Source: micro/kernels/prelu_common.cc and kernels/internal/reference/prelu.h of TensorFlow Lite
Micro; the factors are computed in double.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinytrain.operators.broadcast import Broadcast, broadcast
from tinytrain.operators.kernel import Kernel, Parameters, Reading, rescaling


@dataclass(frozen=True, eq=False)
class Prelu(Parameters):
    structure: ClassVar[str] = "tt_parametric"
    function: ClassVar[str] = "tt_prelu"
    input_zero_point: int
    alpha_zero_point: int
    output_zero_point: int
    positive_multiplier: int
    positive_shift: int
    negative_multiplier: int
    negative_shift: int
    broadcast: Broadcast


def lower_prelu(reading: Reading) -> Kernel:
    reading.count((2, 2))
    x, tensor, input_ = reading.activation()
    a, _, alpha = reading.operand(1)
    y, _, output = reading.output()
    reading.expect_shape(y, tensor.shape)
    gain = float(input_.scale[0]) / float(output.scale[0])
    negative = float(input_.scale[0]) * float(alpha.scale[0]) / float(output.scale[0])
    positive_multiplier, positive_shift = rescaling(reading, gain, 255)
    negative_multiplier, negative_shift = rescaling(reading, negative, 255 * 255)
    parameters = Prelu(
        broadcast=broadcast(reading, x, a, y),
        input_zero_point=int(input_.zero_point[0]),
        alpha_zero_point=int(alpha.zero_point[0]),
        output_zero_point=int(output.zero_point[0]),
        positive_multiplier=positive_multiplier,
        positive_shift=positive_shift,
        negative_multiplier=negative_multiplier,
        negative_shift=negative_shift,
    )
    leads = reading.in_place(y, x, a)
    return Kernel(reading.index, "PRELU", parameters, (x, a), (y,), leads=leads)
