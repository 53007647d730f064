"""Drift is noticed where it is, and no more often than stated on people whom nobody knew."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.adapt.people_of_numbers import class_of, dataset, head_of, known
from tinytrain.adapt.calibrate import analytic
from tinytrain.adapt.drift import DriftOptions, alarms, bursts, drift_constants
from tinytrain.errors import InputError
from tinytrain.lda import LdaOptions
from tinytrain.learner import UNLIMITED, DriftConstants
from tinytrain.training.data import Int8Array

SETTLE, LENGTH = 64, 600
DATA = dataset(offset=24.0, people=14, samples=40)
STRANGERS = range(6, 14)
HEAD = head_of(DATA)
LDA = analytic(known(DATA), LdaOptions())
TRAINING = class_of(DATA, (0, 1, 2))


def constants(rate: float, validation: tuple[int, ...] = (3, 4, 5)) -> DriftConstants:
    options = DriftOptions(5, 6, rate)
    return drift_constants(HEAD.constants, LDA, TRAINING, class_of(DATA, validation), options)


def streams(person: int, count: int = 4) -> Int8Array:
    """(count, LENGTH, D) of a person's samples."""
    own = np.flatnonzero(DATA.group == person)
    return np.stack(
        [DATA.x[own[bursts(DATA.x[own], DATA.y[own], LENGTH, (person, 90 + number))]]
         for number in range(count)]
    )  # fmt: skip


def played(drift: DriftConstants, x: Int8Array) -> npt.NDArray[np.bool_]:
    return alarms(HEAD.constants, LDA, drift, x)


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_strangers_have_no_more_alarms_than_stated(rate: float) -> None:
    on = np.concatenate([played(constants(rate), streams(person)) for person in STRANGERS])
    assert not on[:, :SETTLE].any()
    assert on[:, SETTLE:].mean() <= 2 * rate


def test_a_sensor_that_shifts_raises_the_alarm() -> None:
    x = streams(6)
    x[:, 300:] = np.clip(x[:, 300:].astype(int) + 60, -128, 127)
    on = played(constants(0.02), x)
    assert on[:, 400:].mean() > 0.9


def test_a_device_whose_sensor_is_wrong_from_the_start_has_an_alarm_once_it_has_settled() -> None:
    """Far out, and as far out as at first: only the limit on the baseline tells."""
    drift = constants(0.02)
    assert drift.distance_limit < UNLIMITED
    wrong = np.where(streams(6) < 0, -128, 127).astype(np.int8)
    assert played(drift, wrong)[:, SETTLE:].mean() > 0.9


def test_without_a_stranger_no_baseline_is_strange() -> None:
    assert constants(0.02, (0, 1)).distance_limit == UNLIMITED


def test_a_lower_rate_asks_for_more() -> None:
    rare, frequent = constants(0.01), constants(0.2)
    assert rare.distance_on > frequent.distance_on
    assert rare.doubt_on > frequent.doubt_on


@pytest.mark.parametrize(
    "wrong", [{"shift": 0}, {"settle": 10}, {"false_alarms": 0.0}, {"false_alarms": 0.6}]
)
def test_wrong_options_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        DriftOptions(**wrong)  # type: ignore[arg-type]
