"""The learner in numpy, for any number of devices at once: the reference of
firmware/src/learn/learner*.c. The rules stand in firmware/LEARNING.md, section 6, with the numbers
of its steps.

Letters: n devices, k of them taking part in a call, R rows, D features. `devices` is always (k,)
ascending indices; x is (k, D) features less their zero point, labels are (k,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import candidate as candidates
from tinytrain.emulator import drift as drifting
from tinytrain.emulator import head
from tinytrain.emulator import memory as remembering
from tinytrain.emulator import row_copies as copies
from tinytrain.emulator.candidate import Answer
from tinytrain.emulator.learner_state import State, beginning
from tinytrain.emulator.memory import Slot
from tinytrain.emulator.work import work
from tinytrain.errors import InputError
from tinytrain.learner import Kind, LearnerParts, Outcome, Source

Int = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]

LEVEL_SHIFT = 4
"""How fast the running loss follows."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What became of k labelled samples."""

    outcome: Int
    """(k,) of Outcome."""
    predicted: Int
    """(k,) by the candidate before learning; -1 where it was not asked."""
    rows_written: Int
    """(k,) by the sample itself, without replays."""


def learn(parts: LearnerParts, state: State, devices: Int, features: Int8, labels: Int) -> Learned:
    """One labelled sample on each of `devices`, features int8 (k, D), and the work that follows.

    Raises InputError, with nothing changed, for a label that is not one of its device's classes.
    """
    classes = state.candidate.classes[devices]
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        raise InputError(f"a label is not in 0 to {int(classes[bad][0]) - 1}")
    outcome = _closed(parts, state, devices)
    predicted = np.full(len(devices), -1, np.int64)
    rows_written = np.zeros(len(devices), np.int64)
    at = np.flatnonzero(outcome < 0)
    if len(at):
        one = _learn_open(parts, state, devices[at], features[at], labels[at])
        outcome[at], predicted[at], rows_written[at] = one.outcome, one.predicted, one.rows_written
        candidates.fold_numbers(state, devices[at], one.outcome, 2)
        work(parts, state, _due(parts, state, devices[at], parts.rules.work_every))
    return Learned(outcome, predicted, rows_written)


def _closed(parts: LearnerParts, state: State, devices: Int) -> Int:
    """(k,) why a device takes no samples now, or -1."""
    outcome = np.where(state.stopped[devices], int(Outcome.PATIENCE), -1)
    if parts.rules.daily_steps:
        spent = state.today[devices] >= parts.rules.daily_steps
        outcome = np.where(spent, int(Outcome.BUDGET), outcome)
    return outcome


def _count_step(state: State, devices: Int) -> None:
    state.step[devices] = (state.step[devices] + 1) & 0xFFFFFFFF
    state.today[devices] += 1


def _learn_open(
    parts: LearnerParts, state: State, devices: Int, features: Int8, labels: Int
) -> Learned:
    _count_step(state, devices)
    x = head.centered(parts.head, features)
    seen = candidates.forward(parts, state, devices, x)
    implausible = _implausible(parts, state, devices, seen, labels)
    place = remembering.offer(state.memory, parts.rules, devices, labels)
    held = place >= 0
    partner = np.where(
        implausible & ~held,
        remembering.confirmation(state.memory, devices, labels, seen.best),
        -1,
    )
    aside = implausible & ~held & (partner < 0)
    out = np.flatnonzero(held | aside)
    candidates.fold(state, devices[out], seen.of(out), np.full((len(out), 1), -1, np.int64))
    _learn_partners(parts, state, devices, labels, partner)
    at = np.flatnonzero(~held & ~aside)
    again = seen.of(at)
    if (partner >= 0).any():
        again = candidates.forward(parts, state, devices[at], x[at])
    written = candidates.learn(parts, state, devices[at], x[at], labels[at], again)
    count = np.zeros(len(devices), np.int64)
    count[at] = np.count_nonzero(written >= 0, axis=1)
    _store(parts, state, devices, features, labels, place, aside, seen.best)
    state.due[devices[at]] += 1
    _replay(parts, state, devices[at])
    skipped = (count == 0) & (parts.analytic is None)
    kinds = [int(Outcome.HELD), int(Outcome.ASIDE), int(Outcome.CONFIDENT)]
    return Learned(np.select([held, aside, skipped], kinds, 0), seen.best, count)


