"""LOGISTIC and TANH: int8 by a table of all inputs, int16 by interpolation in a table of sigmoid.

int16: the input is rescaled so that 2^17 stands for 32/3, which is where the table ends; TANH is
2 sigmoid(2x) - 1. Sources: micro/kernels/logistic_common.cc, tanh.cc and
kernels/internal/reference/integer_ops/{logistic,tanh}.h of TensorFlow Lite Micro.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinytrain.operators import lookup
from tinytrain.operators.kernel import Kernel, Parameters, Reading
from tinytrain.operators.wide import require_symmetric


@dataclass(frozen=True, eq=False)
class Sigmoid(Parameters):
    """Inputs are multiplied, and divided by 2^shift with ties up."""

    structure: ClassVar[str] = "tt_sigmoid"
    elements: int
    multiplier: int
    shift: int


class LogisticInt16(Sigmoid):
    function: ClassVar[str] = "tt_logistic_int16"


class TanhInt16(Sigmoid):
    function: ClassVar[str] = "tt_tanh_int16"


def lower_logistic(reading: Reading) -> Kernel:
    if reading.graph.tensors[reading.input_index(0)].dtype == "int16":
        return _lower(reading, LogisticInt16, whole_shifts=(0,))
    return lookup.lower_logistic(reading)


def lower_tanh(reading: Reading) -> Kernel:
    if reading.graph.tensors[reading.input_index(0)].dtype == "int16":
        return _lower(reading, TanhInt16, whole_shifts=(0, 1))
    return lookup.lower_tanh(reading)


def _lower(reading: Reading, kind: type[Sigmoid], whole_shifts: tuple[int, ...]) -> Kernel:
    reading.count((1, 1))
    x, tensor, input_ = reading.activation(0, ("int16",))
    y, _, output = reading.output(0, ("int16",))
    reading.expect_shape(y, tensor.shape)
    require_symmetric(reading, (input_, output))
    if output.scale[0] != np.float32(2.0**-15):
        raise reading.fail(f"{reading.name(y)} has scale {output.scale[0]}; 2^-15 is supported")
    multiplier, shift = _rescale(reading, np.float32(input_.scale[0]), whole_shifts)
    parameters = kind(tensor.elements, multiplier, shift)
    kernel = reading.operator.kind
    leads = reading.in_place(y, x)
    return Kernel(reading.index, kernel, parameters, (x,), (y,), leads=leads)


TOLERANCE = 1e-3
"""How far log2 of a scale may lie from a whole number that it is taken for."""


def _rescale(reading: Reading, scale: np.float32, whole_shifts: tuple[int, ...]) -> tuple[int, int]:
    """Multiplier and shift that bring inputs to steps of 1 / (3 * 4096).

    Scales close to 2^-12 times a power of two in `whole_shifts` are taken for that power.
    """
    exponent = np.log(scale) * (np.float32(1) / np.log(np.float32(2)))
    whole = int(np.floor(abs(exponent) + np.float32(0.5)) * np.sign(exponent))
    if abs(exponent - np.float32(whole)) < TOLERANCE and whole + 12 in whole_shifts:
        return 3 << (whole + 12), 0
    multiplier, shift = float(scale) * 4096 * 3, 0
    while multiplier <= 32767 / 2 and shift <= 30:
        multiplier, shift = multiplier * 2, shift + 1
    if multiplier >= 1 << 15 or shift > 30:
        raise reading.fail(f"its input scale {scale} is out of range: 2^-29 to 2.6 is supported")
    return int(multiplier), shift
