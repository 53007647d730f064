"""The reference kernels of two operands: ADD, SUB, MUL, MAXIMUM, MINIMUM, PRELU."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator.kernels import Int, Value, evaluate
from tinytrain.operators.broadcast import Broadcast
from tinytrain.operators.elementwise import (
    Add,
    AddInt16,
    Addition,
    Maximum,
    Minimum,
    Mul,
    MulInt16,
    Multiplication,
    Sub,
    SubInt16,
)
from tinytrain.operators.parametric import Prelu


def stretch(x: Value, extents: npt.NDArray[np.int32], strides: npt.NDArray[np.int32]) -> Value:
    """x (n, elements) as (n, *extents), repeated where a stride is 0; no copy."""
    item = x.strides[1]
    return np.lib.stride_tricks.as_strided(
        x,
        (len(x), *(int(extent) for extent in extents)),
        (x.strides[0], *(int(stride) * item for stride in strides)),
        writeable=False,
    )


def operands(p: Broadcast, a: Value, b: Value) -> tuple[Int, Int]:
    """Both operands as (n, *p.extents), wide enough to compute with."""
    return (
        stretch(a, p.extents, p.strides1).astype(np.int64),
        stretch(b, p.extents, p.strides2).astype(np.int64),
    )


def narrow(x: Int, low: int, high: int, dtype: np.dtype[Any]) -> Value:
    """x clamped, as (n, elements) of `dtype`."""
    return np.clip(x, low, high).astype(dtype).reshape(len(x), -1)


def _rescaled(p: Addition, a: Value, b: Value) -> tuple[Int, Int]:
    """Both operands on a common scale, p.left_shift bits up."""
    x, y = operands(p.broadcast, a, b)
    return (
        fixed.multiply_by_quantized_multiplier(
            (x - p.input1_zero_point) << p.left_shift, p.input1_multiplier, p.input1_shift
        ),
        fixed.multiply_by_quantized_multiplier(
            (y - p.input2_zero_point) << p.left_shift, p.input2_multiplier, p.input2_shift
        ),
    )


def _addition_output(p: Addition, total: Int, dtype: np.dtype[Any]) -> Value:
    scaled = fixed.multiply_by_quantized_multiplier(total, p.output_multiplier, p.output_shift)
    return narrow(scaled + p.output_zero_point, p.activation_min, p.activation_max, dtype)


@evaluate.register(Add)
@evaluate.register(AddInt16)
def add(p: Addition, a: Value, b: Value) -> Value:
    x, y = _rescaled(p, a, b)
    return _addition_output(p, x + y, a.dtype)


@evaluate.register(Sub)
@evaluate.register(SubInt16)
def sub(p: Addition, a: Value, b: Value) -> Value:
    x, y = _rescaled(p, a, b)
    return _addition_output(p, x - y, a.dtype)


@evaluate.register(Mul)
@evaluate.register(MulInt16)
def mul(p: Multiplication, a: Value, b: Value) -> Value:
    x, y = operands(p.broadcast, a, b)
    product = (x - p.input1_zero_point) * (y - p.input2_zero_point)
    scaled = fixed.multiply_by_quantized_multiplier(product, p.multiplier, p.shift)
    return narrow(scaled + p.output_zero_point, p.activation_min, p.activation_max, a.dtype)


@evaluate.register
def maximum(p: Maximum, a: Value, b: Value) -> Value:
    x, y = operands(p.broadcast, a, b)
    return np.maximum(x, y).astype(a.dtype).reshape(len(a), -1)


@evaluate.register
def minimum(p: Minimum, a: Value, b: Value) -> Value:
    x, y = operands(p.broadcast, a, b)
    return np.minimum(x, y).astype(a.dtype).reshape(len(a), -1)


@evaluate.register
def prelu(p: Prelu, a: Value, b: Value) -> Value:
    values, alpha = operands(p.broadcast, a, b)
    x = values - p.input_zero_point
    positive = fixed.multiply_by_quantized_multiplier(x, p.positive_multiplier, p.positive_shift)
    negative = fixed.multiply_by_quantized_multiplier(
        x * (alpha - p.alpha_zero_point), p.negative_multiplier, p.negative_shift
    )
    return narrow(np.where(x >= 0, positive, negative) + p.output_zero_point, -128, 127, a.dtype)
