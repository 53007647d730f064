"""Which classes are taken for which."""

from __future__ import annotations

import numpy as np

from tinytrain.training.data import IndexArray

Confusion = tuple[tuple[int, ...], ...]
"""[true class][class given]: how often."""


def confusion(truth: IndexArray, given: IndexArray, classes: int) -> Confusion:
    """Of samples (n,) with labels below `classes`."""
    counts = np.bincount(truth * classes + given, minlength=classes**2)
    return tuple(map(tuple, counts.reshape(classes, classes).tolist()))
