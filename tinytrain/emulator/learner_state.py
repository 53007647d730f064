"""The state of learners in numpy, for any number of devices at once, and the constants that they
work by. firmware/LEARNING.md has the rules.

Letters: n devices, R rows for classes, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import drift as drifting
from tinytrain.emulator import head
from tinytrain.emulator import lda as analytic
from tinytrain.emulator import memory as remembering
from tinytrain.emulator.memory import Memory, MemoryRules
from tinytrain.head import HeadConstants, HeadUnits
from tinytrain.lda_constants import LdaConstants
from tinytrain.learner import DriftConstants, Kind, LearnerConstants, Source

Int = npt.NDArray[np.int64]


LDA_UNITS = 1
"""The index of the analytic head's units."""


@dataclass(frozen=True, eq=False)
class Parts:
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

    @cached_property
    def memory(self) -> MemoryRules:
        rules = self.rules
        return MemoryRules(rules.slots, rules.held, rules.hold_every, rules.seed)

    @property
    def analytic(self) -> LdaConstants | None:
        """The constants of the analytic head, where it learns."""
        return self.lda if self.rules.kind != Kind.SGD else None

    @property
    def blended(self) -> bool:
        return self.analytic is not None and self.analytic.blend > 0


@dataclass(frozen=True, eq=False)
class State:
    """What n devices know. Written in place."""

    candidate: head.Rows
    active: head.Rows
    """What the guard let through; as the candidate began until it has."""
    versions: tuple[head.Rows, ...]
    """The newest first."""
    lda: analytic.LdaState | None
    memory: Memory
    drift: drifting.Drift | None
    step: Int
    today: Int
    level: Int
    due: Int
    best: Int
    stale: Int
    stopped: npt.NDArray[np.bool_]
    source: Int
    kept: Int
    """(n,) versions there are."""
    crc: list[int] | None
    """The running CRC-32 of each device over everything that it computed; None: not traced."""


def initial(parts: Parts, devices: int, traced: bool = False) -> State:
    """Devices as they leave the factory."""
    constants, rules = parts.head, parts.rules

    def integers(value: int = 0) -> Int:
        return np.full(devices, value, np.int64)

    begin = beginning(parts, devices)
    factory = head.factory_rows(constants, devices)
    return State(
        candidate=begin,
        active=factory,
        versions=tuple(head.factory_rows(constants, devices) for _ in range(rules.versions)),
        lda=None if parts.analytic is None else analytic.empty_state(parts.analytic, devices),
        memory=remembering.empty(devices, constants.capacity, constants.features, parts.memory),
        drift=None if parts.drift is None else drifting.start(parts.drift, devices),
        step=integers(),
        today=integers(),
        level=integers(rules.implausible),
        due=integers(),
        best=integers(),
        stale=integers(),
        stopped=np.zeros(devices, bool),
        source=integers(Source.FACTORY),
        kept=integers(),
        crc=[0] * devices if traced else None,
    )  # fmt: skip


def beginning(parts: Parts, devices: int) -> head.Rows:
    """The candidate's rows before it has learned."""
    rows = head.factory_rows(parts.head, devices)
    lda = parts.analytic
    if lda is not None:
        rows.weights[:, : lda.classes] = lda.weights
        rows.bias[:, : lda.classes] = lda.bias
        rows.units[:] = LDA_UNITS
    return rows
