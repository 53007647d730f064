"""What the guard makes of the evidence, in numpy, for any number of devices at once: the reference
of firmware/src/learn/guard.c. The rules stand in firmware/LEARNING.md, section 6 ("Work", 3 and 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.learner import GAIN_SHIFT

Int = npt.NDArray[np.int64]

BEST_FRACTION_BITS = 8
CONFIDENCE_FRACTION_BITS = 4


class Rules(Protocol):
    """What it decides by; LearnerConstants says what each means."""

    @property
    def loss_cap(self) -> int: ...

    @property
    def margin(self) -> int: ...

    @property
    def confidence(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Evidence:
    """What k candidates gain over the factory, over the samples that judge them."""

    gain: Int
    """(k,) S, Q6 bits."""
    squares: Int
    """(k,) Q"""
    samples: Int
    """(k,) m"""


def gains(rules: Rules, factory_loss: Int, candidate_loss: Int) -> Int:
    """Of each sample, Q6 bits."""
    cap = rules.loss_cap
    return (np.minimum(factory_loss, cap) - np.minimum(candidate_loss, cap)) >> GAIN_SHIFT


def accepted(rules: Rules, evidence: Evidence, best: Int) -> npt.NDArray[np.bool_]:
    """(k,) whether each candidate is taken: better than the factory by more than chance, and not
    clearly worse than the `best` that was taken before."""
    beyond = evidence.gain - rules.margin
    unit = 1 << (2 * CONFIDENCE_FRACTION_BITS)
    significant = (beyond > 0) & (unit * beyond**2 > rules.confidence**2 * evidence.squares)
    behind = best * evidence.samples - (evidence.gain << BEST_FRACTION_BITS)
    near = (behind <= 0) | (behind**2 <= evidence.squares << (2 * BEST_FRACTION_BITS))
    return significant & near


def score(evidence: Evidence) -> Int:
    """(k,) what `best` becomes when a candidate is taken: the mean gain of a sample."""
    return fixed.divide_rounded(
        evidence.gain << BEST_FRACTION_BITS, np.maximum(evidence.samples, 1)
    )
