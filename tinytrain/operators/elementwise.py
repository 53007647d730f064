"""ADD, SUB, MUL, MAXIMUM and MINIMUM: two operands, either of which may be broadcast.

ADD and SUB rescale both operands to a common scale; MUL rescales the product; MAXIMUM and MINIMUM
compare quantized values as they are. Sources: micro/kernels/{add,sub,mul}_common.cc and
maximum_minimum.cc of TensorFlow Lite Micro.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinytrain.arithmetic import quantize_multiplier
from tinytrain.graph import Quantization
from tinytrain.operators.broadcast import Broadcast, broadcast
from tinytrain.operators.kernel import Kernel, Parameters, Reading, activation_range, rescaling


@dataclass(frozen=True, eq=False)
class Addition(Parameters):
    """Operands are raised by `left_shift` bits before they are rescaled, so that little is lost."""

    structure: ClassVar[str] = "tt_addition"
    broadcast: Broadcast
    left_shift: int
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


class Add(Addition):
    function: ClassVar[str] = "tt_add"


class Sub(Addition):
    """The second operand's rescaled value is subtracted."""

    function: ClassVar[str] = "tt_sub"


@dataclass(frozen=True, eq=False)
class Mul(Parameters):
    structure: ClassVar[str] = "tt_multiplication"
    function: ClassVar[str] = "tt_mul"
    broadcast: Broadcast
    input1_zero_point: int
    input2_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int
    activation_min: int
    activation_max: int


@dataclass(frozen=True, eq=False)
class Extremum(Parameters):
    structure: ClassVar[str] = "tt_extremum"
    broadcast: Broadcast


class Maximum(Extremum):
    function: ClassVar[str] = "tt_maximum"


class Minimum(Extremum):
    function: ClassVar[str] = "tt_minimum"


LEFT_SHIFT = 20


def lower_add(reading: Reading) -> Kernel:
    return _lower_addition(reading, Add, _sum_scales)


def lower_sub(reading: Reading) -> Kernel:
    return _lower_addition(reading, Sub, _difference_scales)


@dataclass(frozen=True)
class _Scales:
    """The real factors of both operands, and of their sum."""

    input1: float
    input2: float
    output: float


def _sum_scales(a: np.float32, b: np.float32, output: np.float32, left_shift: int) -> _Scales:
    """ADD computes its factors in double."""
    twice = 2.0 * max(float(a), float(b))
    return _Scales(float(a) / twice, float(b) / twice, twice / ((1 << left_shift) * float(output)))


def _difference_scales(
    a: np.float32, b: np.float32, output: np.float32, left_shift: int
) -> _Scales:
    """SUB computes its factors in float32."""
    twice = np.float32(2.0) * max(a, b)
    raised = np.float32(1 << left_shift) * output
    return _Scales(float(a / twice), float(b / twice), float(twice / raised))


def _lower_addition(
    reading: Reading, kind: type[Addition], scales: Callable[..., _Scales]
) -> Kernel:
    reading.count((2, 2))
    first, _, a = reading.operand(0)
    second, _, b = reading.operand(1)
    y, _, output = reading.output()
    real = scales(a.scale[0], b.scale[0], output.scale[0], LEFT_SHIFT)
    multiplier_a, shift_a = quantize_multiplier(real.input1)
    multiplier_b, shift_b = quantize_multiplier(real.input2)
    if not real.output < 1.0:
        raise reading.fail(
            f"its output scale {output.scale[0]} is below 2^-{LEFT_SHIFT - 1} of its larger input "
            "scale; check the quantization"
        )
    multiplier, shift = quantize_multiplier(real.output)
    low, high = activation_range(reading, output)
    parameters = kind(
        broadcast=broadcast(reading, first, second, y),
        left_shift=LEFT_SHIFT,
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
    return _kernel(reading, parameters, first, second, y)


def lower_mul(reading: Reading) -> Kernel:
    reading.count((2, 2))
    first, _, a = reading.operand(0)
    second, _, b = reading.operand(1)
    y, _, output = reading.output()
    real = float(a.scale[0]) * float(b.scale[0]) / float(output.scale[0])
    multiplier, shift = rescaling(reading, real, 255 * 255)
    low, high = activation_range(reading, output)
    parameters = Mul(
        broadcast=broadcast(reading, first, second, y),
        input1_zero_point=int(a.zero_point[0]),
        input2_zero_point=int(b.zero_point[0]),
        output_zero_point=int(output.zero_point[0]),
        multiplier=multiplier,
        shift=shift,
        activation_min=low,
        activation_max=high,
    )
    return _kernel(reading, parameters, first, second, y)


def lower_maximum(reading: Reading) -> Kernel:
    return _lower_extremum(reading, Maximum)


def lower_minimum(reading: Reading) -> Kernel:
    return _lower_extremum(reading, Minimum)


def _lower_extremum(reading: Reading, kind: type[Extremum]) -> Kernel:
    reading.count((2, 2))
    first, _, a = reading.operand(0)
    second, _, b = reading.operand(1)
    y, _, output = reading.output()
    for index, quantization in ((first, a), (second, b)):
        if not _same(quantization, output):
            raise reading.fail(
                f"{reading.name(index)} and output {reading.name(y)} need the same scale and zero "
                "point: values are compared as they are"
            )
    parameters = kind(broadcast=broadcast(reading, first, second, y))
    return _kernel(reading, parameters, first, second, y)


def _same(a: Quantization, b: Quantization) -> bool:
    return bool(a.scale[0] == b.scale[0] and a.zero_point[0] == b.zero_point[0])


def _kernel(reading: Reading, parameters: Parameters, first: int, second: int, y: int) -> Kernel:
    """An operand of the output's size is read where it is written, so the output may lie on it."""
    kind = reading.operator.kind
    return Kernel(reading.index, kind, parameters, (first, second), (y,), in_place=True)
