"""Functions of one byte: ABS, HARD_SWISH, LEAKY_RELU, LOGISTIC, RELU, RELU6, TANH and QUANTIZE.

There are 256 inputs, so the integer rule runs here, once for each, and both emulator and firmware
look its results up: fewer instructions than the rule, one kernel for all, the same bytes.

The rules take and give integers of shape (256,). Their sources are TensorFlow Lite Micro's
micro/kernels/*_common.cc and kernels/internal/reference, one file an operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, frexp
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.arithmetic import Int, quantize_multiplier
from tinytrain.graph import Quantization
from tinytrain.operators.kernel import (
    Kernel,
    Parameters,
    Reading,
    quantize_real,
    rescaling,
)


@dataclass(frozen=True, eq=False)
class Lookup(Parameters):
    structure: ClassVar[str] = "tt_table"
    function: ClassVar[str] = "tt_lookup"
    elements: int
    values: npt.NDArray[np.generic]
    """(256,) outputs, int8 or uint8, of the inputs 0, 1, ..., 255 as uint8; as int8 these are 0 to
    127 and then -128 to -1."""


@dataclass(frozen=True)
class _Unary:
    """An operator of one input and one output of its shape, of one byte an element."""

    reading: Reading
    x: int
    y: int
    elements: int
    input: Quantization
    output: Quantization
    dtypes: tuple[str, str]
    """Of input and output: int8 or uint8."""

    @property
    def inputs(self) -> Int:
        """Every value of the input's type, in the order of its bytes."""
        return np.arange(256, dtype=np.uint8).view(self.dtypes[0]).astype(np.int64)

    @property
    def input_scale(self) -> np.float32:
        return np.float32(self.input.scale[0])

    @property
    def output_scale(self) -> np.float32:
        return np.float32(self.output.scale[0])

    @property
    def centred(self) -> Int:
        """The inputs less their zero point."""
        return self.inputs - self.input.zero_point[0]

    def rescaled(self, x: Int, real: float) -> Int:
        """x * real, for x up to 255, plus the output's zero point."""
        multiplier, shift = rescaling(self.reading, real, 255)
        scaled = fixed.multiply_by_quantized_multiplier(x, multiplier, shift)
        return scaled + self.output.zero_point[0]

    def require_output(self, scale: float, zero_point: int) -> None:
        if self.output_scale != np.float32(scale) or self.output.zero_point[0] != zero_point:
            raise self.reading.fail(
                f"{self.reading.name(self.y)} has scale {self.output_scale} and zero point "
                f"{self.output.zero_point[0]}; 1/{1 / scale:.0f} and {zero_point} are supported"
            )

    def kernel(self, values: Int) -> Kernel:
        """The lookup of `values` (256,), clamped to the output's type."""
        dtype = np.dtype(self.dtypes[1])
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        table = Lookup(self.elements, np.clip(values, low, high).astype(dtype))
        kind = self.reading.operator.kind
        leads = self.reading.in_place(self.y, self.x)
        return Kernel(self.reading.index, kind, table, (self.x,), (self.y,), leads=leads)


def _unary(reading: Reading, dtypes: Sequence[str] = ("int8",)) -> _Unary:
    reading.count((1, 1))
    x, tensor, input_ = reading.activation(0, dtypes)
    y, result, output = reading.output(0, dtypes)
    reading.expect_shape(y, tensor.shape)
    return _Unary(reading, x, y, tensor.elements, input_, output, (tensor.dtype, result.dtype))


def lower_requantize(reading: Reading) -> Kernel:
    """QUANTIZE between types of one byte: rescaled by a double.

    Source: kernels/internal/reference/requantize.h.
    """
    unary = _unary(reading, ("int8", "uint8"))
    return unary.kernel(
        unary.rescaled(unary.centred, float(unary.input_scale) / float(unary.output_scale))
    )


def lower_abs(reading: Reading) -> Kernel:
    """Rescaled by a double, where the scales differ."""
    unary = _unary(reading)
    size = np.abs(unary.centred)
    if unary.input_scale == unary.output_scale:
        return unary.kernel(size + unary.output.zero_point[0])
    return unary.kernel(unary.rescaled(size, float(unary.input_scale) / float(unary.output_scale)))


def lower_relu(reading: Reading) -> Kernel:
    """Rescaled by a double; the real bound is 0."""
    unary = _unary(reading)
    rescaled = unary.rescaled(unary.centred, float(unary.input_scale) / float(unary.output_scale))
    return unary.kernel(np.maximum(rescaled, quantize_real(0.0, unary.output)))


def lower_relu6(reading: Reading) -> Kernel:
    """Clamps without rescaling, so that both sides need the same quantization."""
    unary = _unary(reading)
    zero_point = int(unary.input.zero_point[0])
    if unary.input_scale != unary.output_scale or zero_point != unary.output.zero_point[0]:
        raise reading.fail(
            "input and output need the same scale and zero point, as TensorFlow Lite Micro does "
            "not rescale here; fuse the activation into the operator before it"
        )
    return unary.kernel(
        np.clip(unary.inputs, zero_point, min(127, quantize_real(6.0, unary.input)))
    )


