"""Pseudo-labels rest on answers that are right."""

from __future__ import annotations

from tests.adapt.people_of_numbers import class_of, dataset, head_of
from tinytrain.adapt.thresholds import pseudo_label_threshold

DATA = dataset(offset=4.0)
HEAD = head_of(DATA)


def test_pseudo_labels_above_the_threshold_are_right() -> None:
    assert 0 < pseudo_label_threshold(HEAD.constants, class_of(DATA, (3, 4))) <= 1
