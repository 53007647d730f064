"""Drift is noticed where it is, and at the stated rate where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.adapt.people_of_numbers import class_of, dataset, head_of, known
from tinytrain.adapt.calibrate import analytic
from tinytrain.adapt.thresholds import (
    DriftOptions,
    alarms,
    drift_constants,
    pseudo_label_threshold,
)
from tinytrain.errors import InputError
from tinytrain.lda import LdaOptions

DATA = dataset(offset=4.0)
HEAD = head_of(DATA)
LDA = analytic(known(DATA), LdaOptions())
VALIDATION = class_of(DATA, (3, 4))


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_alarms_are_as_frequent_as_stated_on_the_people_that_set_them(rate: float) -> None:
    options = DriftOptions(3, rate)
    found = drift_constants(HEAD.constants, LDA, class_of(DATA, (0, 1)), VALIDATION, options)
    # Without the hysteresis, which keeps an alarm on until the means are half way back.
    found = replace(found, confidence_off=found.confidence_on, distance_off=found.distance_on)
    on = []
    for person in (3, 4):
        own = np.flatnonzero(DATA.group == person)
        in_turn = own[np.argsort(DATA.y[own], kind="stable")]
        on.append(alarms(HEAD.constants, LDA, found, DATA.x[in_turn]))
    assert np.concatenate(on).mean() == pytest.approx(rate, abs=0.05)


def test_a_sensor_that_shifts_raises_the_alarm() -> None:
    options = DriftOptions(3, 0.02)
    found = drift_constants(HEAD.constants, LDA, class_of(DATA, (0, 1)), VALIDATION, options)
    own = DATA.x[DATA.group == 5]
    shifted = np.clip(own.astype(int) + 60, -128, 127).astype(np.int8)
    assert alarms(HEAD.constants, LDA, found, shifted)[10:].all()


def test_pseudo_labels_above_the_threshold_are_right() -> None:
    assert 0 < pseudo_label_threshold(HEAD.constants, VALIDATION) <= 1


@pytest.mark.parametrize("wrong", [{"shift": 0}, {"false_alarms": 0.0}, {"false_alarms": 0.6}])
def test_wrong_options_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        DriftOptions(**wrong)
