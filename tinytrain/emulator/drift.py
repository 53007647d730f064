"""Drift in numpy, for any number of devices at once: the reference of firmware/src/learn/drift.c.
The rules stand in firmware/LEARNING.md, section 7.

Letters: k devices, C0 classes of the factory head, D features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import lda
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import DriftConstants

Int = npt.NDArray[np.int64]

FRACTION_BITS = 8


@dataclass(frozen=True, eq=False)
class Drift:
    """What n devices have seen of late. Written in place."""

    confidence: Int
    """(n,) Q15 with 8 more fraction bits."""
    distance: Int
    """(n,) standard deviations, Q10 with 8 more fraction bits."""
    alarm: npt.NDArray[np.bool_]
    """(n,)"""


def start(constants: DriftConstants, devices: int) -> Drift:
    """Devices that have seen what training saw."""
    return Drift(
        np.full(devices, constants.confidence, np.int64),
        np.full(devices, constants.distance, np.int64),
        np.zeros(devices, bool),
    )


def distances(constants: LdaConstants, x: Int, classes: Int) -> Int:
    """(k,) how far samples x (k, D) are from the training means of their classes, below C0."""
    away = (x << 7) - constants.means[classes].astype(np.int64)
    return np.abs(lda.whitened(constants, away)).sum(axis=1) // x.shape[1]


def observe(
    constants: DriftConstants,
    whitening: LdaConstants,
    drift: Drift,
    devices: Int,
    x: Int,
    classes: Int,
    probabilities: Int,
) -> None:
    """One sample x (k, D) on each of `devices`, with its class and the class's probability, Q15."""
    shift = constants.drift_shift
    confidence = drift.confidence[devices]
    drift.confidence[devices] = confidence + (
        ((probabilities << FRACTION_BITS) - confidence) >> shift
    )
    known = np.flatnonzero(classes < len(whitening.means))
    which = devices[known]
    distance = drift.distance[which]
    moved = distances(whitening, x[known], classes[known]) << FRACTION_BITS
    drift.distance[which] = distance + ((moved - distance) >> shift)
    v, k = drift.distance[devices], drift.confidence[devices]
    on = (v > constants.distance_on) | (k < constants.confidence_on)
    off = (v < constants.distance_off) & (k > constants.confidence_off)
    drift.alarm[devices] = on | (drift.alarm[devices] & ~off)
