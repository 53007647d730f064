"""The learner in numpy, for any number of devices at once: the reference of
firmware/src/learn/learner.c. The rules stand in firmware/LEARNING.md, section 6.

Letters: n devices, k of them taking part in a call, R rows, D features. `devices` is always (k,)
ascending indices; x is (k, D) features less their zero point, labels are (k,).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import drift as drifting
from tinytrain.emulator import guard as guarding
from tinytrain.emulator import head as rows
from tinytrain.emulator import lda as analytic
from tinytrain.emulator import memory as remembering
from tinytrain.emulator import solve
from tinytrain.emulator.memory import Memory, MemoryRules, Slot
from tinytrain.errors import InputError
from tinytrain.head import HeadConstants, HeadUnits
from tinytrain.lda import LdaConstants
from tinytrain.learner import DriftConstants, Kind, LearnerConstants, Outcome, Source

Int = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]


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

    candidate: rows.Rows
    active: rows.Rows
    """What the guard let through; as the candidate began until it has."""
    versions: tuple[rows.Rows, ...]
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
    crc: list[int]
    """The trace of each device."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What became of k labelled samples."""

    outcome: Int
    """(k,) of Outcome."""
    predicted: Int
    """(k,) by the candidate before learning; -1 where it was not asked."""
    rows_written: Int
    """(k,) by the sample itself, without replays."""


@dataclass(frozen=True, eq=False)
class _Forward:
    """The candidate's answer to k samples."""

    z: Int
    p: Int
    power: Int
    best: Int


def initial(parts: Parts, devices: int) -> State:
    """Devices as they leave the factory."""
    head, rules = parts.head, parts.rules

    def integers(value: int = 0) -> Int:
        return np.full(devices, value, np.int64)

    begin = _beginning(parts, devices)
    factory = rows.factory_rows(head, devices)
    return State(
        candidate=begin,
        active=factory,
        versions=tuple(rows.factory_rows(head, devices) for _ in range(rules.versions)),
        lda=None if parts.analytic is None else analytic.initial(parts.analytic, head.capacity, devices),
        memory=remembering.empty(devices, head.capacity, head.features, parts.memory),
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
        crc=[0] * devices,
    )  # fmt: skip


def learn(parts: Parts, state: State, devices: Int, features: Int8, labels: Int) -> Learned:
    """One labelled sample on each of `devices`, features int8 (k, D), and the work that follows.

    Raises InputError, with nothing changed, for a label that is not one of its device's classes.
    """
    classes = state.candidate.classes[devices]
    if bool(np.any((labels < 0) | (labels >= classes))):
        raise InputError(f"a label is not in 0 to {int(classes.min()) - 1}")
    outcome = _closed(parts, state, devices)
    predicted = np.full(len(devices), -1, np.int64)
    rows_written = np.zeros(len(devices), np.int64)
    at = np.flatnonzero(outcome < 0)
    if len(at):
        one = _learn_open(parts, state, devices[at], features[at], labels[at])
        outcome[at], predicted[at], rows_written[at] = one.outcome, one.predicted, one.rows_written
        _fold_outcomes(state, devices[at], one.outcome)
        work(parts, state, _start_work(parts, state, devices[at]))
    return Learned(outcome, predicted, rows_written)


def _closed(parts: Parts, state: State, devices: Int) -> Int:
    """(k,) why a device takes no samples now, or -1."""
    rules = parts.rules
    outcome = np.where(state.stopped[devices], int(Outcome.PATIENCE), -1)
    if rules.daily_steps:
        spent = state.today[devices] >= rules.daily_steps
        outcome = np.where(spent, int(Outcome.BUDGET), outcome)
    return outcome


