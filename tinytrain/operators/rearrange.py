"""TRANSPOSE, STRIDED_SLICE, PAD and PADV2: one strided view copied to another.

An element's place in memory is linear in its indices, in the input and in the output. So each of
these operators is a list of axes with an extent and two strides, and one kernel serves them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.arithmetic import INT32_MAX
from tinytrain.graph import MAX_ELEMENTS
from tinytrain.operators.kernel import Kernel, Parameters, Reading
from tinytrain.operators.layout import Move, byte_strides, copy_kernel, integers, moving


@dataclass(frozen=True, eq=False)
class StridedCopy(Parameters):
    """Runs of neighbouring bytes, copied for every index over `rank` axes. All sizes in bytes."""

    structure: ClassVar[str] = "tt_strides"
    function: ClassVar[str] = "tt_strided_copy"
    run: int
    """Bytes that lie side by side in input and output."""
    rank: int
    """1 to graph.MAX_RANK."""
    input_offset: int
    output_offset: int
    fill_bytes: int
    """Bytes of the output that are set before copying; 0 where the copies reach all of it."""
    fill_value: int
    extent: npt.NDArray[np.int32]
    """[rank], outermost axis first."""
    input_stride: npt.NDArray[np.int32]
    """[rank]; negative where a slice runs backwards."""
    output_stride: npt.NDArray[np.int32]
    """[rank]."""


@dataclass(frozen=True)
class Axis:
    """How often the copy steps, and how far each step goes in input and output, in bytes."""

    extent: int
    input_stride: int
    output_stride: int


def merge_axes(axes: Sequence[Axis], item_bytes: int) -> tuple[list[Axis], int]:
    """The same copy with the fewest axes, and the bytes of its innermost run."""
    merged: list[Axis] = []
    for axis in axes:
        outer = merged[-1] if merged else None
        if axis.extent == 1:
            continue
        if outer and (outer.input_stride, outer.output_stride) == (
            axis.input_stride * axis.extent,
            axis.output_stride * axis.extent,
        ):
            merged[-1] = Axis(outer.extent * axis.extent, axis.input_stride, axis.output_stride)
        else:
            merged.append(axis)
    if merged and merged[-1].input_stride == merged[-1].output_stride == item_bytes:
        return merged[:-1], merged[-1].extent * item_bytes
    return merged, item_bytes


def _kernel(
    reading: Reading,
    move: Move,
    axes: Sequence[Axis],
    offsets: tuple[int, int] = (0, 0),
    fill_value: int | None = None,
) -> Kernel:
    """The copy over `axes`, from and to byte `offsets`; a plain copy where it is nothing else."""
    merged, run = merge_axes(axes, move.item_bytes)
    if run == move.tensor.bytes == move.result.bytes:
        return copy_kernel(reading, move)
    merged = merged or [Axis(1, 0, 0)]
    parameters = StridedCopy(
        run=run,
        rank=len(merged),
        input_offset=offsets[0],
        output_offset=offsets[1],
        fill_bytes=0 if fill_value is None else move.result.bytes,
        fill_value=fill_value or 0,
        extent=np.array([axis.extent for axis in merged], np.int32),
        input_stride=np.array([axis.input_stride for axis in merged], np.int32),
        output_stride=np.array([axis.output_stride for axis in merged], np.int32),
    )
    return Kernel(reading.index, reading.operator.kind, parameters, (move.x,), (move.y,))


def lower_transpose(reading: Reading) -> Kernel:
    reading.count((2, 2))
    move = moving(reading)
    shape = move.tensor.shape
    order = integers(reading, 1, (len(shape),))
    if sorted(order) != list(range(len(shape))):
        raise reading.fail(f"permutation {order} of a rank-{len(shape)} input")
    reading.expect_shape(move.y, tuple(shape[axis] for axis in order))
    strides = byte_strides(shape, move.item_bytes)
    outputs = byte_strides(move.result.shape, move.item_bytes)
    axes = [Axis(shape[a], strides[a], output) for a, output in zip(order, outputs, strict=True)]
    return _kernel(reading, move, axes)


def lower_pad(reading: Reading) -> Kernel:
    """PAD fills with the output's zero point, which stands for 0."""
    reading.count((2, 2))
    _, _, output = reading.output()
    return _pad(reading, int(output.zero_point[0]))


