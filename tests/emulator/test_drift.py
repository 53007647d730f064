"""Drift by the rules of firmware/LEARNING.md, section 7: against sums in plain Python integers, and
beside a learner that learns."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.device.learners import Recipe, make_project
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.emulator import drift as drifting
from tinytrain.learner import UNLIMITED, DriftConstants, Kind

SIGNAL = st.tuples(st.integers(-8192, 8192), st.integers(0, 8192))


def constants(shift: int, settle: int, on: tuple[int, int], limit: int) -> DriftConstants:
    return DriftConstants(shift, settle, on[0], 500, on[1], 700, limit, np.zeros(1, np.int16))


class Plain:
    """One device, in the words of the section."""

    def __init__(self, rules: DriftConstants) -> None:
        self.rules = rules
        self.baseline: list[tuple[int, int]] = []
        self.level = self.spread = self.running = (0, 0)
        self.alarm = False

    def see(self, signal: tuple[int, int], untaught: bool) -> bool:
        count = 1 << self.rules.settle_shift
        if len(self.baseline) < count:
            self.baseline.append(signal)
            if len(self.baseline) < count:
                return False
            columns = tuple(zip(*self.baseline, strict=True))
            least = (self.rules.distance_spread, self.rules.doubt_spread)
            self.level = tuple(256 * sum(column) // count for column in columns)
            self.spread = tuple(
                max(self._deviation(column), floor)
                for column, floor in zip(columns, least, strict=True)
            )
            self.running = self.level
        else:
            self.running = tuple(
                mean + ((256 * value - mean) >> self.rules.drift_shift)
                for mean, value in zip(self.running, signal, strict=True)
            )
        return self._judge(untaught)

    def _deviation(self, column: tuple[int, ...]) -> int:
        count = len(column)
        squares = 16 * sum(value * value // 16 for value in column)
        variance = max(Fraction(squares, count) - Fraction(sum(column), count) ** 2, Fraction(0))
        return isqrt(int(variance * count * count * 65536)) // count

    def _judge(self, untaught: bool) -> bool:
        on = (self.rules.distance_on, self.rules.doubt_on)
        allowed = [spread * one // 256 for spread, one in zip(self.spread, on, strict=True)]
        risen = [now - then for now, then in zip(self.running, self.level, strict=True)]
        pairs = list(zip(risen, allowed, strict=True))
        strange = untaught and self.level[0] > self.rules.distance_limit
        if strange or any(one > most for one, most in pairs):
            self.alarm = True
        elif all(one < most // 2 for one, most in pairs):
            self.alarm = False
        return self.alarm


@settings(max_examples=60, deadline=None)
@given(
    shift=st.integers(1, 12),
    settle=st.integers(4, 9),
    on=st.tuples(st.integers(1, 600), st.integers(1, 600)),
    limit=st.sampled_from([0, 100_000, UNLIMITED]),
    palette=st.lists(SIGNAL, min_size=1, max_size=6),
    seed=st.integers(0, 1 << 30),
)
def test_devices_follow_the_rules(
    shift: int, settle: int, on: tuple[int, int], limit: int,
    palette: list[tuple[int, int]], seed: int,
) -> None:  # fmt: skip
    """Two devices at once, which see different things at different times."""
    rules = constants(shift, settle, on, limit)
    state, plain = drifting.start(2), [Plain(rules), Plain(rules)]
    random = np.random.default_rng(seed)
    for _ in range(2 * (1 << settle) + 40):
        devices = np.flatnonzero(random.random(2) < 0.7)
        chosen = random.integers(0, len(palette), len(devices))
        values = np.array([palette[one] for one in chosen], np.int64).reshape(-1, 2)
        untaught = random.random(len(devices)) < 0.5
        drifting.follow(rules, state, devices, values, untaught)
        for device, one, first in zip(devices, chosen, untaught, strict=True):
            said = plain[device].see(palette[one], bool(first))
            assert bool(state.alarm[device]) == said


def test_sums_of_the_largest_signals_fit_their_integers() -> None:
    """The C code has int32, uint32 and int64 for what numpy has int64 for."""
    rules = constants(1, 9, (1 << 16, 1 << 16), UNLIMITED)
    state, one = drifting.start(1), np.zeros(1, np.int64)
    for step in range(511):
        value = np.array([[8192 if step % 2 else -8192, 8192]])
        drifting.follow(rules, state, one, value, np.ones(1, bool))
    assert state.spread.max() + (1 << 22) <= 0xFFFFFFFF
    assert (abs(state.level).max() + 8192) * 256 <= 0x7FFFFFFF
    drifting.follow(rules, state, one, np.array([[8192, 8192]]), np.ones(1, bool))
    assert abs(state.level).max() <= 1 << 21 and state.spread.max() <= 1 << 21


def test_learning_moves_no_signal(tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    """The factory head's answers are followed: a device that learns has the alarms of one that does
    not, as long as its answers are no new class."""
    recipe = Recipe(Kind.LDA, seed=3, reserved=0, guard=False)
    project = make_project(recipe, tmp_path_factory.mktemp("drift"))
    taught, untaught = EmulatedDevice(project.model), EmulatedDevice(project.model)
    x, y = recipe.clusters(200, 5)
    alarms = []
    for sample, label in zip(x, y, strict=True):
        taught.learn(sample, int(label))
        seen = [device.observe(sample)[1] for device in (taught, untaught)]
        assert seen[0] == seen[1]
        alarms.append(seen[0])
    assert any(alarms) and not all(alarms[16:])


def test_a_roll_back_begins_a_new_baseline(tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    recipe = Recipe(Kind.LDA, seed=3)
    device = EmulatedDevice(make_project(recipe, tmp_path_factory.mktemp("drift")).model)
    x, _ = recipe.clusters(400, 5)
    seen = [bool(device.observe(sample)[1]) for sample in x]
    assert any(seen)
    device.roll_back(0)
    assert not any(device.observe(sample)[1] for sample in x[seen.index(True) :][:16][:15])
