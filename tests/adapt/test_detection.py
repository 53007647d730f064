"""False accepts and misses are counted as a person at a keyword spotter would count them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.frontend_cases import make_project, small_audio, small_plan, sounds
from tinytrain.adapt.detection import (
    Clip,
    Counted,
    Event,
    LabelledStream,
    build_stream,
    choose_threshold,
    count_detections,
    stream_probabilities,
)
from tinytrain.device.emulated import EmulatedDevice
from tinytrain.errors import InputError
from tinytrain.protocol import StreamEvent


def test_clips_lie_where_the_events_say_and_sums_saturate() -> None:
    rng = np.random.default_rng(1)
    clips = [Clip(np.full(100 * (i + 1), 30_000, np.int16), label) for i, label in
             enumerate([2, None, 1])]  # fmt: skip
    made = build_stream(clips, np.full(333, 9_000, np.int16), 1000, rng, (0.5, 0.6))
    assert sorted((event.label, round(event.end - event.start, 3)) for event in made.events) == [
        (1, 0.3),
        (2, 0.1),
    ]
    assert made.seconds == len(made.samples) / 1000
    for event in made.events:
        inside = made.samples[round(event.start * 1000) : round(event.end * 1000)]
        assert set(inside.ravel().tolist()) == {32767}
    assert (made.samples == 9_000).sum() == len(made.samples) - 600
    starts = sorted(event.start for event in made.events)
    assert starts[0] >= 0.5


@pytest.mark.parametrize("clips", [[], [Clip(np.zeros(3, np.int16), 0)]])
def test_nothing_makes_no_stream(clips: list[Clip]) -> None:
    with pytest.raises(InputError, match="at least one clip and some background"):
        build_stream(clips, np.zeros(0, np.int16), 8000, np.random.default_rng(0))


@pytest.mark.parametrize("head", ["auto", "none"])
def test_a_whole_stream_at_once_has_the_probabilities_and_detections_of_a_device(
    head: str, tmp_path: Path
) -> None:
    plan = small_plan(small_audio(noise_reduction=True), ring_capacity=30_000)
    model = make_project(plan, tmp_path, head).model
    x = sounds(24_000, 4)
    device = EmulatedDevice(model)
    device.stream_push(x)
    steps = []
    while (step := device.stream_step()).event != StreamEvent.IDLE:
        steps.append(step)
    expected = [step.probabilities for step in steps if step.probabilities is not None]
    found = stream_probabilities(model, x.reshape(-1, 1))
    assert np.array_equal(found, expected)
    made = LabelledStream(x.reshape(-1, 1), (), 3.0)
    (counted,) = count_detections(plan, found, made, [plan.smoother.threshold])
    assert counted.false_accepts == device.stream_counters().detections > 0


def constant(n: int, at: dict[int, int]) -> np.ndarray:
    """Probabilities of 3 classes: class 0, but for the inferences in `at`."""
    p = np.zeros((n, 3), np.int64)
    p[:, 0] = 32768
    for inference, label in at.items():
        p[inference] = np.eye(3, dtype=np.int64)[label] * 30_000
    return p


def test_detections_are_right_false_or_missed() -> None:
    """Frames end every 10 ms; inference i at 0.066 + 0.02 i s."""
    plan = small_plan(small_audio(), average=1, refractory=0)
    stream = LabelledStream(
        np.zeros((8000, 1), np.int16),
        (Event(0.2, 0.3, 1), Event(0.6, 0.7, 2), Event(0.9, 0.95, 1)),
        3600.0,
    )
    p = constant(50, {8: 1, 9: 1, 12: 2, 28: 2, 49: 2})
    (counted,) = count_detections(plan, p, stream, [20_000], late=0.1)
    assert (counted.false_accepts, counted.missed, counted.events) == (2, 1, 3)
    assert counted.delay == pytest.approx(np.median([0.226 - 0.2, 0.626 - 0.6]))
    assert (counted.false_accepts_an_hour, counted.miss_rate) == (2, 1 / 3)
    (none,) = count_detections(plan, p, stream, [30_001])
    assert (none.false_accepts, none.missed, none.delay) == (0, 3, None)


def test_the_threshold_that_misses_least_within_the_limit_is_chosen() -> None:
    one = Counted(10_000, 9, 1.0, 0, 10, 0.5)
    rows = [one, replace(one, threshold=12_000, false_accepts=2, missed=1),
            replace(one, threshold=14_000, false_accepts=1, missed=1),
            replace(one, threshold=16_000, false_accepts=1, missed=1),
            replace(one, threshold=20_000, false_accepts=0, missed=7)]  # fmt: skip
    assert choose_threshold(rows, 10).threshold == 10_000
    assert choose_threshold(rows, 2).threshold == 16_000
    assert choose_threshold(rows, 0.5).threshold == 20_000
    with pytest.raises(InputError, match="at least 1 are found"):
        choose_threshold(rows[:4], 0.5)