def lower_padv2(reading: Reading) -> Kernel:
    """PADV2 fills with a constant, quantized as the output is."""
    reading.count((3, 3))
    index, data = reading.constant(2, "int8")
    _, _, value = reading.operand(2)
    _, _, output = reading.output()
    if data.size != 1:
        raise reading.fail(f"{reading.name(index)} has {data.size} elements, expected one")
    if value.scale[0] != output.scale[0] or value.zero_point[0] != output.zero_point[0]:
        raise reading.fail(f"{reading.name(index)} needs the output's scale and zero point")
    return _pad(reading, int(data.reshape(-1)[0]))


def paddings(reading: Reading, move: Move) -> list[tuple[int, int]]:
    """(before, after) of each axis, from the second input; none negative."""
    shape = move.tensor.shape
    flat = integers(reading, 1, (len(shape), 2))
    if min(flat, default=0) < 0 or max(flat, default=0) > MAX_ELEMENTS:
        raise reading.fail(f"paddings {flat}; 0 to {MAX_ELEMENTS} is supported")
    pairs = list(zip(flat[::2], flat[1::2], strict=True))
    padded = (size + sum(pair) for size, pair in zip(shape, pairs, strict=True))
    reading.expect_shape(move.y, tuple(padded))
    return pairs


def _pad(reading: Reading, value: int) -> Kernel:
    move = moving(reading)
    strides = byte_strides(move.tensor.shape, move.item_bytes)
    outputs = byte_strides(move.result.shape, move.item_bytes)
    pairs = paddings(reading, move)
    offset = sum(before * stride for (before, _), stride in zip(pairs, outputs, strict=True))
    axes = [Axis(*axis) for axis in zip(move.tensor.shape, strides, outputs, strict=True)]
    return _kernel(reading, move, axes, (0, offset), value)


@dataclass(frozen=True)
class Span:
    """The elements of one axis that a slice takes: `first`, `first + step`, ..., `count` of them.

    `kept` is false where the axis goes.
    """

    first: int
    step: int
    count: int
    kept: bool


def lower_strided_slice(reading: Reading) -> Kernel:
    reading.count((4, 4))
    move = moving(reading)
    for mask in ("ellipsis_mask", "new_axis_mask"):
        if reading.attribute(mask):
            raise reading.fail(f"{mask} is {reading.attribute(mask)}; 0 is supported")
    if reading.attribute("offset"):
        raise reading.fail("ends counted from the begins (offset) are not supported")
    shape = move.tensor.shape
    spans = _spans(reading, shape)
    reading.expect_shape(move.y, tuple(span.count for span in spans if span.kept))
    strides = byte_strides(shape, move.item_bytes)
    outputs = byte_strides(tuple(span.count for span in spans), move.item_bytes)
    axes = [
        Axis(span.count, span.step * stride, output)
        for span, stride, output in zip(spans, strides, outputs, strict=True)
    ]
    offset = sum(span.first * stride for span, stride in zip(spans, strides, strict=True))
    return _kernel(reading, move, axes, (offset, 0))


def _spans(reading: Reading, shape: tuple[int, ...]) -> list[Span]:
    """What a slice takes of each axis.

    TensorFlow Lite's strided_slice_logic.h, StartForAxis and StopForAxis: negative positions count
    from the end, positions outside the axis are moved to its edge, and a mask stands for that edge.
    """
    begins, ends, steps = (integers(reading, i, (len(shape),)) for i in (1, 2, 3))
    masks = [
        reading.integer(f"{mask}_mask", 0, INT32_MAX) for mask in ("begin", "end", "shrink_axis")
    ]
    spans: list[Span] = []
    for axis, (size, begin, end, step) in enumerate(zip(shape, begins, ends, steps, strict=True)):
        open_begin, open_end, shrink = (bool(mask >> axis & 1) for mask in masks)
        if step == 0 or (shrink and step < 0):
            raise reading.fail(f"step {step} along axis {axis}{' that goes' if shrink else ''}")
        low, high = (0, size) if step > 0 else (-1, size - 1)
        first, last = (
            min(max(position + size if position < 0 else position, low), high)
            for position in (begin, end)
        )
        if open_begin:
            first = low if step > 0 else high
        if open_end:
            last = high if step > 0 else low
        if shrink:
            last = first + 1
        count = -(-(last - first) // step)
        if count < 1 or not 0 <= first < size:
            raise reading.fail(f"nothing is left of axis {axis} ({begin}:{end}:{step} of {size})")
        spans.append(Span(first, step, count, not shrink))
    return spans
