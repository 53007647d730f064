"""Drift in numpy, for any number of devices at once: the reference of firmware/src/learn/drift.c.
The rules stand in firmware/LEARNING.md, section 7.

Letters: k devices, C0 classes of the factory head, D features. Signals: distance, then doubt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator import lda
from tinytrain.head import PROBABILITY_BITS
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import DriftConstants

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

FRACTION_BITS = 8
SIGNAL_BITS = 13
"""A signal lies within +-2^13."""
SQUARE_SHIFT = 4
SIGNALS = 2


@dataclass(frozen=True, eq=False)
class Drift:
    """What n devices have seen at first and of late. Written in place."""

    settled: Int
    """(n,) observations of the baseline."""
    level: Int
    """(n, 2) the baseline's mean with 8 more fraction bits; until it is made the sum."""
    spread: Int
    """(n, 2) its standard deviation, the same; until then the sum of squares in 16ths."""
    running: Int
    """(n, 2) the running mean, the same; 0 until then."""
    alarm: Bool
    """(n,)"""


def start(devices: int) -> Drift:
    """Devices that have seen nothing."""
    level, spread, running = (np.zeros((devices, SIGNALS), np.int64) for _ in range(3))
    return Drift(np.zeros(devices, np.int64), level, spread, running, np.zeros(devices, bool))


def restart(drift: Drift, devices: Int) -> None:
    """The baseline of these devices begins anew."""
    for array in (drift.settled, drift.level, drift.spread, drift.running, drift.alarm):
        array[devices] = 0


def distances(constants: LdaConstants, x: Int, classes: Int) -> Int:
    """(k,) how far samples x (k, D) are from the training means of their classes, below C0."""
    away = (x << 7) - constants.means[classes].astype(np.int64)
    return np.abs(lda.whitened(constants, away)).sum(axis=1) // x.shape[1]


def signals(
    constants: LdaConstants, usual: npt.NDArray[np.int16], x: Int, classes: Int, probabilities: Int
) -> Int:
    """(k, 2) of samples x (k, D), by the factory head's classes and their probabilities, Q15."""
    away = distances(constants, x, classes) - usual[classes]
    doubt = ((1 << PROBABILITY_BITS) - probabilities) >> (PROBABILITY_BITS - SIGNAL_BITS)
    limit = 1 << SIGNAL_BITS
    return np.stack([np.clip(away, -limit, limit), doubt], axis=1)


def follow(
    constants: DriftConstants, drift: Drift, devices: Int, values: Int, untaught: Bool
) -> None:
    """Signals (k, 2) of one sample on each of `devices`; `untaught` (k,) where the factory head
    answers."""
    settling = drift.settled[devices] < 1 << constants.settle_shift
    _add(constants, drift, devices[settling], values[settling])
    at = devices[~settling]
    moved = (values[~settling] << FRACTION_BITS) - drift.running[at]
    drift.running[at] += moved >> constants.drift_shift
    whole = drift.settled[devices] == 1 << constants.settle_shift
    _judge(constants, drift, devices[whole], untaught[whole])


def _add(constants: DriftConstants, drift: Drift, devices: Int, values: Int) -> None:
    """One sample more for baselines; where it is the last one, the sums become means."""
    drift.level[devices] += values
    drift.spread[devices] += values**2 >> SQUARE_SHIFT
    drift.settled[devices] += 1
    shift = constants.settle_shift
    at = devices[drift.settled[devices] == 1 << shift]
    sums = drift.level[at]
    variances = (drift.spread[at] << (SQUARE_SHIFT + shift)) - sums**2
    spreads = fixed.isqrt64(np.maximum(variances, 0) << (2 * FRACTION_BITS)) >> shift
    drift.spread[at] = np.maximum(spreads, [constants.distance_spread, constants.doubt_spread])
    drift.level[at] = (sums << FRACTION_BITS) >> shift
    drift.running[at] = drift.level[at]


def _judge(constants: DriftConstants, drift: Drift, devices: Int, untaught: Bool) -> None:
    level = drift.level[devices]
    risen = drift.running[devices] - level
    on = np.array([constants.distance_on, constants.doubt_on], np.int64)
    allowed = (drift.spread[devices] * on) >> FRACTION_BITS
    strange = untaught & (level[:, 0] > constants.distance_limit)
    loud = strange | (risen > allowed).any(axis=1)
    quiet = (risen < allowed >> 1).all(axis=1)
    drift.alarm[devices] = loud | (drift.alarm[devices] & ~quiet)
