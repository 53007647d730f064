"""ADD, SUB, MUL (int8, int16), MAXIMUM, MINIMUM (int8): two operands, which may be broadcast.

ADD and SUB rescale both operands to a common scale; MUL rescales the product; MAXIMUM and MINIMUM
compare quantized values as they are. Sources: micro/kernels/{add,sub,mul}_common.cc and
maximum_minimum.cc of TensorFlow Lite Micro.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from tinytrain.arithmetic import quantize_multiplier
from tinytrain.graph import Quantization
from tinytrain.operators.broadcast import Broadcast, broadcast
from tinytrain.operators.kernel import Kernel, Parameters, Reading, activation_range, rescaling
from tinytrain.operators.wide import LARGEST, require_symmetric


@dataclass(frozen=True, eq=False)
class Addition(Parameters):
    """Operands are raised by `left_shift` bits before they are rescaled, so that little is lost."""

    structure: ClassVar[str] = "tt_addition"
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
    broadcast: Broadcast


class Add(Addition):
    function: ClassVar[str] = "tt_add"


class AddInt16(Addition):
    function: ClassVar[str] = "tt_add_int16"


class Sub(Addition):
    """The second operand's rescaled value is subtracted."""

    function: ClassVar[str] = "tt_sub"


class SubInt16(Addition):
    function: ClassVar[str] = "tt_sub_int16"


@dataclass(frozen=True, eq=False)
class Multiplication(Parameters):
    structure: ClassVar[str] = "tt_multiplication"
    input1_zero_point: int
    input2_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int
    activation_min: int
    activation_max: int
    broadcast: Broadcast


class Mul(Multiplication):
    function: ClassVar[str] = "tt_mul"


class MulInt16(Multiplication):
    function: ClassVar[str] = "tt_mul_int16"


@dataclass(frozen=True, eq=False)
class Extremum(Parameters):
    structure: ClassVar[str] = "tt_extremum"
    broadcast: Broadcast


class Maximum(Extremum):
    function: ClassVar[str] = "tt_maximum"


class Minimum(Extremum):
    function: ClassVar[str] = "tt_minimum"


LEFT_SHIFT = {"int8": 20, "int16": 15}
"""As far up as 32 bits allow."""


def lower_add(reading: Reading) -> Kernel:
    return _lower_addition(reading, {"int8": Add, "int16": AddInt16})


def lower_sub(reading: Reading) -> Kernel:
    return _lower_addition(reading, {"int8": Sub, "int16": SubInt16})


def _lower_addition(reading: Reading, kinds: Mapping[str, type[Addition]]) -> Kernel:
    """Operands are scaled to twice the larger scale, so that their sum keeps its bits."""
    reading.count((2, 2))
    first, tensor, a = reading.operand(0, tuple(kinds))
    second, _, b = reading.operand(1, (tensor.dtype,))
    y, _, output = reading.output(0, (tensor.dtype,))
    left_shift = LEFT_SHIFT[tensor.dtype]
    twice = 2.0 * max(float(a.scale[0]), float(b.scale[0]))
    real = twice / ((1 << left_shift) * float(output.scale[0]))
    if not real < 1.0:
        raise reading.fail(
            f"its output scale {output.scale[0]} is below 2^-{left_shift - 1} of its larger input "
            "scale; check the quantization"
        )
    multiplier_a, shift_a = quantize_multiplier(float(a.scale[0]) / twice)
    multiplier_b, shift_b = quantize_multiplier(float(b.scale[0]) / twice)
    multiplier, shift = quantize_multiplier(real)
    low, high = activation_range(reading, output, tensor.dtype)
    parameters = kinds[tensor.dtype](
        broadcast=broadcast(reading, first, second, y),
        left_shift=left_shift,
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
    kinds = {"int8": Mul, "int16": MulInt16}
    first, tensor, a = reading.operand(0, tuple(kinds))
    second, _, b = reading.operand(1, (tensor.dtype,))
    y, _, output = reading.output(0, (tensor.dtype,))
    if tensor.dtype == "int16":
        require_symmetric(reading, (a, b, output))
    real = float(a.scale[0]) * float(b.scale[0]) / float(output.scale[0])
    multiplier, shift = rescaling(reading, real, LARGEST[tensor.dtype] ** 2)
    low, high = activation_range(reading, output, tensor.dtype)
    parameters = kinds[tensor.dtype](
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
    leads = reading.in_place(y, first, second)
    return Kernel(reading.index, kind, parameters, (first, second), (y,), leads=leads)
