"""The comparison teaches people of numbers, and recommends what its figures say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.adapt.people_of_numbers import class_of, dataset, head_of, known
from tinytrain.adapt.calibrate import calibrated, known_people
from tinytrain.adapt.comparison import (
    BLENDED,
    FROZEN,
    OWN,
    SGD,
    Comparison,
    DeviceResult,
    HeadResult,
    compare,
    learner_options,
    plans,
)
from tinytrain.adapt.people import pupils
from tinytrain.adapt.streams import StreamOptions
from tinytrain.lda import LdaOptions
from tinytrain.lda_constants import FACTOR_BITS
from tinytrain.report.learning import comparison_text, draw_comparison, learner_toml
from tinytrain.training.task_file import parse_task
from tinytrain.training.task_rules import learner_options as options_of

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
    assert len(found["float32 sgd", False].devices[0].curve) > 2
    assert found[BLENDED, True].rows_written is None
    for name in (FROZEN, BLENDED):
        assert found[name, False].gain > 0.01
        assert found[name, True].worst > -0.05
    text = comparison_text(Comparison("numbers", 0, "shuffled", 0.0, DATA.label_names,
                                      tuple(found.values())))  # fmt: skip
    assert "4 devices of 2 people" in text
    assert "stream shuffled, 0 % of the labels wrong, seed 0" in text
    assert "Accuracy of each person, %, with the guard" in text
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


def test_the_recommended_table_makes_the_learner_that_was_compared() -> None:
    for way in plans(known(DATA)):
        text = f'[data]\nsource = "npz"\nkind = "motion"\npath = "a"\n{learner_toml(way.settings)}'
        wanted = parse_task(text, "task.toml", "numbers", Path()).learner
        options = learner_options(way.head.split()[0], bool(way.parts.rules.guard))
        assert options_of(wanted) == options
        if way.parts.lda is not None:
            assert wanted.prior == way.parts.lda.prior / 16
            assert wanted.ridge == pytest.approx(way.parts.lda.ridge / (1 << FACTOR_BITS))
            assert wanted.blend == way.parts.lda.blend


def test_the_recommendation_is_a_table_of_a_task_in_the_text_and_in_the_json() -> None:
    settings = {"kind": "lda", "prior": 3.0, "ridge": 0.2, "blend": 25}
    found = comparison(replace(head(BLENDED, [0.1, 0.2]), settings=settings))
    assert found.as_json()["recommended_learner"] == settings
    text = comparison_text(found)
    block = '[learner]\nkind = "lda"\nprior = 3.0\nridge = 0.2\nblend = 25'
    assert text.endswith(f"in task.toml, then run it again:\n\n{block}")
    own = replace(head(OWN, [0.0, 0.0]), settings=settings)
    assert "the task has this already" in comparison_text(comparison(*found.heads, own))


def test_who_gains_and_who_loses_is_told_of_every_person() -> None:
    lines = comparison_text(comparison(head(FROZEN, [0.1, -0.2]))).splitlines()
    assert lines[1].split()[:5] == ["head", "guard", "before", "after", "mean"]
    rows = {line.split("  ")[0]: line for line in lines}
    assert "50 -> 60" in rows["person 0"]
    assert "50 -> 30" in rows["person 1"]


def test_the_picture_has_a_panel_for_each_head(tmp_path: Path) -> None:
    heads = [head(name, [0.1, 0.2]) for name in (SGD, FROZEN, BLENDED, OWN)]
    floating = replace(head("float32 sgd", [0.1, 0.1], 0), guarded=False)
    draw_comparison(comparison(*heads, floating), tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_calibration_keeps_the_usual_settings_without_strangers() -> None:
    training = class_of(DATA, (0, 1, 2))
    without = known_people(head_of(DATA), training, class_of(DATA, (0, 1)), 6, 0)
    assert without.lessons == ()
    assert calibrated(without) == LdaOptions()
    with_one = known_people(head_of(DATA), training, class_of(DATA, (3,)), 6, 0)
    assert len(with_one.lessons) == 1
    assert calibrated(with_one, blended=True).blend > 0
