"""Streams: the same key gives the same stream, and every order keeps its promise."""

from __future__ import annotations

import numpy as np
import pytest

from tinytrain.adapt.streams import ORDERS, Stream, StreamOptions, make_stream
from tinytrain.errors import InputError

CLASSES, SHOTS = 5, 40
LABELS = np.repeat(np.arange(CLASSES), SHOTS)
X = np.random.default_rng(0).integers(-100, 100, (len(LABELS), 6, 3)).astype(np.int8)


def stream(order: str = "shuffled", noise: float | None = None, key: int = 1) -> Stream:
    return make_stream(X, LABELS, CLASSES, StreamOptions(order, noise), (0, key, 0))


def runs(labels: np.ndarray) -> int:
    return 1 + int(np.count_nonzero(np.diff(labels)))


@pytest.mark.parametrize("order", ORDERS)
def test_a_stream_follows_from_its_key_and_has_every_sample_once(order: str) -> None:
    first, again, other = stream(order), stream(order), stream(order, key=2)
    assert np.array_equal(first.samples, again.samples)
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.samples, other.samples)
    assert np.array_equal(np.sort(first.samples), np.arange(len(LABELS)))


def test_class_by_class_has_one_run_a_class_and_bursts_have_runs_in_between() -> None:
    assert runs(stream("classes").labels) == CLASSES
    assert CLASSES < runs(stream("bursts").labels) < runs(stream("shuffled").labels) / 2


@pytest.mark.parametrize("order", ORDERS)
def test_labels_are_wrong_as_often_as_asked_for_and_no_class_is_preferred(order: str) -> None:
    many = stream(order, 0.3)
    wrong = many.labels != LABELS[many.samples]
    assert wrong.mean() == pytest.approx(0.3, abs=0.1)
    steps = (many.labels - LABELS[many.samples])[wrong] % CLASSES
    assert set(steps) == set(range(1, CLASSES))


def test_only_a_noisy_stream_is_noisy_by_itself() -> None:
    for order in ORDERS:
        found = stream(order)
        assert np.any(found.labels != LABELS[found.samples]) == (order == "noisy")


def test_drift_grows_to_the_offset_that_the_test_samples_have() -> None:
    drifting = stream("drift")
    seen = drifting.inputs(X).astype(int) - X[drifting.samples]
    assert np.abs(seen[0]).max() <= 1
    assert np.array_equal(seen[-1], drifting.at_the_end(X)[:1].astype(int)[0] - X[0])
    assert np.array_equal(np.abs(seen).mean(axis=(1, 2)), np.sort(np.abs(seen).mean(axis=(1, 2))))


def test_passes_repeat_the_stream() -> None:
    twice = make_stream(X, LABELS, CLASSES, StreamOptions(passes=2), (0, 1, 0))
    assert np.array_equal(*np.split(twice.samples, 2))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"order": "random"}, "shuffled"),
        ({"noise": 1.5}, "noise 1.5"),
        ({"passes": 0}, "passes 0"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        StreamOptions(**options)
