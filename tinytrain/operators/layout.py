"""What operators that only move elements have in common; RESHAPE, SQUEEZE and EXPAND_DIMS: the
same bytes under another shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from tinytrain.graph import ITEM_BYTES, Tensor
from tinytrain.operators.kernel import Kernel, Parameters, Reading

MOVABLE = ("int8",)
"""Element types that are moved."""


@dataclass(frozen=True, eq=False)
class Copy(Parameters):
    structure: ClassVar[str] = "tt_stretch"
    function: ClassVar[str] = "tt_copy"
    bytes: int


@dataclass(frozen=True, eq=False)
class Move:
    """An input whose elements turn up in an output, both of the same type and quantization."""

    x: int
    tensor: Tensor
    y: int
    result: Tensor

    @property
    def item_bytes(self) -> int:
        return ITEM_BYTES[self.tensor.dtype]


def moving(reading: Reading, position: int = 0, output: int = 0) -> Move:
    """The activation at `position` and the output that takes its elements, checked."""
    x, tensor, _ = reading.activation(position, MOVABLE)
    y = same_quantization(reading, position, output)
    return Move(x, tensor, y, reading.graph.tensors[y])


def same_quantization(reading: Reading, position: int, output: int = 0) -> int:
    """Output number `output`, once it has the type, scale and zero point of input `position`."""
    x, tensor, input_ = reading.operand(position, MOVABLE)
    y, _, result = reading.output(output, (tensor.dtype,))
    if input_.scale[0] != result.scale[0] or input_.zero_point[0] != result.zero_point[0]:
        raise reading.fail(
            f"{reading.name(x)} has scale {input_.scale[0]} and zero point {input_.zero_point[0]}, "
            f"output {reading.name(y)} {result.scale[0]} and {result.zero_point[0]}; "
            "they must be the same"
        )
    return y


def integers(reading: Reading, position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A constant int32 input of `shape`, flattened: a permutation, sizes, paddings."""
    index, data = reading.constant(position, "int32")
    if data.shape != shape:
        raise reading.fail(f"{reading.name(index)} has shape {data.shape}, expected {shape}")
    return tuple(int(value) for value in data.reshape(-1).astype(np.int64))


def axis_of(reading: Reading, axis: int, rank: int) -> int:
    """An axis counted from the front, given as such or from the back as a negative number."""
    if not -rank <= axis < rank:
        raise reading.fail(f"axis {axis}; {-rank} to {rank - 1} is supported for a rank of {rank}")
    return axis % rank


def one_integer(reading: Reading, position: int) -> int:
    """A constant int32 input of one element, of whatever rank."""
    index, data = reading.constant(position, "int32")
    if data.size != 1:
        raise reading.fail(f"{reading.name(index)} has {data.size} elements, expected one")
    return int(data.reshape(-1)[0])


def byte_strides(shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    """Bytes from one element to the next along each axis of a dense tensor."""
    return tuple(item_bytes * prod(shape[axis + 1 :]) for axis in range(len(shape)))


def copy_kernel(reading: Reading, move: Move) -> Kernel:
    """The same bytes in the same order: no work where the output can lie on the input."""
    kind = reading.operator.kind
    leads = reading.in_place(move.y, move.x)
    return Kernel(reading.index, kind, Copy(move.tensor.bytes), (move.x,), (move.y,), leads=leads)


def lower_reshape(reading: Reading) -> Kernel:
    """The new shape is the output's: the operand or option that repeats it is not read."""
    reading.count((1, 2))
    move = moving(reading)
    if move.result.elements != move.tensor.elements:
        raise reading.fail(f"output of shape {move.result.shape} for input {move.tensor.shape}")
    return copy_kernel(reading, move)


def lower_squeeze(reading: Reading) -> Kernel:
    """Which axes of extent 1 go is told by the output's shape."""
    reading.count((1, 1))
    move = moving(reading)
    before, after = ([n for n in t.shape if n != 1] for t in (move.tensor, move.result))
    if before != after or len(move.result.shape) > len(move.tensor.shape):
        raise reading.fail(f"output of shape {move.result.shape} for input {move.tensor.shape}")
    return copy_kernel(reading, move)


def lower_expand_dims(reading: Reading) -> Kernel:
    reading.count((2, 2))
    move = moving(reading)
    shape = move.tensor.shape
    axis = axis_of(reading, one_integer(reading, 1), len(shape) + 1)
    reading.expect_shape(move.y, (*shape[:axis], 1, *shape[axis:]))
    return copy_kernel(reading, move)
