"""From probabilities to detections, in numpy: the reference of firmware/src/frontend/smoother.c.
The rules stand in firmware/FRONTEND.md, section 5.

Letters: n inferences, C classes. Probabilities are Q15, 0 to 32768.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.frontend.constants import SmootherConstants

Int = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.integer[Any]]


class Smoother:
    """One stream's last inferences. `capacity`: the most classes."""

    def __init__(self, constants: SmootherConstants, capacity: int) -> None:
        self._constants = constants
        self._capacity = capacity
        self._last: list[Int] = []
        """(capacity,) probabilities of the last inferences, oldest first."""
        self._since: int | None = None
        """Inferences after that of the last detection; None before there was one."""

    def push(self, probabilities: Numbers) -> tuple[Int, int | None]:
        """One inference's probabilities (C,): means (C,), and the class detected, if any."""
        k, classes = self._constants, len(probabilities)
        row = np.zeros(self._capacity, np.int64)
        row[:classes] = probabilities
        self._last = [*self._last, row][-k.average :]
        mean = means(k, np.array(self._last))[-1, :classes]
        if self._may_detect() and _is_detection(k, mean[None])[0]:
            self._since = 0
            return mean, int(mean.argmax())
        if self._since is not None:
            self._since += 1
        return mean, None

    def _may_detect(self) -> bool:
        return self._since is None or self._since >= self._constants.refractory


def means(constants: SmootherConstants, probabilities: Numbers) -> Int:
    """(n, C) of inferences in order to their means over the last `average`: (n, C)."""
    n = len(probabilities)
    running = np.zeros((n + 1, *probabilities.shape[1:]), np.int64)
    np.cumsum(probabilities, axis=0, out=running[1:])
    counts = np.minimum(np.arange(1, n + 1), constants.average)
    sums = running[1:] - running[np.arange(1, n + 1) - counts]
    # No sum is negative, so that rounding half away from zero is rounding half up.
    return (sums + counts[:, None] // 2) // counts[:, None]


def detections(constants: SmootherConstants, mean: Numbers) -> list[tuple[int, int]]:
    """Smoothed means (n, C) of a whole stream to its detections: (inference, class) of each."""
    found: list[tuple[int, int]] = []
    following = 0
    for index in np.flatnonzero(_is_detection(constants, mean)).tolist():
        if index >= following:
            found.append((index, int(mean[index].argmax())))
            following = index + constants.refractory + 1
    return found


def _is_detection(constants: SmootherConstants, mean: Numbers) -> npt.NDArray[np.bool_]:
    """(n,): whether the largest mean, the first of equals, is enough and of a class that counts."""
    best = mean.argmax(axis=1)
    counts: npt.NDArray[np.bool_] = ~np.isin(best, constants.ignore)
    return counts & (mean.max(axis=1) >= constants.threshold)
