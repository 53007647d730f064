"""The learner of a model: what it learns by, remembers, and how it guards itself.

The rules of learning stand in firmware/LEARNING.md, sections 6 and 7; emulator/learner.py carries
them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.head import HeadConstants, HeadUnits
from tinytrain.lda_constants import LdaConstants
from tinytrain.operators.kernel import Parameters

ONE_BIT = 1 << 10
"""A loss of one bit, Q10."""

MAX_VERSIONS = 4

LONGEST_LOSS = 31 * ONE_BIT
"""The loss of a class that has no row."""

UNLIMITED = (1 << 31) - 1
"""Above every baseline of drift."""

GAIN_SHIFT = 4
"""From a loss in Q10 to what the guard sums up, Q6."""


class Kind(IntEnum):
    """How the candidate learns."""

    SGD = 0
    LDA = 1
    LDA_SGD = 2
    """LDA starts a row, SGD refines it."""


class Outcome(IntEnum):
    """What became of a labelled sample."""

    LEARNED = 0
    CONFIDENT = 1
    """Known well enough: no row was written."""
    HELD = 2
    """Held aside, to judge what is learned."""
    ASIDE = 3
    """Its label is implausible: kept until a second one confirms it."""
    BUDGET = 4
    """Today's steps are spent."""
    PATIENCE = 5
    """Learning has stopped: it brought nothing lately."""


OUTCOME_TEXTS = {
    Outcome.LEARNED: "learned",
    Outcome.CONFIDENT: "known well enough: no row was written",
    Outcome.HELD: "held aside, to judge what is learned",
    Outcome.ASIDE: "the label is implausible: kept until a second one confirms it",
    Outcome.BUDGET: "today's steps are spent",
    Outcome.PATIENCE: "learning has stopped: it brought nothing lately",
}
"""What a person reads of each, on the host as on a device."""


class Source(IntEnum):
    """Which rows answer."""

    FACTORY = 0
    ACTIVE = 1
    CANDIDATE = 2


@dataclass(frozen=True, eq=False)
class LearnerConstants(Parameters):
    """The twin of the C struct tt_learner_constants."""

    structure: ClassVar[str] = "tt_learner_constants"
    short: ClassVar[frozenset[str]] = frozenset(
        {"kind", "start", "slots", "held", "hold_every", "replays", "implausible", "loss_cap",
         "work_every", "guard", "margin", "confidence", "versions", "patience", "daily_steps",
         "pseudo"}
    )  # fmt: skip
    kind: int
    start: int
    """`lda+sgd`: samples of a class that LDA makes its row of."""
    slots: int
    held: int
    hold_every: int
    replays: int
    implausible: int
    """Q10 bits; 0: every label is believed."""
    loss_cap: int
    """Q10 bits: what one sample can weigh, at most."""
    work_every: int
    guard: int
    """1: only a better candidate becomes active."""
    margin: int
    """Q6 bits."""
    confidence: int
    """Standard errors, in 1/16."""
    versions: int
    patience: int
    daily_steps: int
    pseudo: int
    """Q15; 0: no learning without labels."""
    seed: int


@dataclass(frozen=True, eq=False)
class DriftConstants(Parameters):
    """The twin of the C struct tt_drift_constants; spreads and the limit have 8 fraction bits more
    than distance, Q10 standard deviations, and doubt, Q13."""

    structure: ClassVar[str] = "tt_drift_constants"
    drift_shift: int
    """1 to 12: the running means forget with 2^-drift_shift a sample."""
    settle_shift: int
    """4 to 9: the baseline is of the first 2^settle_shift samples."""
    distance_on: int
    """Q8 spreads above the baseline, 1 to 2^16."""
    distance_spread: int
    """The least that a device's spread counts as, 1 to 2^21."""
    doubt_on: int
    doubt_spread: int
    distance_limit: int
    """Of an untaught device's baseline; UNLIMITED: none."""
    usual: npt.NDArray[np.int16]
    """(C0,) Q10, the training people's distance from each class."""


@dataclass(frozen=True, eq=False)
class LearnerParts:
    """The constants that a learner works by; the twin of the C struct tt_learner_parts."""

    rules: LearnerConstants
    head: HeadConstants
    lda: LdaConstants | None = None
    """Asked for by every kind but SGD, and by drift."""
    drift: DriftConstants | None = None

    @cached_property
    def units(self) -> tuple[HeadUnits, ...]:
        """Of the factory's rows, then of the analytic head's."""
        return (self.head.units,) if self.lda is None else (self.head.units, self.lda.units)

    @property
    def analytic(self) -> LdaConstants | None:
        """The constants of the analytic head, where it learns."""
        return self.lda if self.rules.kind != Kind.SGD else None

    @property
    def blended(self) -> bool:
        return self.analytic is not None and self.analytic.blend > 0

    @property
    def copies(self) -> int:
        """Of the rows, beside the candidate's."""
        return 1 + self.rules.versions if self.rules.guard else 0
