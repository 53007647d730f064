"""Windows that slide over images: what convolutions and poolings read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.emulator.scratch import Scratch

Pair = tuple[int, int]
"""Along the height, along the width."""


@dataclass(frozen=True)
class Windows:
    """Where windows lie over an image."""

    outputs: Pair
    taps: Pair
    strides: Pair
    dilations: Pair
    before: Pair
    """Padding above and left."""

    def padded(
        self,
        image: npt.NDArray[Any],
        fill: int,
        dtype: npt.DTypeLike,
        scratch: Scratch,
        phases: int = 1,
    ) -> npt.NDArray[Any]:
        """The image (n, H, W, C) with everything around it that a window can touch.

        Gives (n, rows, phases, columns of each, C). A column belongs to the phase that is the
        remainder of its division by `phases`: where that is the stride, neighbouring windows read
        neighbouring columns of a phase.
        """
        n, height, width, channels = image.shape
        rows, columns = self._extent(0, height), self._extent(1, width)
        shape = n, rows, phases, -(-columns // phases), channels
        padded = scratch.take("padded", shape, dtype)
        if padded.size > image.size:
            padded.fill(fill)
        top, before = self.before
        for phase in range(phases):
            first = (phase - before) % phases
            part = image[:, :, first::phases]
            left = (first + before) // phases
            padded[:, top : top + height, phase, left : left + part.shape[2]] = part
        return padded

    def _extent(self, axis: int, size: int) -> int:
        last = (self.outputs[axis] - 1) * self.strides[axis]
        reach = (self.taps[axis] - 1) * self.dilations[axis]
        return max(last + reach + 1, self.before[axis] + size)

    def patches(self, padded: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(n, outputs_h, outputs_w, taps_h, taps_w, C) of a padded image of one phase; no copy."""
        image, row, _, column, item = padded.strides
        return np.lib.stride_tricks.as_strided(
            padded,
            (len(padded), *self.outputs, *self.taps, padded.shape[4]),
            (
                image,
                row * self.strides[0],
                column * self.strides[1],
                row * self.dilations[0],
                column * self.dilations[1],
                item,
            ),
            writeable=False,
        )
