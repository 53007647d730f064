"""MIRROR_PAD and RESIZE_NEAREST_NEIGHBOR: each axis of the output picks positions of the input.

Which position an index picks is worked out at conversion, one table an axis, so that the device
neither divides nor rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.operators.kernel import Kernel, Parameters, Reading
from tinytrain.operators.layout import Move, byte_strides, copy_kernel, integers, moving
from tinytrain.operators.rearrange import paddings

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Gather(Parameters):
    """Runs of `run` bytes, written side by side for every index over `rank` axes."""

    structure: ClassVar[str] = "tt_positions"
    function: ClassVar[str] = "tt_gather"
    run: int
    rank: int
    """1 to graph.MAX_RANK."""
    extent: npt.NDArray[np.int32]
    """[rank], of the output, outermost axis first."""
    offset: npt.NDArray[np.int32]
    """One table of extent[axis] byte offsets into the input after the other; a run is read at the
    sum of one offset of each."""


def lower_mirror_pad(reading: Reading) -> Kernel:
    """Mirrored about the edge element (REFLECT), or about the edge, which is repeated (SYMMETRIC).

    TensorFlow Lite Micro's mirror_pad.cc, for paddings that fit into the input.
    """
    reading.count((2, 2))
    move = moving(reading)
    mode = reading.choice("mode", ("REFLECT", "SYMMETRIC"))
    pairs = paddings(reading, move)
    tables: list[Positions] = []
    for axis, (size, pair) in enumerate(zip(move.tensor.shape, pairs, strict=True)):
        most = size - 1 if mode == "REFLECT" else size
        if max(pair) > most:
            raise reading.fail(f"paddings {pair} of axis {axis}; {mode} of {size} allows {most}")
        before, after = pair
        place = np.arange(-before, size + after, dtype=np.int64)
        repeat = 0 if mode == "REFLECT" else 1
        place = np.where(place < 0, -place - repeat, place)
        tables.append(np.where(place >= size, 2 * (size - 1) - place + repeat, place))
    return _kernel(reading, move, tables)


def lower_resize_nearest_neighbor(reading: Reading) -> Kernel:
    reading.count((2, 2))
    move = moving(reading)
    shape = move.tensor.shape
    if len(shape) != 4:
        raise reading.fail(f"{reading.name(move.x)} has shape {shape}; rank 4 is supported")
    height, width = integers(reading, 1, (2,))
    reading.expect_shape(move.y, (shape[0], height, width, shape[3]))
    align = bool(reading.attribute("align_corners"))
    centre = bool(reading.attribute("half_pixel_centers"))
    tables = [
        np.arange(shape[0]),
        nearest(shape[1], height, align, centre),
        nearest(shape[2], width, align, centre),
        np.arange(shape[3]),
    ]
    return _kernel(reading, move, tables)


def nearest(size: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> Positions:
    """The position in [0, size) that each of `outputs` takes, in float32 as in the reference.

    TensorFlow Lite's resize_nearest_neighbor.h, GetNearestNeighbor; rounds half away from zero
    where corners are aligned, else down.
    """
    fits = align_corners and outputs > 1
    scale = np.float32(size - 1 if fits else size) / np.float32(outputs - 1 if fits else outputs)
    shift = np.float32(0.5 if half_pixel_centers else 0.0)
    place = (np.arange(outputs, dtype=np.float32) + shift) * scale
    # In double, where adding a half to a float32 of this size is exact.
    whole = np.floor(place.astype(np.float64) + (0.5 if align_corners else 0.0))
    return np.minimum(whole.astype(np.int64), size - 1)


def _kernel(reading: Reading, move: Move, tables: Sequence[Positions]) -> Kernel:
    """Axes that take their whole input in order, and lie innermost, become the run."""
    shape = move.tensor.shape
    inner = len(shape)
    while inner > 0 and np.array_equal(tables[inner - 1], np.arange(shape[inner - 1])):
        inner -= 1
    strides = byte_strides(shape, move.item_bytes)
    if inner == 0:
        return copy_kernel(reading, move)
    offsets = [
        table * stride for table, stride in zip(tables[:inner], strides[:inner], strict=True)
    ]
    kept = [offset for offset in offsets if offset.size > 1 or offset[0] != 0]
    kept = kept or [np.zeros(1, np.int64)]
    parameters = Gather(
        run=strides[inner - 1],
        rank=len(kept),
        extent=np.array([offset.size for offset in kept], np.int32),
        offset=np.concatenate(kept).astype(np.int32),
    )
    return Kernel(reading.index, reading.operator.kind, parameters, (move.x,), (move.y,))
