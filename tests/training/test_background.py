"""The background class is made of a person's own clips, and stays with that person."""

from __future__ import annotations

import numpy as np
import pytest

from tinytrain.errors import InputError
from tinytrain.training.data import DataSet
from tinytrain.training.frontend import Clips
from tinytrain.training.sources.background import BACKGROUND, pink_noise, with_background


def clips(names: tuple[str, ...] = ("no", "yes")) -> Clips:
    """Three people, four clips of 400 samples each; the person's number is the loudness."""
    rng = np.random.default_rng(2)
    group = np.repeat([0, 1, 2], 4)
    y = np.tile([0, 1], 6)
    audio = np.rint(rng.normal(0, 1, (12, 400)) * 10.0 ** (group[:, None] + 1)).astype(np.int16)
    one = np.ones(1, np.float32)
    dataset = DataSet("words", np.zeros((12, 0), np.int8), y, group, group * 2 + y, False, names,
                      ("A", "B", "C"), one, one, np.zeros(0, np.int64))  # fmt: skip
    return Clips(dataset, audio)


def test_each_person_has_a_share_of_it_behind_all_clips() -> None:
    before = clips()
    made = with_background(before, 1.5, "here")
    assert made.dataset.label_names == ("no", "yes", BACKGROUND)
    assert np.array_equal(made.audio[:12], before.audio)
    assert np.array_equal(made.dataset.y[12:], np.full(18, 2))
    assert np.array_equal(made.dataset.group[12:], np.repeat([0, 1, 2], 6))
    assert made.audio.shape == (30, 400)
    assert made.audio.dtype == np.int16
    assert len(made.dataset.x) == 30
    assert len(np.unique(made.dataset.recording)) == 9


def test_the_same_clips_give_the_same_background() -> None:
    assert np.array_equal(
        with_background(clips(), 1, "here").audio, with_background(clips(), 1, "here").audio
    )


def test_a_class_of_that_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"the data have one: set it to 0, and name the class in"):
        with_background(clips(("background", "yes")), 1, "here")


def test_noise_has_its_level() -> None:
    made = pink_noise(16000, -20, np.random.default_rng(0))
    assert made.std() == pytest.approx(3276.8)
