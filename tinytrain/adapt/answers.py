"""What the factory head answers to samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import head
from tinytrain.head import HeadConstants
from tinytrain.training.data import Int8Array

Int = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answers:
    """To n samples."""

    x: Int
    """(n, D), less the zero point."""
    classes: Int
    """(n,)"""
    probabilities: Int
    """(n,) Q15, of those classes."""


def answers(constants: HeadConstants, features: Int8Array) -> Answers:
    """To samples with features (n, D)."""
    x = head.centered(constants, features)
    z = head.logits((constants.units,), head.factory_rows(constants), x)
    classes = np.argmax(z, axis=1)
    return Answers(x, classes, head.softmax(z)[0][np.arange(len(z)), classes])
