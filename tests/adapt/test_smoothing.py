"""Smoothers are compared on equal terms, and their false accepts come with a bound."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend_cases import small_audio, small_plan
from tinytrain.adapt.detection import Counted, Event, LabelledStream
from tinytrain.adapt.smoothing import Heard, best, pooled, try_smoothers


@pytest.mark.parametrize(
    ("count", "bound"), [(0, 2.996), (1, 4.744), (4, 9.154), (10, 16.962), (100, 118.1)]
)
def test_the_bound_is_the_one_of_poisson_tables(count: int, bound: float) -> None:
    """Garwood's one-sided limits, half the 95 % point of chi squared of 2 (n + 1) degrees."""
    assert Counted(0, count, 1.0, 0, 0, None).most_an_hour == pytest.approx(bound, abs=0.05)
    assert Counted(0, count, 4.0, 0, 0, None).most_an_hour == pytest.approx(bound / 4, abs=0.02)


def test_streams_are_counted_together() -> None:
    made = pooled([Counted(5, 2, 1.0, 1, 4, 0.5), Counted(5, 1, 0.5, 0, 1, 0.9),
                   Counted(5, 3, 2.0, 0, 0, None)])  # fmt: skip
    assert (made.false_accepts, made.hours, made.missed, made.events) == (6, 3.5, 1, 5)
    assert made.delay == pytest.approx((3 * 0.5 + 0.9) / 4)
    assert pooled([Counted(5, 3, 2.0, 0, 0, None)]).delay is None


def heard(at: dict[int, int], events: tuple[Event, ...] = ()) -> Heard:
    """50 inferences of an hour: class 0, but for those in `at`, of 30,000."""
    p = np.zeros((50, 3), np.int64)
    p[:, 0] = 32768
    for inference, label in at.items():
        p[inference] = np.eye(3, dtype=np.int64)[label] * 30_000
    return Heard(LabelledStream(np.zeros((0, 1), np.int16), events, 3600.0), p)


def test_an_average_keeps_out_what_lasts_for_one_inference() -> None:
    """Inference i ends at 0.066 + 0.02 i s; class 0 is ignored."""
    word = heard({8: 1, 9: 1, 10: 1}, (Event(0.15, 0.3, 1),))
    noise = heard({5: 2, 20: 2, 35: 2})
    streams = {"words": word, "noise": noise}
    trials = try_smoothers(
        small_plan(small_audio()), 0.02, streams, streams, [0.0, 3.0], (1, 3), (60.0,)
    )
    found = {(one.limit, one.average): one for one in trials}
    alone = found[0.0, 1].measured
    assert alone is not None
    assert alone.missed == 1
    chosen = best(trials, 0.0)
    assert chosen is found[0.0, 3]
    assert (chosen.refractory, chosen.refractory_ms) == (3, 60.0)
    assert chosen.measured is not None
    assert (chosen.measured.missed, chosen.measured.false_accepts) == (0, 0)
    assert chosen.measured.hours == 2
    assert chosen.kinds["noise"].events == 0


def test_without_a_threshold_there_is_no_best() -> None:
    sure = heard({})
    sure.probabilities[:] = [0, 32768, 0]
    trials = try_smoothers(
        small_plan(small_audio()), 0.02, {"noise": sure}, {"noise": sure}, [0.0], (1,), (0.0,)
    )
    assert [one.chosen for one in trials] == [None]
    assert best(trials, 0.0) is None
