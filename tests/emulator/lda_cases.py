"""Analytic heads as a device could hold them at the very worst: random constants, states and
samples, up to the ends of their ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.firmware.lda_device import Answer, Command, state_of
from tinytrain.emulator import lda
from tinytrain.lda import UNKNOWN
from tinytrain.lda_constants import COUNT_LIMIT, MAX_PRIOR, SCATTER_LIMIT, LdaConstants

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """What is drawn; the numbers follow from the seed."""

    features: int
    classes: int
    reserved: int
    """Rows of memory beyond the classes of the factory head, in use too."""
    blend: int
    seed: int
    extreme: bool
    """Constants at the ends of their ranges, no correlation that a covariance could have."""
    worn: bool
    """Counts just before they are halved, and sums and scatter as large as they get."""


cases = st.builds(
    Case,
    features=st.integers(1, 40),
    classes=st.integers(1, 6),
    reserved=st.integers(0, 3),
    blend=st.sampled_from([0, 0, 1, 50, 65535]),
    seed=st.integers(0, 2**32 - 1),
    extreme=st.booleans(),
    worn=st.booleans(),
)


def constants_of(case: Case, rng: np.random.Generator) -> LdaConstants:
    d, blended = case.features, case.blend > 0
    triangle = d * (d + 1) // 2
    inverse = int16(rng, (d, d), case.extreme, 4000)
    correlation = int16(rng, triangle, case.extreme, 3000)
    if not case.extreme:
        diagonal = np.arange(d) * (np.arange(d) + 3) // 2
        correlation[diagonal] = 16384
    return LdaConstants(
        classes=case.classes,
        capacity=case.classes + case.reserved,
        features=d,
        prior=int(rng.choice([0, 1, 48, MAX_PRIOR])),
        blend=case.blend,
        whitening_shift=int(rng.integers(9, 19)),
        inverse_shift=int(rng.integers(7, 20)),
        weight_shift=int(rng.integers(1, 30)),
        ridge=int(rng.choice([1 << 19, 3355443, 1 << 28])),
        units=UNKNOWN,
        means=int16(rng, (case.classes, d), case.extreme, 16000),
        origin=int16(rng, d, case.extreme, 16000),
        whitening=np.maximum(np.abs(int16(rng, d, case.extreme, 20000).astype(int)), 1).clip(
            1, 32767).astype(np.int16),
        inverse=np.tril(inverse) + np.tril(inverse, -1).T if not blended else inverse[:0, 0],
        correlation=correlation if blended else correlation[:0],
        weights=np.zeros((case.classes, d), np.int16),
        bias=np.zeros(case.classes, np.int32),
    )  # fmt: skip


def int16(rng: np.random.Generator, shape: Any, extreme: bool, reach: int) -> Array:
    """Within the reach, or up to the ends of int16 with zeros among them."""
    numbers = rng.integers(-reach, reach + 1, shape)
    ends = rng.choice(np.array([-32768, -32767, 0, 1, 32767]), shape)
    return (ends if extreme else numbers).astype(np.int16)


def state_before(case: Case, k: LdaConstants, rng: np.random.Generator) -> lda.LdaState:
    """Of one device, new or worn."""
    state = lda.empty_state(k)
    if case.worn:
        counts = rng.integers(COUNT_LIMIT - 2, COUNT_LIMIT + 1, state.counts.shape)
        reach = 255 * counts[..., None]
        signs = rng.integers(-1, 2, state.sums.shape)
        state.counts[:], state.sums[:] = counts, reach * signs
        state.scatter_count[:] = rng.integers(SCATTER_LIMIT - 2, SCATTER_LIMIT + 1, 1)
        signs = rng.integers(-1, 2, state.scatter.shape)
        state.scatter[:] = 510**2 * (SCATTER_LIMIT - 2) * signs
    return state


def commands_of(case: Case, k: LdaConstants, rng: np.random.Generator) -> list[Command]:
    """Samples of some classes, then every row, with and without a sample."""
    sample = rng.integers(-255, 256, (8, k.features))
    sample[::2] = rng.choice(np.array([-255, 0, 255]), sample[::2].shape)
    labels = rng.integers(0, k.capacity, rng.integers(0, 8))
    commands = [Command("a", int(y), x) for y, x in zip(labels, sample, strict=False)]
    commands += [Command("d"), Command("s", k.capacity)]
    commands += [Command("r", row) for row in range(k.capacity)]
    seen = {c.label: c.x for c in commands if c.kind == "a"}
    if case.worn:
        seen = {row: sample[row % 8] for row in range(k.capacity)}
    commands += [Command("w", row, x) for row, x in seen.items()]
    return [*commands, Command("a", 0, sample[0]), Command("d")]


def emulated(k: LdaConstants, state: lda.LdaState, commands: list[Command]) -> list[Answer]:
    """What the reference answers; changes the state."""
    factored: Array | None = None
    answers = []
    for command in commands:
        weights, bias = np.zeros((0, k.features), np.int16), np.zeros(0, np.int32)
        kept = b""
        y = np.array([command.label])
        if command.kind == "a":
            assert command.x is not None
            lda.add(k, state, command.x[None], y)
        elif command.kind == "s":
            factored = lda.factor(k, state)
            every = np.arange(command.label)[None]
            weights, bias = (part[0] for part in lda.row(k, state, every, factored))
        elif command.kind == "r":
            weights, bias = (part[0] for part in lda.row(k, state, y[None], factored))
        elif command.kind == "w":
            assert command.x is not None
            weights, bias = lda.row_without(k, state, y, command.x[None], factored)
        elif command.kind == "d":
            kept = state_of(state, 0)
        answers.append(Answer(weights, bias, (), kept))
    return answers
