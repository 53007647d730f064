"""The comparison teaches people of numbers, and recommends what its figures say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.adapt.people_of_numbers import class_of, dataset, head_of, known
from tinytrain.adapt.calibrate import calibrated, known_people
from tinytrain.adapt.comparison import (
    BLENDED,
    FROZEN,
    SGD,
    Comparison,
    DeviceResult,
    HeadResult,
    compare,
)
from tinytrain.adapt.people import pupils
from tinytrain.adapt.streams import StreamOptions
from tinytrain.lda import LdaOptions
from tinytrain.report.learning import comparison_text

DATA = dataset()


def head(name: str, gains: list[float], ram: int = 100) -> HeadResult:
    devices = tuple(
        DeviceResult(f"person {i}", 0.5, 0.5 + gain, 0.1, ((0, 0.5), (9, 0.5 + gain)))
        for i, gain in enumerate(gains)
    )
    return HeadResult(name, True, ram, devices, ((1,),), ((1,),))


def comparison(*heads: HeadResult) -> Comparison:
    return Comparison("numbers", 0, "shuffled", 0.0, ("a", "b"), heads)


def test_learning_helps_people_who_differ_from_those_of_training() -> None:
    taught = pupils(class_of(DATA, (4, 5)), (4, 5), 6, StreamOptions(), 2, 0)
    found = {(one.head, one.guarded): one for one in compare(known(DATA), taught)}
    assert len(found) == 9
    for name in (FROZEN, BLENDED):
        assert found[name, False].gain > 0.01
        assert found[name, True].worst > -0.05
    text = comparison_text(Comparison("numbers", 0, "shuffled", 0.0, DATA.label_names,
                                      tuple(found.values())))  # fmt: skip
    assert "4 devices of 2 people" in text
    assert "recommended: " in text


def test_the_best_of_the_harmless_is_recommended() -> None:
    harmless, harmful = head(SGD, [0.1] * 20), head(FROZEN, [0.3] * 19 + [-0.1])
    found = comparison(harmful, harmless)
    assert found.recommended == harmless
    assert found.as_json()["recommended"] == SGD
    assert (harmful.losers, harmful.gainers) == (0.05, 0.95)
    assert harmful.worst == pytest.approx(-0.1)


def test_of_heads_alike_the_smaller_is_recommended_and_where_none_gains_none() -> None:
    large, small = head(BLENDED, [0.1001] * 3, 900), head(FROZEN, [0.1] * 3, 100)
    assert comparison(large, small).recommended == small
    assert comparison(head(SGD, [0.0, 0.0])).recommended is None
    assert comparison(replace(large, guarded=False)).recommended is None


def test_calibration_keeps_the_usual_settings_without_strangers() -> None:
    training = class_of(DATA, (0, 1, 2))
    without = known_people(head_of(DATA), training, class_of(DATA, (0, 1)), 6, 0)
    assert without.lessons == ()
    assert calibrated(without) == LdaOptions()
    with_one = known_people(head_of(DATA), training, class_of(DATA, (3,)), 6, 0)
    assert len(with_one.lessons) == 1
    assert calibrated(with_one, blended=True).blend > 0