def _learn_open(parts: Parts, state: State, devices: Int, features: Int8, labels: Int) -> Learned:
    rules, memory = parts.rules, parts.memory
    x = rows.centred(parts.head, features)
    state.step[devices] = (state.step[devices] + 1) & 0xFFFFFFFF
    state.today[devices] += 1
    seen = _forward(parts, state, devices, x)
    implausible = _implausible(parts, state, devices, seen, labels)
    held_place, _ = remembering.offer(state.memory, memory, devices, labels)
    held = held_place >= 0
    partner = remembering.confirmation(state.memory, devices, labels, seen.best)
    confirmed = implausible & ~held & (partner >= 0)
    aside = implausible & ~held & (partner < 0)
    learned = ~held & ~aside
    outcome = np.select([held, aside], [int(Outcome.HELD), int(Outcome.ASIDE)], 0)
    _learn_partners(parts, state, devices, labels, np.where(confirmed, partner, -1))
    at = np.flatnonzero(learned)
    again = _forward(parts, state, devices[at], x[at]) if confirmed.any() else _take(seen, at)
    written = _head_learn(parts, state, devices[at], x[at], labels[at], again)
    count = np.zeros(len(devices), np.int64)
    count[at] = np.count_nonzero(written >= 0, axis=1)
    if parts.analytic is None:
        outcome[at] = np.where(count[at] > 0, int(Outcome.LEARNED), int(Outcome.CONFIDENT))
    _store(parts, state, devices, features, labels, held_place, aside, seen.best)
    state.due[devices[at]] += 1
    _fold_unlearned(state, devices, seen, ~learned)
    _replay(parts, state, devices[at])
    return Learned(outcome, seen.best, count)


def _forward(parts: Parts, state: State, devices: Int, x: Int) -> _Forward:
    return _answer(parts, rows.take(state.candidate, devices), x)


def _answer(parts: Parts, given: rows.Rows, x: Int) -> _Forward:
    z = rows.logits(parts.units, given, x)
    p, power = rows.softmax(z)
    return _Forward(z, p, power, np.argmax(z, axis=1))


def _take(seen: _Forward, at: Int) -> _Forward:
    return _Forward(seen.z[at], seen.p[at], seen.power[at], seen.best[at])


def _implausible(
    parts: Parts, state: State, devices: Int, seen: _Forward, labels: Int
) -> npt.NDArray[np.bool_]:
    """(k,) whose label the candidate cannot believe; moves the running level on."""
    rules = parts.rules
    if not rules.implausible:
        return np.zeros(len(devices), bool)
    loss = rows.loss(seen.z, seen.power, labels, state.candidate.classes[devices])
    level = state.level[devices]
    state.level[devices] = level + ((np.minimum(loss, rules.loss_cap) - level) >> LEVEL_SHIFT)
    factory = labels < parts.head.classes
    return factory & (seen.best != labels) & (loss > np.maximum(rules.implausible, 3 * level))


def _head_learn(
    parts: Parts, state: State, devices: Int, x: Int, labels: Int, seen: _Forward
) -> Int:
    """One sample on each device, which `seen` answered; the rows written (k, most), or -1."""
    written = np.full((len(devices), max(parts.head.rows, 1)), -1, np.int64)
    by_lda = np.zeros(len(devices), bool)
    if state.lda is not None:
        count = state.lda.counts[devices, labels]
        by_lda = (count < parts.rules.start) | (parts.rules.kind == Kind.LDA)
    at = np.flatnonzero(by_lda)
    if len(at):
        written[at, :1] = _add(parts, state, devices[at], x[at], labels[at])[:, None]
    at = np.flatnonzero(~by_lda)
    if len(at):
        step = rows.step(
            parts.head, parts.units, state.candidate, devices[at], x[at], seen.p[at], labels[at]
        )
        written[at] = step
    state.source[devices] = state.source[devices] if parts.rules.guard else Source.CANDIDATE
    _fold(state, devices, seen, written)
    return written


def _add(parts: Parts, state: State, devices: Int, x: Int, labels: Int) -> Int:
    """To the sums of the analytic head; the rows made anew (k,), or -1."""
    assert parts.analytic is not None and state.lda is not None
    analytic.add(parts.analytic, state.lda, devices, x, labels)
    if parts.blended:
        return np.full(len(devices), -1, np.int64)
    weights, bias = analytic.row(parts.analytic, state.lda, devices, labels)
    state.candidate.weights[devices, labels] = weights
    state.candidate.bias[devices, labels] = bias
    return labels


