"""The checks find what was planted, and are silent where nothing is wrong."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.training.shared import shared_data
from tinytrain.training import tasks
from tinytrain.training.checks import NOTE, REFUSED, WARNING, Finding, check
from tinytrain.training.data import DataSet, split
from tinytrain.training.mislabelled import find_mislabelled
from tinytrain.training.sources import load
from tinytrain.training.task_file import find_task

WATCH = find_task("watch")


@pytest.fixture(scope="module")
def watch() -> DataSet:
    return load(WATCH)


def findings(dataset: DataSet, rules: tasks.Split = WATCH.split) -> dict[str, Finding]:
    return {one.kind: one for one in check(dataset, split(dataset, rules, 0), WATCH, 0)}


def test_the_watch_data_are_not_refused(watch: DataSet) -> None:
    assert set(findings(watch)) == {"mislabelled"}


def test_changed_labels_are_found_first(watch: DataSet) -> None:
    generator = np.random.default_rng(0)
    planted = generator.permutation(len(watch.y))[:36]
    y = watch.y.copy()
    y[planted] = (y[planted] + generator.integers(1, 7, 36)) % 7
    found = find_mislabelled(replace(watch, y=y), 0).samples
    hits = [suspect for suspect in found[:36] if suspect.index in planted]
    # 21 of 36 in the first 36; those that look as their person's others do stay hidden.
    assert len(hits) >= 18
    assert np.mean([suspect.other == watch.y[suspect.index] for suspect in hits]) > 0.9


def test_changed_labels_are_found_among_activities() -> None:
    hapt = find_task("hapt")
    shared_data(hapt.data.path)
    dataset = load(hapt, shared_data(hapt.data.path).parent)
    generator = np.random.default_rng(0)
    planted = generator.permutation(len(dataset.y))[:79]
    y = dataset.y.copy()
    y[planted] = (y[planted] + generator.integers(1, 6, 79)) % 6
    found = [suspect.index for suspect in find_mislabelled(replace(dataset, y=y), 0).samples]
    assert np.isin(found, planted).sum() >= 50
    assert np.isin(found, planted).mean() >= 0.8


def test_swapped_labels_of_one_person_are_one_finding(watch: DataSet) -> None:
    own = watch.group == 4
    y = np.where(own & (watch.y == 0), 6, np.where(own & (watch.y == 6), 0, watch.y))
    assert (4, 0, 6) in find_mislabelled(replace(watch, y=y), 0).cells


def test_copies_across_the_split_are_refused(watch: DataSet) -> None:
    x = watch.x.copy()
    parts = split(watch, WATCH.split, 0)
    x[parts.unseen[:100]] = x[parts.train[:100]]
    found = findings(replace(watch, x=x))["duplicates"]
    assert found.severity == REFUSED
    assert "100 of 1085 unseen samples are exact copies" in found.message


def test_overlapping_windows_across_the_split_are_refused(watch: DataSet) -> None:
    apart = replace(watch, gap=0, overlap=False)
    found = findings(apart, tasks.Split(0, 0, 0.2))["duplicates"]
    assert found.severity == REFUSED
    assert "windows that overlap with some that training sees" in found.message


def test_one_sample_under_two_labels_is_found(watch: DataSet) -> None:
    x, y = watch.x.copy(), watch.y.copy()
    x[1], y[1] = x[0], (y[0] + 1) % 7
    assert (
        "its exact copy, sample 0, is" in findings(replace(watch, x=x, y=y))["two labels"].message
    )


def test_constant_channels_and_clipped_signals_are_found(watch: DataSet) -> None:
    x = watch.x.copy()
    x[..., 2] = 5
    x[..., 1] = np.clip(x[..., 1].astype(int) * 8, -128, 127)
    x[watch.group == 3, :, 0] = 0
    found = check(replace(watch, x=x), split(watch, WATCH.split, 0), WATCH, 0)
    places = [(one.kind, one.where) for one in found]
    assert ("constant", "channel 2") in places
    assert ("constant", "person 4") in places
    assert ("clipped", "channel 1") in places
    assert ("clipped", "channel 2") not in places


def test_values_that_never_change_are_refused(watch: DataSet) -> None:
    assert findings(replace(watch, x=np.zeros_like(watch.x)))["constant"].severity == REFUSED


def part_of(dataset: DataSet, kept: np.ndarray) -> DataSet:
    names = ("x", "y", "group", "recording")
    return replace(dataset, **{name: getattr(dataset, name)[kept] for name in names})


def test_scarce_data_are_told_and_accepted(watch: DataSet) -> None:
    few = (watch.y != 0) | (np.arange(len(watch.y)) % 12 == 0)
    without = ~((watch.group == 5) & (watch.y == 3)) & ~(
        (watch.group == 6) & (watch.recording % 9 > 0)
    )
    found = findings(part_of(watch, few & without))
    assert "PEN" in found["imbalance"].where
    assert "class_weights" in found["imbalance"].advice
    assert "person 6 lacks IR" in found["missing class"].message
    # All but one thing: an unseen person who cannot give the shots that the task asks for.
    assert {kind for kind, one in found.items() if one.severity == REFUSED} == {"shots"}
    assert found["shots"].where == "head.shots"
    assert re.search(r"has \d+ unseen samples of class PEN; 10 shots", found["shots"].message)
    assert re.match(r"at most \d for this person", found["shots"].advice)


def test_one_class_to_train_on_is_refused(watch: DataSet) -> None:
    kept = (watch.y == 0) | (watch.group < 3)
    assert findings(part_of(watch, kept))["classes"].severity == REFUSED


def test_a_training_of_a_few_steps_is_told(watch: DataSet) -> None:
    one_in_twenty = np.arange(len(watch.y)) % 20 == 0
    message = findings(part_of(watch, one_in_twenty))["few steps"].message
    assert re.fullmatch(r"\d+ samples to train on in batches of 64 make \d+ steps in .*", message)


def stream_findings(watch: DataSet, task: tasks.Task) -> list[Finding]:
    parts = split(watch, WATCH.split, 0)
    return [one for one in check(watch, parts, task, 0) if one.kind in ("stream", "coarse")]


def test_settings_that_a_device_would_suffer_from_are_told(watch: DataSet) -> None:
    front = tasks.Frontend(
        kind="log_mel", ring_ms=10, hop_ms=40, frame_ms=30, threshold=0, ignore=("a",)
    )
    found = stream_findings(watch, replace(WATCH, frontend=front))
    keys = ("frontend.ring_ms is 10", "frontend.hop_ms is 40", "frontend.threshold is 0")
    assert [one.severity for one in found] == [WARNING] * 3
    assert all(one.message.startswith(key) for one, key in zip(found, keys, strict=True))
    front = tasks.Frontend(kind="motion", input_rate=10.0, unit=1.0)
    coarse = replace(watch, different=(3, 16, 1))
    found = stream_findings(coarse, replace(WATCH, frontend=front))
    assert [one.message.split(";")[0].split(",")[0] for one in found] == [
        "frontend.unit = 1 leaves 3 different values",
        "frontend.unit = 1 leaves 1 different value",
        "frontend.input_rate is 10",
    ]


def test_a_keyword_spotter_without_a_class_to_ignore_is_a_note(watch: DataSet) -> None:
    front = tasks.Frontend(kind="log_mel")
    (found,) = stream_findings(watch, replace(WATCH, frontend=front))
    assert found.severity == NOTE and "frontend.ignore is empty" in found.message
    assert not stream_findings(watch, WATCH)
    assert not stream_findings(watch, replace(WATCH, frontend=replace(front, ignore=("a",))))


def test_the_values_that_a_motion_channel_uses_are_counted() -> None:
    from tinytrain.training.motion import _different

    counts = np.array([[[-32768, 5], [32767, 5]], [[0, 5], [0, 5]]], np.int16)
    assert _different(counts) == (3, 1)