def lower_leaky_relu(reading: Reading) -> Kernel:
    """Both factors are computed in double."""
    unary = _unary(reading)
    alpha = float(np.float32(float(reading.attribute("alpha"))))  # type: ignore[arg-type]
    if alpha < 0:
        # The reference's rounding of negative multipliers is not MBQM's.
        raise reading.fail(f"alpha is {alpha:g}; 0 and more is supported")
    positive = float(unary.input_scale) / float(unary.output_scale)
    negative = float(unary.input_scale) * alpha / float(unary.output_scale)
    return unary.kernel(
        np.where(
            unary.centred >= 0,
            unary.rescaled(unary.centred, positive),
            unary.rescaled(unary.centred, negative),
        )
    )


INTEGER_BITS = 4
"""Of the arguments of LOGISTIC and TANH, Q4.27."""


def lower_logistic(reading: Reading) -> Kernel:
    unary = _unary(reading)
    unary.require_output(1 / 256, -128)
    argument, radius = _argument(unary)
    real = fixed.rounding_divide_by_pot(fixed.logistic(argument, INTEGER_BITS), 23) - 128
    return unary.kernel(_saturated(unary.centred, radius, real))


def lower_tanh(reading: Reading) -> Kernel:
    unary = _unary(reading)
    unary.require_output(1 / 128, 0)
    argument, radius = _argument(unary)
    real = fixed.rounding_divide_by_pot(fixed.tanh(argument, INTEGER_BITS), 24)
    return unary.kernel(_saturated(unary.centred, radius, real))


def _argument(unary: _Unary) -> tuple[Int, int]:
    """The inputs in Q4.27, and the radius at and beyond which they leave it.

    Source of the radius: CalculateInputRadius in kernels/internal/quantization_util.cc.
    """
    fraction_bits = 31 - INTEGER_BITS
    fraction, shift = frexp(float(unary.input_scale) * (1 << fraction_bits))
    if shift < -31:
        raise unary.reading.fail(f"its input scale {unary.input_scale} is too small")
    radius = floor(((1 << INTEGER_BITS) - 1) * 2.0 ** (fraction_bits - shift))
    inside = np.where(np.abs(unary.centred) < radius, unary.centred, 0)
    multiplier = floor(fraction * 2.0**31)
    argument = fixed.multiply_by_quantized_multiplier(inside, multiplier, min(shift, 31))
    return argument, radius


def _saturated(x: Int, radius: int, values: Int) -> Int:
    return np.where(x <= -radius, -128, np.where(x >= radius, 127, values))


HARD_SWISH_FRACTION_BITS = 7
"""Bits that inputs are raised by, to fill 16 bits."""


def lower_hard_swish(reading: Reading) -> Kernel:
    """x * relu6(x + 3) / 6 in 16-bit arithmetic.

    The factor relu6(x + 3) / 6 is (s + 1) / 2 with s = x / 3 saturated to [-1, 1], in Q0.15.
    Factors are computed in double. Source: kernels/internal/reference/hard_swish.h.
    """
    unary = _unary(reading)
    raised = unary.centred << HARD_SWISH_FRACTION_BITS
    raised_scale = float(unary.input_scale) / (1 << HARD_SWISH_FRACTION_BITS)
    multiplier, shift = quantize_multiplier(raised_scale / float(unary.output_scale))
    if not -15 <= shift <= 0:
        raise reading.fail(
            f"input scale {unary.input_scale} and output scale {unary.output_scale}: their ratio "
            "must lie between 1/512 and 128"
        )
    value = _high_mul16(raised, _upper_half(multiplier))
    thirds = quantize_multiplier(raised_scale * (1 << 15) / 3)
    factor = (_third(unary, raised, *thirds) + (1 << 15)) >> 1
    product = factor * value
    # Rounded toward zero, unlike all else here.
    weighted = np.sign(product) * (np.abs(product) >> 15)
    scaled = fixed.rounding_divide_by_pot(weighted, -shift)
    return unary.kernel(_wrap16(scaled + unary.output.zero_point[0]))


def _third(unary: _Unary, raised: Int, multiplier: int, shift: int) -> Int:
    """x / 3 in Q0.15, saturated; a left shift saturates in two parts."""
    if not -15 <= shift <= 16:
        raise unary.reading.fail(f"its input scale {unary.input_scale} is out of range")
    before, after = (shift - 1, 1) if shift > 0 else (0, 0)
    third = _high_mul16(_saturate16(raised << before), _upper_half(multiplier))
    return fixed.rounding_divide_by_pot(_saturate16(third << after), max(-shift, 0))


def _upper_half(multiplier: int) -> int:
    """A multiplier in [2^30, 2^31) rounded to its upper 16 bits."""
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1)


def _high_mul16(a: Int, b: int) -> Int:
    """a * b / 2^15 rounded to nearest, ties up, for 16-bit a and b in [0, 2^15)."""
    return (a * b + (1 << 14)) >> 15


def _saturate16(x: Int) -> Int:
    return np.clip(x, -(1 << 15), (1 << 15) - 1)


def _wrap16(x: Int) -> Int:
    return ((x + (1 << 15)) & 0xFFFF) - (1 << 15)