def _learn_partners(
    parts: Parts, state: State, devices: Int, labels: Int, places: Int
) -> None:
    """The samples put aside that a second one confirms."""
    at = np.flatnonzero(places >= 0)
    if not len(at):
        return
    where = devices[at], labels[at], places[at]
    x = rows.centred(parts.head, state.memory.features[where])
    _head_learn(parts, state, devices[at], x, labels[at], _forward(parts, state, devices[at], x))
    state.memory.state[where] = Slot.LEARNED


def _store(
    parts: Parts,
    state: State,
    devices: Int,
    features: Int8,
    labels: Int,
    held_place: Int,
    aside: npt.NDArray[np.bool_],
    guesses: Int,
) -> None:
    """Into the memory: the held, those put aside, and those learned."""
    if not parts.rules.slots:
        return
    held = held_place >= 0
    at = np.flatnonzero(~held)
    places = held_place.copy()
    places[at] = remembering.reserve(
        state.memory, parts.memory, devices[at], labels[at], state.step[devices[at]]
    )
    for kind, which in (
        (Slot.HELD, held),
        (Slot.ASIDE, aside),
        (Slot.LEARNED, ~held & ~aside),
    ):
        chosen = np.where(which, places, -1)
        remembering.write(state.memory, devices, labels, chosen, features, kind, guesses)


def _replay(parts: Parts, state: State, devices: Int) -> None:
    rules = parts.rules
    if rules.kind == Kind.LDA or not rules.slots:
        return
    for turn in range(rules.replays):
        classes, steps = state.candidate.classes[devices], state.step[devices]
        labels, places = remembering.replayed(
            state.memory, parts.memory, devices, classes, steps, turn
        )
        at = np.flatnonzero(places >= 0)
        which, label = devices[at], labels[at]
        x = rows.centred(parts.head, state.memory.features[which, label, places[at]])
        seen = _forward(parts, state, which, x)
        written = rows.step(parts.head, parts.units, state.candidate, which, x, seen.p, label)
        _fold(state, which, seen, written)


def _start_work(parts: Parts, state: State, devices: Int) -> Int:
    """Those of the devices whose work is due."""
    every = parts.rules.work_every
    if not every:
        return devices[:0]
    due = devices[state.due[devices] >= every]
    state.due[due] = 0
    return due


def work(parts: Parts, state: State, devices: Int) -> None:
    """All slices of the work of `devices`."""
    if not len(devices):
        return
    _judge_again(parts, state, devices)
    if parts.blended:
        assert parts.analytic is not None and state.lda is not None
        classes = state.candidate.classes[devices]
        weights, bias = solve.solve(parts.analytic, state.lda, devices)
        used = np.arange(parts.head.capacity) < classes[:, None]
        state.candidate.weights[devices] = np.where(used[..., None], weights, 0)
        state.candidate.bias[devices] = np.where(used, bias, state.candidate.bias[devices])
    if parts.rules.guard:
        _decide(parts, state, devices, _judge(parts, state, devices))


def _judge_again(parts: Parts, state: State, devices: Int) -> None:
    """Labels put aside that the candidate believes by now."""
    limit = parts.rules.implausible
    memory = state.memory
    waiting = memory.state[devices] == Slot.ASIDE
    for label, place in zip(*np.nonzero(waiting.any(axis=0)), strict=True):
        which = devices[waiting[:, label, place]]
        labels = np.full(len(which), label)
        x = rows.centred(parts.head, memory.features[which, label, place])
        seen = _forward(parts, state, which, x)
        loss = rows.loss(seen.z, seen.power, labels, state.candidate.classes[which])
        at = np.flatnonzero(loss <= limit)
        memory.state[which[at], label, place] = Slot.LEARNED
        _head_learn(parts, state, which[at], x[at], labels[at], _take(seen, at))


def _judge(parts: Parts, state: State, devices: Int) -> guarding.Evidence:
    """What the candidates gain over the factory on what they remember."""
    memory = state.memory
    lda = parts.rules.kind == Kind.LDA
    judges = memory.state[devices] != Slot.EMPTY if lda else memory.state[devices] == Slot.HELD
    which, label, place = np.nonzero(judges)
    totals = np.zeros((3, len(devices)), np.int64)
    for first in range(0, len(which), JUDGED_AT_ONCE):
        at = slice(first, first + JUDGED_AT_ONCE)
        one = devices[which[at]], label[at], place[at]
        gain = _gain(parts, state, *one, memory.state[one] == Slot.LEARNED)
        np.add.at(totals, (slice(None), which[at]), np.stack([gain, gain**2, np.ones_like(gain)]))
    return guarding.Evidence(totals[0], totals[1], totals[2])


