"""The work of learners in numpy, all slices of it: labels judged again, the solve, and the
guard's decision. firmware/LEARNING.md, section 6 ("Work"), has the rules.

Letters as in candidate.py.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import candidate as candidates
from tinytrain.emulator import drift as drifting
from tinytrain.emulator import guard as guarding
from tinytrain.emulator import head
from tinytrain.emulator import lda as analytic
from tinytrain.emulator import row_copies as copies
from tinytrain.emulator.learner_state import State
from tinytrain.emulator.memory import Slot
from tinytrain.learner import Kind, LearnerParts, Source

Int = npt.NDArray[np.int64]

JUDGED_AT_ONCE = 2048
"""Stored samples that are judged together: what their rows take of memory."""


def work(parts: LearnerParts, state: State, devices: Int) -> None:
    """All slices of the work of `devices`."""
    if not len(devices):
        return
    _judge_again(parts, state, devices)
    factored = _solve(parts, state, devices) if parts.blended else None
    if parts.rules.guard:
        _decide(parts, state, devices, _judge(parts, state, devices, factored))


def _judge_again(parts: LearnerParts, state: State, devices: Int) -> None:
    """Labels put aside that the candidate believes by now."""
    memory = state.memory
    waiting = memory.state[devices] == Slot.ASIDE
    for label, place in zip(*np.nonzero(waiting.any(axis=0)), strict=True):
        which = devices[waiting[:, label, place]]
        labels = np.full(len(which), label)
        x = head.centered(parts.head, memory.features[which, label, place])
        seen = candidates.forward(parts, state, which, x)
        believed = candidates.loss(state, which, seen, labels) <= parts.rules.implausible
        at = np.flatnonzero(believed)
        memory.state[which[at], label, place] = Slot.LEARNED
        candidates.learn(parts, state, which[at], x[at], labels[at], seen.of(at))


def _solve(parts: LearnerParts, state: State, devices: Int) -> Int:
    """Makes all rows anew; gives the factors (k, D, D)."""
    assert parts.analytic is not None and state.lda is not None
    sums = candidates.take_lda(state.lda, devices)
    factored = analytic.factor(parts.analytic, sums)
    assert factored is not None, "a blended head has a factor"
    every = np.broadcast_to(np.arange(parts.head.capacity), (len(devices), parts.head.capacity))
    weights, bias = analytic.row(parts.analytic, sums, every, factored)
    rows = copies.take(state.candidate, devices)
    used = rows.used(parts.head.capacity)
    rows.weights[:] = np.where(used[..., None], weights, rows.weights)
    rows.bias[:] = np.where(used, bias, rows.bias)
    copies.assign(state.candidate, devices, rows)
    return factored


def _judge(
    parts: LearnerParts, state: State, devices: Int, factored: Int | None
) -> guarding.Evidence:
    """What the candidates gain over the factory on what they remember."""
    memory = state.memory.state[devices]
    judges = memory != Slot.EMPTY if parts.rules.kind == Kind.LDA else memory == Slot.HELD
    which, labels, places = np.nonzero(judges)
    totals = np.zeros((3, len(devices)), np.int64)
    for first in range(0, len(which), JUDGED_AT_ONCE):
        at = slice(first, first + JUDGED_AT_ONCE)
        factors = None if factored is None else factored[which[at]]
        gain = _gains(parts, state, devices[which[at]], labels[at], places[at], factors)
        sums = np.stack([gain, gain**2, np.ones_like(gain)])
        for total, values in zip(totals, sums, strict=True):
            np.add.at(total, which[at], values)
    return guarding.Evidence(totals[0], totals[1], totals[2])


def _gains(
    parts: LearnerParts, state: State, devices: Int, labels: Int, places: Int, factored: Int | None
) -> Int:
    """Of the samples at these places, Q6 bits; of one that was learned, without it."""
    memory = state.memory
    x = head.centered(parts.head, memory.features[devices, labels, places])
    rows = copies.gather(state.candidate, devices)
    at = np.flatnonzero(memory.state[devices, labels, places] == Slot.LEARNED)
    if parts.rules.kind == Kind.LDA and len(at):
        assert parts.analytic is not None and state.lda is not None
        sums = candidates.gather_lda(state.lda, devices[at])
        factors = None if factored is None else factored[at]
        weights, bias = analytic.row_without(parts.analytic, sums, labels[at], x[at], factors)
        rows.weights[at, labels[at]], rows.bias[at, labels[at]] = weights, bias
    factory = head.factory_rows(parts.head, len(devices))
    losses = []
    for one in (factory, rows):
        seen = candidates.answer(parts, one, x)
        losses.append(head.loss(seen.z, seen.total, labels, one.classes))
    return guarding.gains(parts.rules, losses[0], losses[1])


def _decide(parts: LearnerParts, state: State, devices: Int, evidence: guarding.Evidence) -> None:
    taken = guarding.accepted(parts.rules, evidence, state.best[devices])
    at = devices[taken]
    _keep(state, at[state.source[at] == Source.ACTIVE])
    copies.assign(state.active, at, copies.take(state.candidate, at))
    state.source[at] = Source.ACTIVE
    state.best[at] = guarding.score(evidence)[taken]
    if state.drift is not None:
        drifting.restart(state.drift, at[state.drift.alarm[at]])
    left = devices[~taken]
    state.best[left] -= state.best[left] >> 2
    state.stale[devices] = np.where(taken, 0, state.stale[devices] + 1)
    if parts.rules.patience:
        state.stopped[devices] |= state.stale[devices] >= parts.rules.patience
    numbers = [evidence.gain, evidence.squares, evidence.samples, taken.astype(np.int64)]
    candidates.fold_numbers(state, devices, np.stack(numbers, axis=1), 4)


def _keep(state: State, devices: Int) -> None:
    """The active rows become the newest version."""
    if not state.versions or not len(devices):
        return
    for newer, older in zip(state.versions[-2::-1], state.versions[:0:-1], strict=True):
        copies.assign(older, devices, copies.take(newer, devices))
    copies.assign(state.versions[0], devices, copies.take(state.active, devices))
    state.kept[devices] = np.minimum(state.kept[devices] + 1, len(state.versions))
