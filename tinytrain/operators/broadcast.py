"""How two operands are stretched to a common shape, as in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.operators.kernel import Parameters, Reading


@dataclass(frozen=True, eq=False)
class Broadcast(Parameters):
    """A walk over the output, outermost dimension first.

    Neighbouring dimensions that both operands walk alike are one, so that two operands of the same
    shape need one dimension.
    """

    structure: ClassVar[str] = "tt_broadcast"
    function: ClassVar[str] = ""
    dimensions: int
    """1 to graph.MAX_RANK."""
    extents: npt.NDArray[np.int32]
    """(dimensions,) of the output."""
    strides1: npt.NDArray[np.int32]
    """(dimensions,) elements from one position of the first operand to the next; 0 repeats."""
    strides2: npt.NDArray[np.int32]


def broadcast(reading: Reading, first: int, second: int, output: int) -> Broadcast:
    """The walk for tensors `first` and `second`, whose common shape `output` must have."""
    shapes = [reading.graph.tensors[tensor].shape for tensor in (first, second)]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        raise reading.fail(
            f"{reading.name(first)} of shape {shapes[0]} and {reading.name(second)} of shape "
            f"{shapes[1]} do not stretch to one shape: extents must be equal or 1"
        ) from None
    reading.expect_shape(output, common)
    return walk(shapes[0], shapes[1])


def walk(first: tuple[int, ...], second: tuple[int, ...]) -> Broadcast:
    """The walk over the common shape of two shapes that have one."""
    common = np.broadcast_shapes(first, second)
    extents: list[int] = []
    moves: list[tuple[bool, bool]] = []
    for extent, a, b in zip(common, _aligned(first, common), _aligned(second, common), strict=True):
        if extent == 1:
            continue
        move = (a != 1, b != 1)
        if moves and moves[-1] == move:
            extents[-1] *= extent
        else:
            extents.append(extent)
            moves.append(move)
    if not extents:
        extents, moves = [1], [(True, True)]
    return Broadcast(
        dimensions=len(extents),
        extents=np.array(extents, np.int32),
        strides1=_strides(extents, [move[0] for move in moves]),
        strides2=_strides(extents, [move[1] for move in moves]),
    )


def _aligned(shape: tuple[int, ...], common: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * (len(common) - len(shape)) + shape


def _strides(extents: list[int], moves: list[bool]) -> npt.NDArray[np.int32]:
    strides = []
    step = 1
    for extent, move in zip(reversed(extents), reversed(moves), strict=True):
        strides.append(step if move else 0)
        step *= extent if move else 1
    return np.array(strides[::-1], np.int32)
