"""MEAN, SUM and REDUCE_MAX over any axes, and ARG_MAX along one; int8."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from tinytrain.arithmetic import quantize_multiplier
from tinytrain.operators.kernel import Kernel, Parameters, Reading, check_shift
from tinytrain.operators.layout import axis_of, moving, one_integer


@dataclass(frozen=True, eq=False)
class Reduction(Parameters):
    """REDUCE_MAX: the input seen as (outer, reduced1, middle, reduced2, inner)."""

    structure: ClassVar[str] = "tt_reduction"
    function: ClassVar[str] = "tt_reduce_max"
    outer: int
    reduced1: int
    middle: int
    reduced2: int
    inner: int


@dataclass(frozen=True, eq=False)
class Sum(Parameters):
    """SUM, and MEAN, whose multiplier holds the division."""

    structure: ClassVar[str] = "tt_sum"
    function: ClassVar[str] = "tt_reduce_sum"
    extents: Reduction
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int


@dataclass(frozen=True, eq=False)
class ArgMax(Parameters):
    """The input seen as (outer, depth, inner): the position of the maximum along `depth`."""

    structure: ClassVar[str] = "tt_search"
    function: ClassVar[str] = "tt_arg_max"
    outer: int
    depth: int
    inner: int


def lower_mean(reading: Reading) -> Kernel:
    return _lower_sum(reading, average=True)


def lower_sum(reading: Reading) -> Kernel:
    return _lower_sum(reading, average=False)


def _lower_sum(reading: Reading, average: bool) -> Kernel:
    """TensorFlow Lite's reduce.h, QuantizedMeanOrSum."""
    reading.count((2, 2))
    x, _, input_ = reading.activation()
    y, _, output = reading.output()
    extents = _extents(reading, x, y)
    count = extents.reduced1 * extents.reduced2
    multiplier, shift = quantize_multiplier(float(input_.scale[0]) / float(output.scale[0]))
    check_shift(reading, shift)
    if average:
        multiplier, shift = _divide(multiplier, shift, count)
    worst = count * 255 << max(shift, 0)
    if worst >= 1 << 31:
        raise reading.fail(f"its sums can reach {worst}, more than 32 bits hold")
    parameters = Sum(
        extents=extents,
        input_zero_point=int(input_.zero_point[0]),
        output_zero_point=int(output.zero_point[0]),
        multiplier=multiplier,
        shift=shift,
    )
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), (y,))


def lower_reduce_max(reading: Reading) -> Kernel:
    reading.count((2, 2))
    move = moving(reading)
    parameters = _extents(reading, move.x, move.y)
    return Kernel(reading.index, reading.operator.kind, parameters, (move.x,), (move.y,))


def _extents(reading: Reading, x: int, y: int) -> Reduction:
    """The input's shape in five, kept and reduced in turn, by the axes in the second input.

    Neighbouring axes that share their fate are one; axes of extent 1 belong to either.
    """
    shape = reading.graph.tensors[x].shape
    index, data = reading.constant(1, "int32")
    if data.size > 2 * len(shape):
        raise reading.fail(f"{reading.name(index)} has {data.size} axes for a rank of {len(shape)}")
    given = [int(axis) for axis in data.reshape(-1)]
    axes = {axis_of(reading, axis, len(shape)) for axis in given}
    extents = [1] * 5
    place = 0
    for axis, size in enumerate(shape):
        if size > 1:
            place += (place % 2 == 1) != (axis in axes)
            if place == len(extents):
                raise reading.fail(
                    f"axes {given} of shape {shape}; at most two runs of neighbouring axes are "
                    "supported"
                )
            extents[place] *= size
    result = reading.graph.tensors[y]
    if not axes or result.elements != prod(extents[::2]):
        raise reading.fail(f"output of shape {result.shape} for input {shape} over axes {given}")
    return Reduction(*extents)


def _divide(multiplier: int, shift: int, count: int) -> tuple[int, int]:
    """The multiplier with the division by `count` folded in.

    TensorFlow Lite's reduce: raises the multiplier by as many bits as the division takes off,
    within 32 and without leaving the shift's range, then truncates.
    """
    raised = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << raised) // count, shift - raised


def lower_arg_max(reading: Reading) -> Kernel:
    """Positions are int32; of equal maxima the first counts (TensorFlow Lite's arg_min_max.h)."""
    reading.count((2, 2))
    x, tensor, _ = reading.activation()
    reading.choice("output_type", ("int32",))
    y = reading.operator.outputs[0]
    result = reading.graph.tensors[y]
    if result.dtype != "int32":
        raise reading.fail(f"output {reading.name(y)} is {result.dtype}; int32 is supported")
    shape = tensor.shape
    axis = axis_of(reading, one_integer(reading, 1), len(shape))
    outer, inner = prod(shape[:axis]), prod(shape[axis + 1 :])
    if result.elements != outer * inner:
        raise reading.fail(f"output of shape {result.shape} for input {shape} along axis {axis}")
    parameters = ArgMax(outer=outer, depth=shape[axis], inner=inner)
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), (y,))
