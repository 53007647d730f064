"""The state of learners in numpy, for any number of devices at once. firmware/LEARNING.md has the
rules.

Letters: n devices, R rows for classes, D features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import drift as drifting
from tinytrain.emulator import head
from tinytrain.emulator import lda as analytic
from tinytrain.emulator import memory as remembering
from tinytrain.emulator.memory import Memory
from tinytrain.learner import LearnerParts, Source

Int = npt.NDArray[np.int64]


LDA_UNITS = 1
"""The index of the analytic head's units."""


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


def initial(parts: LearnerParts, devices: int, traced: bool = False) -> State:
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
        memory=remembering.empty(devices, constants.capacity, constants.features, rules.slots),
        drift=None if parts.drift is None else drifting.start(devices),
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


def beginning(parts: LearnerParts, devices: int) -> head.Rows:
    """The candidate's rows before it has learned."""
    rows = head.factory_rows(parts.head, devices)
    lda = parts.analytic
    if lda is not None:
        rows.weights[:, : lda.classes] = lda.weights
        rows.bias[:, : lda.classes] = lda.bias
        rows.units[:] = LDA_UNITS
    return rows
