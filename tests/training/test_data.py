"""The watch data: people are split, windows never are, and learning never sees the test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinytrain.errors import InputError
from tinytrain.training import tasks
from tinytrain.training.data import DataSet, personal_split, split, split_people
from tinytrain.training.sources import load
from tinytrain.training.task_file import find_task


@pytest.fixture(scope="module")
def watch() -> DataSet:
    return load(find_task("watch"))


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


def test_more_shots_than_windows_are_refused(watch: DataSet) -> None:
    with pytest.raises(InputError, match="ask for fewer shots"):
        personal_split(watch, 0, shots=60, seed=0)


def test_holding_everybody_out_is_refused(watch: DataSet) -> None:
    with pytest.raises(InputError, match="leave nobody to train on"):
        split_people(watch, 0, unseen_people=9, validation_people=1)


def standing_alone(people: int, takes: int, test: int = 0) -> DataSet:
    """`takes` samples of each of three classes by each of `people`, none of which overlap."""
    group, y, _ = (part.reshape(-1) for part in np.indices((people, 3, takes)))
    x = np.random.default_rng(0).integers(-128, 127, (len(y), 4, 2)).astype(np.int8)
    return DataSet(
        name="small",
        x=x,
        y=y,
        group=group,
        recording=group * 3 + y,
        overlap=False,
        label_names=("a", "b", "c"),
        group_names=tuple(map(str, range(people))),
        scale=np.ones(1, np.float32),
        zero=np.zeros(1, np.float32),
        given_test=np.arange(len(y))[len(y) - test :],
    )


def shares(dataset: DataSet, unseen: int, validation: int, seed: int = 0) -> list[list[int]]:
    parts = split(dataset, tasks.Split(unseen, validation, 0.2), seed)
    found = [part.tolist() for part in (parts.train, parts.validation, parts.unseen)]
    assert sorted(index for part in found for index in part) == list(range(len(dataset.y)))
    return found


def test_without_unseen_people_each_class_gives_the_same_share() -> None:
    dataset = standing_alone(people=2, takes=10)
    train, validation, unseen = shares(dataset, 0, 0)
    assert np.bincount(dataset.y[unseen]).tolist() == [4, 4, 4]
    assert np.bincount(dataset.y[validation]).tolist() == [3, 3, 3]
    assert len(train) == 39
    assert shares(dataset, 0, 0, seed=1)[2] != unseen == shares(dataset, 0, 0)[2]


def test_a_given_test_set_is_the_unseen_part() -> None:
    dataset = standing_alone(people=2, takes=10, test=6)
    assert shares(dataset, 0, 0)[2] == dataset.given_test.tolist()


def test_unseen_people_go_with_a_share_of_the_others_to_validate_on() -> None:
    dataset = standing_alone(people=4, takes=10)
    train, validation, unseen = shares(dataset, 1, 0, seed=2)
    assert set(dataset.group[unseen]) == {2}
    assert set(dataset.group[train]) == set(dataset.group[validation]) == {0, 1, 3}


def test_windows_that_overlap_are_not_separated_by_a_share(watch: DataSet) -> None:
    parts = [set(watch.recording[part]) for part in shares(watch, 0, 0)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert shares(watch, 0, 1)[1]


def test_samples_that_stand_alone_leave_no_gap() -> None:
    dataset = standing_alone(people=2, takes=10)
    within = np.arange(30, 58)
    parts = personal_split(dataset, 1, shots=3, seed=0, within=within)
    assert np.bincount(dataset.y[parts.learn]).tolist() == [3, 3, 3]
    assert sorted([*parts.learn, *parts.test]) == within.tolist()


def test_a_person_may_lack_a_class() -> None:
    dataset = standing_alone(people=1, takes=5)
    parts = personal_split(dataset, 0, shots=2, seed=0, within=np.arange(10))
    assert set(dataset.y[parts.learn]) == {0, 1}


def test_short_recordings_are_taken_one_after_the_other() -> None:
    dataset = replace(standing_alone(1, 9), recording=np.arange(27) // 3, gap=1)
    parts = personal_split(dataset, 0, shots=4, seed=0)
    assert sorted(parts.learn)[:4] == [0, 1, 2, 3]
    assert parts.test.tolist()[:4] == [5, 6, 7, 8]
    with pytest.raises(
        InputError, match="has 9 unseen samples of class a; 9 shots, a gap and a test"
    ):
        personal_split(dataset, 0, shots=9, seed=0)


def test_people_that_a_split_needs_have_to_be_there() -> None:
    with pytest.raises(InputError, match=r"has 1 person; keeping 1 out of training leaves nobody"):
        split(standing_alone(1, 10), tasks.Split(1, 0), seed=0)
    with pytest.raises(InputError, match="leaves nothing to validate on"):
        split(standing_alone(2, 1, test=3), tasks.Split(0, 0), seed=0)