def _implausible(
    parts: LearnerParts, state: State, devices: Int, seen: Answer, labels: Int
) -> Mask:
    """(k,) whose label the candidate cannot believe; moves the running loss on."""
    rules = parts.rules
    if not rules.implausible:
        return np.zeros(len(devices), bool)
    loss = candidates.loss(state, devices, seen, labels)
    level = state.level[devices]
    state.level[devices] = level + ((np.minimum(loss, rules.loss_cap) - level) >> LEVEL_SHIFT)
    doubted = (seen.best != labels) & (loss > np.maximum(rules.implausible, 3 * level))
    return doubted & (labels < parts.head.classes)


def _learn_partners(
    parts: LearnerParts, state: State, devices: Int, labels: Int, places: Int
) -> None:
    """The samples put aside that a second one confirms."""
    at = np.flatnonzero(places >= 0)
    if not len(at):
        return
    where = devices[at], labels[at], places[at]
    x = head.centered(parts.head, state.memory.features[where])
    which = devices[at]
    seen = candidates.forward(parts, state, which, x)
    candidates.learn(parts, state, which, x, labels[at], seen)
    state.memory.state[where] = Slot.LEARNED


def _store(
    parts: LearnerParts,
    state: State,
    devices: Int,
    features: Int8,
    labels: Int,
    held_place: Int,
    aside: Mask,
    guesses: Int,
) -> None:
    """Into the memory: the held, those put aside, and those learned."""
    if not parts.rules.slots:
        return
    held = held_place >= 0
    at = np.flatnonzero(~held)
    places = held_place.copy()
    places[at] = remembering.reserve(
        state.memory, parts.rules, devices[at], labels[at], state.step[devices[at]]
    )
    for kind, which in (
        (Slot.HELD, held),
        (Slot.ASIDE, aside),
        (Slot.LEARNED, ~held & ~aside),
    ):
        chosen = np.where(which, places, -1)
        remembering.write(state.memory, devices, labels, chosen, features, kind, guesses)


def _replay(parts: LearnerParts, state: State, devices: Int) -> None:
    """Old samples, learned again."""
    rules = parts.rules
    if rules.kind == Kind.LDA or not rules.slots or not len(devices):
        return
    for turn in range(rules.replays):
        classes, steps = state.candidate.classes[devices], state.step[devices]
        labels, places = remembering.replayed(
            state.memory, parts.rules, devices, classes, steps, turn
        )
        at = np.flatnonzero(places >= 0)
        if len(at):
            which, label = devices[at], labels[at]
            x = head.centered(parts.head, state.memory.features[which, label, places[at]])
            candidates.descend(parts, state, which, x, label)


def end_session(parts: LearnerParts, state: State, devices: Int) -> None:
    """The work that would begin after some more samples: after the last one of a session."""
    work(parts, state, _due(parts, state, devices, 1))


def _due(parts: LearnerParts, state: State, devices: Int, least: int) -> Int:
    """Those of the devices whose work begins: `least` samples have been learned since the last."""
    if not parts.rules.work_every:
        return devices[:0]
    due = devices[state.due[devices] >= least]
    state.due[due] = 0
    return due


def add_class(parts: LearnerParts, state: State, devices: Int) -> Int:
    """A class more on each device, which must have room; their indices (k,)."""
    labels = state.candidate.classes[devices].copy()
    if bool(np.any(labels >= parts.head.capacity)):
        raise InputError(f"all {parts.head.capacity} rows for classes are in use")
    if parts.rules.kind == Kind.SGD:
        mask = np.zeros(len(state.step), bool)
        mask[devices] = True
        head.add_class(state.candidate, mask)
    else:
        copies.add_inert_class(state.candidate, devices)
    if not parts.rules.guard:
        state.source[devices] = Source.CANDIDATE
    state.stopped[devices] = False
    return labels


