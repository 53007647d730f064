"""The analytic head in C, under sanitizers and on Cortex-M, gives the bits of the emulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.emulator.lda_cases import (
    Case,
    cases,
    commands_of,
    constants_of,
    emulated,
    state_before,
)
from tests.firmware import lda_device
from tests.firmware.lda_device import Command, state_of
from tinytrain.emulator import lda

Program = list[str]

FIXED = [
    Case(32, 4, 2, 0, 1, extreme=False, worn=False),
    Case(7, 3, 1, 0, 2, extreme=True, worn=True),
    Case(64, 5, 0, 50, 3, extreme=False, worn=True),
    Case(13, 2, 1, 1, 4, extreme=True, worn=False),
    Case(1, 1, 0, 65535, 5, extreme=True, worn=True),
]


@pytest.fixture(scope="session")
def host_program(tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None) -> Program:
    return lda_device.build_program(tmp_path_factory.mktemp("lda"), "host")


def assert_the_program_gives_the_emulators_bits(program: Program, case: Case) -> None:
    rng = np.random.default_rng(case.seed)
    k = constants_of(case, rng)
    state = state_before(case, k, rng)
    commands = commands_of(case, k, rng)
    load = Command("l", state=state_of(state, 0))
    found = lda_device.run(program, k, [load, *commands])[1:]
    expected = emulated(k, state, commands)
    for command, ours, theirs in zip(commands, expected, found, strict=True):
        np.testing.assert_array_equal(theirs.weights, ours.weights, str(command))
        np.testing.assert_array_equal(theirs.bias, ours.bias, str(command))
        assert theirs.state == ours.state


@settings(max_examples=100, deadline=None)
@given(cases)
@example(FIXED[1])
@example(FIXED[2])
@example(FIXED[3])
@example(FIXED[4])
@example(Case(256, 2, 1, 1, 6, extreme=True, worn=True))
@example(Case(256, 2, 1, 0, 7, extreme=True, worn=True))
def test_c_gives_the_same_bits(host_program: Program, case: Case) -> None:
    assert_the_program_gives_the_emulators_bits(host_program, case)


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0"])
def test_every_core_gives_the_same_bits(
    target: str, require_target: Callable[[str], None], tmp_path: Path
) -> None:
    require_target(target)
    program = lda_device.build_program(tmp_path, target)
    for case in FIXED:
        assert_the_program_gives_the_emulators_bits(program, case)


@settings(max_examples=50, deadline=None)
@given(cases, st.integers(2, 4))
def test_many_devices_are_as_many_single_ones(case: Case, devices: int) -> None:
    rng = np.random.default_rng(case.seed)
    k = constants_of(case, rng)
    singles = [state_before(case, k, rng) for _ in range(devices)]
    together = lda.LdaState(
        *(np.concatenate([getattr(s, name) for s in singles]) for name in vars(singles[0]))
    )
    for _ in range(4):
        x = rng.integers(-255, 256, (devices, k.features))
        y = rng.integers(0, k.capacity, devices)
        who = rng.random(devices) < 0.7
        lda.add(k, together, x, y, who)
        for i in np.flatnonzero(who):
            lda.add(k, singles[i], x[i : i + 1], y[i : i + 1])
    weights, bias = lda.solve_all(k, together, k.capacity)
    for i, single in enumerate(singles):
        assert state_of(together, i) == state_of(single, 0)
        alone = lda.solve_all(k, single, k.capacity)
        np.testing.assert_array_equal(weights[i], alone[0][0])
        np.testing.assert_array_equal(bias[i], alone[1][0])


@settings(max_examples=50, deadline=None)
@given(cases)
def test_the_row_without_a_sample_is_the_row_from_before_it(case: Case) -> None:
    rng = np.random.default_rng(case.seed)
    k = constants_of(case, rng)
    state = lda.empty_state(k)
    factored = lda.factor(k, state)
    y = rng.integers(0, k.capacity, 1)
    before = lda.row(k, state, y[None], factored)
    x = rng.integers(-255, 256, (1, k.features))
    lda.add(k, state, x, y)
    after = lda.row_without(k, state, y, x, factored)
    np.testing.assert_array_equal(after[0], before[0][:, 0])
    np.testing.assert_array_equal(after[1], before[1][:, 0])


def test_a_class_of_which_nothing_is_known_never_wins() -> None:
    case = Case(5, 2, 1, 0, 1, extreme=False, worn=False)
    k = constants_of(case, np.random.default_rng(1))
    weights, bias = lda.row(k, lda.empty_state(k), np.array([[2]]))
    assert not weights.any()
    assert bias == -(1 << 30)
