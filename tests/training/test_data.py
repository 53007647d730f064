"""The watch data: people are split, windows never are, and learning never sees the test."""

from __future__ import annotations

import numpy as np
import pytest

from tinytrain.errors import InputError
from tinytrain.training.data import DataSet, load, personal_split, split_people


@pytest.fixture(scope="module")
def watch() -> DataSet:
    return load("watch")


def test_watch_has_ten_people_and_seven_exercises(watch: DataSet) -> None:
    assert watch.x.shape == (3605, 64, 6)
    assert watch.x.dtype == np.int8
    assert len(watch.label_names) == watch.y.max() + 1 == 7
    assert len(watch.group_names) == watch.group.max() + 1 == 10


def test_a_recording_is_one_exercise_of_one_person(watch: DataSet) -> None:
    for recording in np.unique(watch.recording):
        inside = watch.recording == recording
        assert len(np.unique(watch.group[inside])) == 1
        assert len(np.unique(watch.y[inside])) == 1


@pytest.mark.parametrize("seed", range(5))
def test_no_person_is_in_two_sets(watch: DataSet, seed: int) -> None:
    split = split_people(watch, seed, unseen_people=3, validation_people=1)
    sets = [set(watch.group[part]) for part in (split.train, split.validation, split.unseen)]
    assert sum(map(len, sets)) == len(set.union(*sets)) == 10
    assert sets[2] == set(split.unseen_people)
    assert len(split.train) + len(split.validation) + len(split.unseen) == len(watch.x)


def test_seeds_0_to_2_test_nine_different_people(watch: DataSet) -> None:
    unseen = [split_people(watch, seed, 3, 1).unseen_people for seed in range(3)]
    assert len(set().union(*unseen)) == 9


@pytest.mark.parametrize("person", range(10))
def test_what_is_learned_shares_no_sample_with_what_is_tested(watch: DataSet, person: int) -> None:
    parts = personal_split(watch, person, shots=10, seed=0)
    assert np.bincount(watch.y[parts.learn]).tolist() == [10] * 7
    for index in parts.learn:
        neighbours = parts.test[abs(parts.test - index) <= 1]
        assert not np.any(watch.recording[neighbours] == watch.recording[index])


def test_the_seed_changes_only_the_order_of_the_stream(watch: DataSet) -> None:
    first, second = (personal_split(watch, 0, 10, seed) for seed in (1, 2))
    assert first.learn.tolist() != second.learn.tolist()
    assert sorted(first.learn) == sorted(second.learn)
    assert first.test.tolist() == second.test.tolist()
    assert personal_split(watch, 0, 10, seed=1).learn.tolist() == first.learn.tolist()


def test_an_unknown_data_set_is_answered_with_what_there_is() -> None:
    with pytest.raises(InputError, match="'clock' is not known; choose one of: watch"):
        load("clock")


def test_more_shots_than_windows_are_refused(watch: DataSet) -> None:
    with pytest.raises(InputError, match="ask for fewer shots"):
        personal_split(watch, 0, shots=60, seed=0)


def test_holding_everybody_out_is_refused(watch: DataSet) -> None:
    with pytest.raises(InputError, match="leave nobody to train on"):
        split_people(watch, 0, unseen_people=9, validation_people=1)
