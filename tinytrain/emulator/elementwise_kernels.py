"""The reference kernels of two operands: ADD, SUB, MUL, MAXIMUM, MINIMUM, PRELU."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator.kernels import Int, Value, evaluate
from tinytrain.emulator.requantize import PREPARED
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


Rule = Callable[[Any, Int, Int], Int]
"""An operator's arithmetic on numbers: parameters and both operands to unclamped outputs."""

PAIRS = 1 << 16
"""Of int8 operands."""


def _compute(p: Any, rule: Rule, a: Value, b: Value) -> Value:
    """`rule` over the walk of both operands, clamped.

    Two bytes have only so many values: from as many outputs on, they are looked up.
    """
    elements = int(np.prod(p.broadcast.extents))
    if a.dtype != np.int8 or len(a) * elements < PAIRS:
        x, y = operands(p.broadcast, a, b)
        return narrow(rule(p, x, y), p.activation_min, p.activation_max, a.dtype)
    first = stretch(a.view(np.uint8), p.broadcast.extents, p.broadcast.strides1)
    second = stretch(b.view(np.uint8), p.broadcast.extents, p.broadcast.strides2)
    outputs = np.empty(first.shape, np.int8)
    step = max(1, PAIRS // elements)
    for start in range(0, len(a), step):
        pairs = first[start : start + step].astype(np.uint16)
        pairs <<= 8
        pairs |= second[start : start + step]
        # Every pair is in the table; "wrap" only spares the check.
        np.take(_pair_table(p, rule), pairs, mode="wrap", out=outputs[start : start + step])
    return outputs.reshape(len(a), -1)


@lru_cache(maxsize=PREPARED)
def _pair_table(p: Any, rule: Rule) -> npt.NDArray[np.int8]:
    """(65536,) the outputs of all pairs of int8 operands, the first in the high byte."""
    every = np.arange(256).astype(np.uint8).view(np.int8).astype(np.int64)
    outputs = rule(p, np.repeat(every, 256), np.tile(every, 256))
    return np.clip(outputs, p.activation_min, p.activation_max).astype(np.int8)


def _raise_first(p: Addition, x: Int) -> Int:
    """The first operand on the common scale, p.left_shift bits up."""
    return fixed.multiply_by_quantized_multiplier(
        (x - p.input1_zero_point) << p.left_shift, p.input1_multiplier, p.input1_shift
    )


def _raise_second(p: Addition, y: Int) -> Int:
    return fixed.multiply_by_quantized_multiplier(
        (y - p.input2_zero_point) << p.left_shift, p.input2_multiplier, p.input2_shift
    )


def _lower(p: Addition, total: Int) -> Int:
    scaled = fixed.multiply_by_quantized_multiplier(total, p.output_multiplier, p.output_shift)
    return scaled + p.output_zero_point


def _add(p: Addition, x: Int, y: Int) -> Int:
    return _lower(p, _raise_first(p, x) + _raise_second(p, y))


def _sub(p: Addition, x: Int, y: Int) -> Int:
    return _lower(p, _raise_first(p, x) - _raise_second(p, y))


def _mul(p: Multiplication, x: Int, y: Int) -> Int:
    product = (x - p.input1_zero_point) * (y - p.input2_zero_point)
    scaled = fixed.multiply_by_quantized_multiplier(product, p.multiplier, p.shift)
    return scaled + p.output_zero_point


@evaluate.register(Add)
@evaluate.register(AddInt16)
def add(p: Addition, a: Value, b: Value) -> Value:
    return _compute(p, _add, a, b)


@evaluate.register(Sub)
@evaluate.register(SubInt16)
def sub(p: Addition, a: Value, b: Value) -> Value:
    return _compute(p, _sub, a, b)


@evaluate.register(Mul)
@evaluate.register(MulInt16)
def mul(p: Multiplication, a: Value, b: Value) -> Value:
    return _compute(p, _mul, a, b)


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
