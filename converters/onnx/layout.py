"""In which order a tensor's elements lie, as against ONNX's order.

ONNX puts channels first (N, C, H, W), we put them last (N, H, W, C). Data is never moved for that
where it can be helped: a value remembers how it lies, and its consumer adapts its constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Layout:
    """stored = onnx.reshape(extents).transpose(order), in the fewest axes, so that equal layouts
    are equal objects. It survives a change of shape: flattened features keep theirs.
    """

    extents: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def plain(self) -> bool:
        """Whether elements lie as ONNX has them."""
        return len(self.extents) <= 1

    @property
    def stored_extents(self) -> tuple[int, ...]:
        return tuple(self.extents[axis] for axis in self.order)

    def arrange(self, data: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """(rows, elements) in ONNX's order to the same rows in stored order."""
        axes = (0, *(1 + axis for axis in self.order))
        return data.reshape(len(data), *self.extents).transpose(axes).reshape(len(data), -1)


def layout_of(shape: Sequence[int], order: Sequence[int]) -> Layout:
    """The layout of a tensor of ONNX `shape` whose stored axis i is ONNX axis order[i].

    Axes of extent 1 do not matter, and neighbours that stay neighbours are one.
    """
    present = [axis for axis, extent in enumerate(shape) if extent > 1]
    runs: list[list[int]] = []
    for place in (present.index(axis) for axis in order if shape[axis] > 1):
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    ranked = sorted(runs)
    return Layout(
        tuple(prod(shape[present[place]] for place in run) for run in ranked),
        tuple(ranked.index(run) for run in runs),
    )


def channels_last(rank: int) -> tuple[int, ...]:
    """The order (N, spatial axes, C)."""
    return (0, *range(2, rank), 1)


def plain_order(rank: int) -> tuple[int, ...]:
    return tuple(range(rank))


def order_of(shape: Sequence[int], layout: Layout) -> tuple[int, ...] | None:
    """The order of whole axes that `layout` means for `shape`: channels last, as it is, or None."""
    candidates = [plain_order(len(shape))]
    if len(shape) in (3, 4):
        candidates.insert(0, channels_last(len(shape)))
    for order in candidates:
        if layout_of(shape, order) == layout:
            return order
    return None
