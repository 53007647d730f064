"""The reference kernels: one numpy function an operator, over a batch of independent inferences.

Each takes its parameters and the inputs as arrays of shape (n, elements), and gives the output
as (n, elements). n is how many inferences run at once; it is no dimension of the model.
Source of the rules: TensorFlow Lite Micro's reference kernels (DESIGN.md, "Arithmetic").
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator.scratch import Scratch
from tinytrain.emulator.windows import Windows
from tinytrain.operators.activation import INTEGER_BITS, Softmax
from tinytrain.operators.kernel import Parameters
from tinytrain.operators.layout import Copy
from tinytrain.operators.pooling import AveragePool2D, MaxPool2D, Pooling
from tinytrain.operators.reduction import ArgMax, Reduction, Sum

Int8 = npt.NDArray[np.int8]
Int = npt.NDArray[np.int64]
Value = npt.NDArray[Any]
"""(n, elements) of a tensor's type."""


@singledispatch
def evaluate(parameters: Parameters, *_inputs: Value) -> Value | tuple[Value, ...]:
    """Runs the kernel that belongs to the type of `parameters`.

    Gives the output, or the outputs where the operator has several.
    """
    raise TypeError(f"no reference kernel for {type(parameters).__name__}")


def _clamp(x: Int, low: int, high: int) -> Int8:
    return np.clip(x, low, high).astype(np.int8).reshape(len(x), -1)


def _pooling_patches(p: Pooling, x: Int8, fill: int) -> Int8:
    windows = Windows(
        outputs=(p.output_height, p.output_width),
        taps=(p.filter_height, p.filter_width),
        strides=(p.stride_height, p.stride_width),
        dilations=(1, 1),
        before=(p.pad_top, p.pad_left),
    )
    image = x.reshape(-1, p.input_height, p.input_width, p.channels)
    return windows.patches(windows.padded(image, fill, np.int8, Scratch()))


@evaluate.register
def max_pool_2d(p: MaxPool2D, x: Int8) -> Int8:
    highest = _pooling_patches(p, x, -128).max(axis=(3, 4))
    return _clamp(highest.astype(np.int64), p.activation_min, p.activation_max)


@evaluate.register
def average_pool_2d(p: AveragePool2D, x: Int8) -> Int8:
    """Sums over the valid positions, divided by their number, ties away from zero."""
    total = _pooling_patches(p, x, 0).sum(axis=(3, 4), dtype=np.int32)
    ones = np.ones((1, p.input_height * p.input_width * p.channels), np.int8)
    count = _pooling_patches(p, ones, 0).sum(axis=(3, 4), dtype=np.int32)
    magnitude = (np.abs(total) + count // 2) // count
    return _clamp(np.sign(total) * magnitude, p.activation_min, p.activation_max)


def _in_five(p: Reduction, x: Int8) -> Int8:
    """x (n, elements) by axes of kept and reduced elements in turn; 2 and 4 are reduced."""
    return x.reshape(len(x), p.outer, p.reduced1, p.middle, p.reduced2, p.inner)


@evaluate.register
def reduce_sum(p: Sum, x: Int8) -> Int8:
    total = _in_five(p.extents, x).sum(axis=(2, 4), dtype=np.int64)
    centred = total - p.input_zero_point * p.extents.reduced1 * p.extents.reduced2
    scaled = fixed.multiply_by_quantized_multiplier(centred, p.multiplier, p.shift)
    return _clamp(scaled + p.output_zero_point, -128, 127)


@evaluate.register
def reduce_max(p: Reduction, x: Int8) -> Int8:
    return _in_five(p, x).max(axis=(2, 4)).reshape(len(x), -1)


@evaluate.register
def arg_max(p: ArgMax, x: Int8) -> npt.NDArray[np.int32]:
    rows = x.reshape(len(x), p.outer, p.depth, p.inner)
    return rows.argmax(axis=2).astype(np.int32).reshape(len(x), -1)


SUM_BITS = 12
"""Integer bits of the sum of exponentials."""


@evaluate.register
def softmax(p: Softmax, x: Int8) -> Int8:
    rows = x.reshape(len(x), p.rows, p.depth).astype(np.int64)
    difference = rows - rows.max(axis=2, keepdims=True)
    kept = difference >= p.difference_min
    scaled = fixed.saturating_rounding_doubling_high_mul(
        fixed.wrap32(np.where(kept, difference, 0) << p.shift), p.multiplier
    )
    exponential = fixed.exp_on_negative_values(scaled, INTEGER_BITS)
    total = np.where(kept, fixed.rounding_divide_by_pot(exponential, SUM_BITS), 0).sum(
        axis=2, keepdims=True
    )
    headroom = fixed.count_leading_zeros(total)
    reciprocal = fixed.one_over_one_plus_x((total << headroom) - (1 << 31))
    probability = fixed.rounding_divide_by_pot(
        fixed.saturating_rounding_doubling_high_mul(reciprocal, exponential),
        SUM_BITS - headroom + 31 - 8,
    )
    return _clamp(np.where(kept, probability - 128, -128), -128, 127)


@evaluate.register
def copy(_: Copy, x: Int8) -> Int8:
    return x