def _gain(
    parts: Parts,
    state: State,
    devices: Int,
    labels: Int,
    places: Int,
    learned: npt.NDArray[np.bool_],
) -> Int:
    """Of the samples at these places, Q6 bits; of one that was learned, without it."""
    x = rows.centred(parts.head, state.memory.features[devices, labels, places])
    candidate = rows.take(state.candidate, devices)
    at = np.flatnonzero(learned)
    if len(at) and parts.analytic is not None and state.lda is not None:
        candidate = rows.copy(candidate)
        weights, bias = analytic.row_without(
            parts.analytic, state.lda, devices[at], labels[at], x[at]
        )
        candidate.weights[at, labels[at]] = weights
        candidate.bias[at, labels[at]] = bias
    losses = []
    for one in (rows.factory_rows(parts.head, len(devices)), candidate):
        answer = _answer(parts, one, x)
        losses.append(rows.loss(answer.z, answer.power, labels, one.classes))
    return guarding.gains(parts.rules, losses[0], losses[1])


def _decide(parts: Parts, state: State, devices: Int, evidence: guarding.Evidence) -> None:
    taken = guarding.accepted(parts.rules, evidence, state.best[devices])
    at = devices[taken]
    _keep(state, at[state.source[at] == Source.ACTIVE])
    rows.assign(state.active, at, rows.take(state.candidate, at))
    state.source[at] = Source.ACTIVE
    state.best[at] = guarding.score(evidence)[taken]
    state.stale[devices] = np.where(taken, 0, state.stale[devices] + 1)
    if parts.rules.patience:
        state.stopped[devices] |= state.stale[devices] >= parts.rules.patience
    for place, device in enumerate(devices if state.crc is not None else []):
        values = [evidence.gain[place], evidence.squares[place], evidence.samples[place]]
        data = np.array([*values, taken[place]]).astype("<i4").tobytes()
        state.crc[device] = zlib.crc32(data, state.crc[device])


def _keep(state: State, devices: Int) -> None:
    """The active rows become the newest version."""
    if not state.versions:
        return
    for newer, older in zip(state.versions[-2::-1], state.versions[:0:-1], strict=True):
        rows.assign(older, devices, rows.take(newer, devices))
    rows.assign(state.versions[0], devices, rows.take(state.active, devices))
    state.kept[devices] = np.minimum(state.kept[devices] + 1, len(state.versions))


def add_class(parts: Parts, state: State, devices: Int) -> Int:
    """A class more on each device, which must have room; their indices (k,)."""
    labels = state.candidate.classes[devices].copy()
    if bool(np.any(labels >= parts.head.capacity)):
        raise InputError(f"all {parts.head.capacity} rows for classes are in use")
    if parts.rules.kind == Kind.SGD:
        rows.add_class(state.candidate, devices)
    else:
        rows.add_inert_class(state.candidate, devices)
    if not parts.rules.guard:
        state.source[devices] = Source.CANDIDATE
    state.stopped[devices] = False
    return labels


def roll_back(parts: Parts, state: State, devices: Int, version: int) -> None:
    """Answer by the factory (0) or a kept version (1 is the newest) again, and begin anew."""
    if bool(np.any(version > state.kept[devices])) or version < 0:
        raise InputError(f"version {version}: only {int(state.kept[devices].min())} are kept")
    factory = rows.factory_rows(parts.head, len(devices))
    answering = factory if version == 0 else rows.take(state.versions[version - 1], devices)
    answering = rows.copy(answering)
    rows.assign(state.active, devices, answering)
    left = 0 if version == 0 else len(state.versions) - version
    for place in range(left):
        rows.assign(
            state.versions[place], devices, rows.take(state.versions[place + version], devices)
        )
    state.kept[devices] = state.kept[devices] - version if version else 0
    state.source[devices] = Source.ACTIVE if version else Source.FACTORY
    _begin_anew(parts, state, devices, answering)