def roll_back(parts: LearnerParts, state: State, devices: Int, version: int) -> None:
    """Answers by the factory (0) or a kept version (1 is the newest) again, and begins anew."""
    if bool(np.any(version > state.kept[devices])) or version < 0:
        raise InputError(f"version {version}: only {int(state.kept[devices].min())} are kept")
    factory = head.factory_rows(parts.head, len(devices))
    answering = factory if version == 0 else copies.take(state.versions[version - 1], devices)
    answering = copies.copy(answering)
    copies.assign(state.active, devices, answering)
    left = 0 if version == 0 else len(state.versions) - version
    for place in range(left):
        copies.assign(
            state.versions[place], devices, copies.take(state.versions[place + version], devices)
        )
    state.kept[devices] = state.kept[devices] - version if version else 0
    state.source[devices] = Source.ACTIVE if version else Source.FACTORY
    _begin_anew(parts, state, devices, answering)


def _begin_anew(parts: LearnerParts, state: State, devices: Int, answering: head.Rows) -> None:
    copies.begin_low(answering, np.arange(len(devices)))
    begin = answering if parts.analytic is None else beginning(parts, len(devices))
    copies.assign(state.candidate, devices, begin)
    if state.lda is not None:
        for array in (state.lda.sums, state.lda.counts, state.lda.scatter, state.lda.scatter_count):
            array[devices] = 0
        for _ in range(parts.head.capacity - parts.head.classes):
            fewer = state.candidate.classes[devices] < answering.classes
            copies.add_inert_class(state.candidate, devices[fewer])
    remembering.clear(state.memory, devices)
    state.level[devices] = parts.rules.implausible
    for counter in (state.best, state.stale, state.due):
        counter[devices] = 0
    state.stopped[devices] = False
    if state.drift is not None:
        drifting.restart(state.drift, devices)


def new_day(state: State, devices: Int) -> None:
    """The budget of the day is whole again."""
    state.today[devices] = 0
    state.stale[devices] = 0
    state.stopped[devices] = False


def answering_rows(parts: LearnerParts, state: State, devices: Int) -> head.Rows:
    """A copy of the rows that answer on each device."""
    answering = head.factory_rows(parts.head, len(devices))
    for source, given in ((Source.ACTIVE, state.active), (Source.CANDIDATE, state.candidate)):
        at = np.flatnonzero(state.source[devices] == source)
        copies.assign(answering, at, copies.take(given, devices[at]))
    return answering


def classify(parts: LearnerParts, state: State, devices: Int, features: Int8) -> tuple[Int, Int]:
    """Classes (k,) and logits (k, R) of one sample on each device; changes nothing."""
    rows = answering_rows(parts, state, devices)
    seen = candidates.answer(parts, rows, head.centered(parts.head, features))
    return seen.best, seen.z


def observe(parts: LearnerParts, state: State, devices: Int, features: Int8) -> Int:
    """Classes (k,) of one sample without a label on each device; follows drift, and learns from
    confident answers where the task wants it."""
    x = head.centered(parts.head, features)
    seen = candidates.answer(parts, answering_rows(parts, state, devices), x)
    p = seen.p[np.arange(len(devices)), seen.best]
    alarm = np.zeros(len(devices), bool)
    if state.drift is not None:
        _follow_drift(parts, state, devices, x, seen.best)
        alarm = state.drift.alarm[devices]
    if parts.rules.pseudo:
        sure = (p >= parts.rules.pseudo) & ~alarm & (_closed(parts, state, devices) < 0)
        at = np.flatnonzero(sure & (seen.best < state.candidate.classes[devices]))
        which = devices[at]
        _count_step(state, which)
        forward = candidates.forward(parts, state, which, x[at])
        candidates.learn(parts, state, which, x[at], seen.best[at], forward)
    return seen.best


def _follow_drift(parts: LearnerParts, state: State, devices: Int, x: Int, classes: Int) -> None:
    """By what the factory head makes of samples x (k, D), where the answers `classes` (k,) are no
    added ones."""
    assert parts.drift is not None and parts.lda is not None and state.drift is not None
    at = np.flatnonzero(classes < parts.head.classes)
    seen = candidates.answer(parts, head.factory_rows(parts.head, len(at)), x[at])
    p = seen.p[np.arange(len(at)), seen.best]
    values = drifting.signals(parts.lda, parts.drift.usual, x[at], seen.best, p)
    untaught = state.source[devices[at]] == Source.FACTORY
    drifting.follow(parts.drift, state.drift, devices[at], values, untaught)
