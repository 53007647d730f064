"""Tasks are found by name, and a wrong name is answered with the right ones."""

from __future__ import annotations

import pytest

from tinytrain.errors import InputError
from tinytrain.training.data import load
from tinytrain.training.tasks import BUILT_IN, task_by_name


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_task_names_a_data_set_that_is_shipped(name: str) -> None:
    task = task_by_name(name)
    dataset = load(task.data_set)
    assert task.name == name
    assert len(task.augmentation.mirror) in (0, dataset.x.shape[2])


def test_an_unknown_task_is_answered_with_what_there_is() -> None:
    with pytest.raises(InputError, match="'wrist' is not known; choose one of: watch"):
        task_by_name("wrist")