def _begin_anew(parts: Parts, state: State, devices: Int, answering: rows.Rows) -> None:
    begin = answering if parts.analytic is None else _beginning(parts, len(devices))
    rows.assign(state.candidate, devices, begin)
    if state.lda is not None:
        analytic.clear(state.lda, devices)
        extra = answering.classes - state.candidate.classes[devices]
        for _ in range(int(extra.max(initial=0))):
            rows.add_inert_class(
                state.candidate, devices[state.candidate.classes[devices] < answering.classes]
            )
    remembering.clear(state.memory, devices)
    state.level[devices] = parts.rules.implausible
    for counter in (state.best, state.stale, state.due):
        counter[devices] = 0
    state.stopped[devices] = False


def _beginning(parts: Parts, devices: int) -> rows.Rows:
    """The candidate before it has learned."""
    if parts.analytic is None:
        return rows.factory_rows(parts.head, devices)
    return analytic.prior_rows(parts.analytic, parts.head, devices)


def new_day(state: State, devices: Int) -> None:
    """The budget of the day is whole again."""
    state.today[devices] = 0
    state.stale[devices] = 0
    state.stopped[devices] = False


def answering_rows(parts: Parts, state: State, devices: Int) -> rows.Rows:
    """A copy of the rows that answer on each device."""
    answering = rows.factory_rows(parts.head, len(devices))
    for source, given in ((Source.ACTIVE, state.active), (Source.CANDIDATE, state.candidate)):
        at = np.flatnonzero(state.source[devices] == source)
        rows.assign(answering, at, rows.take(given, devices[at]))
    return answering


def classify(parts: Parts, state: State, devices: Int, features: Int8) -> tuple[Int, Int]:
    """Classes (k,) and logits (k, R) of one sample on each device; changes nothing."""
    seen = _answer(
        parts, answering_rows(parts, state, devices), rows.centred(parts.head, features)
    )
    return seen.best, seen.z


def observe(parts: Parts, state: State, devices: Int, features: Int8) -> Int:
    """Classes (k,) of one sample without a label on each device; follows drift, and learns from
    confident answers where the task wants it."""
    x = rows.centred(parts.head, features)
    seen = _answer(parts, answering_rows(parts, state, devices), x)
    p = seen.p[np.arange(len(devices)), seen.best]
    alarm = np.zeros(len(devices), bool)
    if state.drift is not None:
        assert parts.drift is not None and parts.lda is not None
        drifting.observe(parts.drift, parts.lda, state.drift, devices, x, seen.best, p)
        alarm = state.drift.alarm[devices]
    if parts.rules.pseudo:
        open_now = _closed(parts, state, devices) < 0
        sure = open_now & (p >= parts.rules.pseudo) & ~alarm
        at = np.flatnonzero(sure & (seen.best < state.candidate.classes[devices]))
        which = devices[at]
        state.step[which] = (state.step[which] + 1) & 0xFFFFFFFF
        state.today[which] += 1
        forward = _forward(parts, state, which, x[at])
        _head_learn(parts, state, which, x[at], seen.best[at], forward)
    return seen.best


def _fold(state: State, devices: Int, seen: _Forward, written: Int) -> None:
    """Into the trace of each device: what answered, and the rows written (k, most)."""
    if state.crc is None:
        return
    for place, device in enumerate(devices):
        state.crc[device] = rows.trace(
            state.candidate, int(device), seen.z[place], seen.p[place], written[place],
            state.crc[device],
        )  # fmt: skip


def _fold_unlearned(
    state: State, devices: Int, seen: _Forward, unlearned: npt.NDArray[np.bool_]
) -> None:
    at = np.flatnonzero(unlearned)
    _fold(state, devices[at], _take(seen, at), np.full((len(at), 1), -1, np.int64))


def _fold_outcomes(state: State, devices: Int, outcomes: Int) -> None:
    if state.crc is None:
        return
    for device, outcome in zip(devices, outcomes, strict=True):
        data = int(outcome).to_bytes(2, "little")
        state.crc[device] = zlib.crc32(data, state.crc[device])
