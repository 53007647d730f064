"""Pictures as another camera would give them: five shifts of int8 grey images (n, H, W, 1)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Images = npt.NDArray[np.int8]
Grey = npt.NDArray[np.float64]

DARK, LIGHT = -128, 127


def _rotated(grey: Grey, degrees: float) -> Grey:
    return np.asarray(ndimage.rotate(grey, degrees, (1, 2), reshape=False, order=1, cval=DARK))


def _blurred(grey: Grey) -> Grey:
    return np.asarray(ndimage.gaussian_filter(grey, (0, 1.5, 1.5), mode="nearest"))


def _faint(grey: Grey) -> Grey:
    """A quarter of the contrast, around the middle."""
    return grey / 4


SHIFTS: dict[str, Callable[[Grey], Grey]] = {
    "turned by 30 degrees": lambda grey: _rotated(grey, 30),
    "turned by -30 degrees": lambda grey: _rotated(grey, -30),
    "inverted": lambda grey: DARK + LIGHT - grey,
    "blurred": _blurred,
    "contrast": _faint,
}


def shifted(images: Images, name: str) -> Images:
    grey = SHIFTS[name](images[..., 0].astype(np.float64))
    return np.clip(np.rint(grey), DARK, LIGHT).astype(np.int8)[..., None]
