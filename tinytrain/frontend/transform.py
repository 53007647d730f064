"""What a fixed-point Fourier transform is made of: twiddles and windows. Rules of the transform:
firmware/FRONTEND.md, section 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinytrain.frontend.constants import Transform


def transform_constants(points: int) -> Transform:
    """The transform of `points` samples, a power of two from 16 to 1024."""
    angle = 2 * np.pi * np.arange(points // 2) / points
    return Transform(points, q15(np.stack([np.cos(angle), np.sin(angle)], axis=1)))


def q15(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    """Numbers of [-1, 1] in Q15, at most 32767."""
    return np.minimum(np.round(2**15 * values), 2**15 - 1).astype(np.int16)


def hann(length: int) -> npt.NDArray[np.int16]:
    """(length,) Q15: the symmetric Hann window, as numpy.hanning, 1 as 32767."""
    return np.round((2**15 - 1) * np.hanning(length)).astype(np.int16)
