"""`tinytrain tasks` writes a task that reads back, and checks its data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tinytrain.cli import main
from tinytrain.training.task_file import built_in_names, find_task


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_tasks_are_listed_with_and_without_the_word() -> None:
    listed = run("tasks", "list").stdout
    assert listed == run("tasks").stdout
    assert [line.partition(":")[0] for line in listed.splitlines()] == list(built_in_names())


def test_a_new_task_is_that_of_the_watch_under_another_name(tmp_path: Path) -> None:
    assert run("tasks", "new", tmp_path / "mine").exit_code == 0
    found, watch = find_task(str(tmp_path / "mine")), find_task("watch")
    assert found.name == "mine"
    assert (found.data, found.training) == (watch.data, watch.training)
    checks = tmp_path / "checks.json"
    ended = run("tasks", "check", tmp_path / "mine", "--out", checks)
    assert ended.exit_code == 0
    found = json.loads(checks.read_text())
    assert len(found) > 10
    assert all(isinstance(one["index"], int) for one in found if one["kind"] == "mislabelled")
    assert f"all {len(found)} findings" in ended.stdout


@pytest.mark.parametrize("source", ["csv", "wav", "images", "npz"])
def test_a_new_task_for_own_data_reads_back(source: str, tmp_path: Path) -> None:
    assert run("tasks", "new", tmp_path / source, "--source", source).exit_code == 0
    assert find_task(str(tmp_path / source)).data.source == source
    ended = run("tasks", "check", tmp_path / source)
    assert ended.exit_code == 2
    assert "not found; looked in" in ended.stderr


def test_a_task_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text("mine")
    ended = run("tasks", "new", tmp_path)
    assert (ended.exit_code, (tmp_path / "task.toml").read_text()) == (2, "mine")
    assert "exists already" in ended.stderr


def test_a_task_that_cannot_be_started_from_leaves_nothing(tmp_path: Path) -> None:
    assert run("tasks", "new", tmp_path / "mine", "--from", "wach").exit_code == 2
    assert (
        run("tasks", "new", tmp_path / "mine", "--from", "watch", "--source", "csv").exit_code == 2
    )
    assert not (tmp_path / "mine").exists()


def test_showing_a_task_prints_the_file_that_new_writes(tmp_path: Path) -> None:
    run("tasks", "new", tmp_path / "watch")
    assert run("tasks", "show", "watch").stdout == (tmp_path / "watch" / "task.toml").read_text()


def test_a_check_counts_people_and_classes_and_exits_with_2_if_refused(tmp_path: Path) -> None:
    run("tasks", "new", tmp_path, "--source", "npz")
    generator = np.random.default_rng(0)
    group, y, _ = (part.reshape(-1) for part in np.indices((4, 2, 40)))
    x = generator.normal(size=(len(y), 64, 3)) + y[:, None, None]
    np.savez(tmp_path / "samples.npz", X=x, y=y, person=group)
    ended = run("tasks", "check", tmp_path)
    assert ended.exit_code == 0, ended.output
    assert "320 samples of 64 x 3, 2 classes" in ended.stdout
    assert "person 2       80  40  40" in ended.stdout
    assert "nothing looks wrong" in ended.stdout
    x[group == 0] = x[group == 2]
    np.savez(tmp_path / "samples.npz", X=x, y=y, person=group)
    ended = run("tasks", "check", tmp_path)
    assert ended.exit_code == 2
    assert "refused: duplicates: " in ended.stdout
