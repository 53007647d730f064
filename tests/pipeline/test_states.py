"""`learn` goes on from a state, `learner` saves and loads one, and bad files are one line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.device.learners import make_project
from tests.device.test_learners import RECIPES
from tests.emulator.head_cases import FIXED
from tinytrain.cli import main

RECIPE = RECIPES["lda"]


def tinytrain(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, a stream whole and in two halves, and the state after the first half."""
    place = tmp_path_factory.mktemp("states")
    make_project(RECIPE, place)
    x, y = RECIPE.clusters(200, 5)
    x, y = x[y < RECIPE.classes], y[y < RECIPE.classes]
    half = len(x) // 2
    for name, part in (("whole", slice(None)), ("first", slice(half)), ("rest", slice(half, None))):
        np.savez(place / f"{name}.npz", x=x[part, None], y=y[part])
    return place


def learn(folder: Path, target: str, stream: str, *more: object) -> dict[str, np.ndarray]:
    source, head = folder / f"{stream}.npz", folder / "head.npz"
    result = tinytrain("learn", folder / "project", "--target", target, "--stream", source,
                       "--output", head, *more)  # fmt: skip
    assert result.exit_code == 0, result.output
    return dict(np.load(head))


@pytest.mark.parametrize("target", ["emulator", "host"])
def test_two_sessions_with_a_state_between_them_are_one(
    target: str, folder: Path, require_host_gcc: None
) -> None:
    once = learn(folder, target, "whole", "--save-state", folder / "once.bin")
    learn(folder, target, "first", "--save-state", folder / "between.bin")
    twice = learn(folder, target, "rest", "--state", folder / "between.bin",
                  "--save-state", folder / "twice.bin")  # fmt: skip
    assert np.array_equal(once["weights"], twice["weights"])
    assert np.array_equal(once["predicted"][-len(twice["predicted"]) :], twice["predicted"])
    assert (folder / "once.bin").read_bytes() == (folder / "twice.bin").read_bytes()


def test_a_state_is_saved_and_loaded(folder: Path) -> None:
    project, state = folder / "project", folder / "saved.bin"
    saved = tinytrain("learner", "save", project, "--target", "emulator", "--output", state)
    assert saved.exit_code == 0, saved.output
    loaded = tinytrain("learner", "load", project, "--target", "emulator", "--state", state)
    assert loaded.exit_code == 0, loaded.output
    assert f"{state.stat().st_size:,} bytes" in loaded.stdout
    for ended in (saved, loaded):
        assert "warning: emulator ends with this command and forgets" in ended.stderr


def test_a_learner_says_what_its_guard_let_answer(folder: Path) -> None:
    lines = tinytrain("learn", folder / "project", "--stream", folder / "whole.npz", "--output",
                      folder / "head.npz").stdout.splitlines()  # fmt: skip
    assert "learned" in lines[1]
    assert re.search(r"at the end (the factory head|what was learned.*) answers$", lines[1])


def test_a_file_that_is_no_state_of_this_learner_is_one_line(folder: Path) -> None:
    learn(folder, "emulator", "first", "--save-state", folder / "good.bin")
    good = (folder / "good.bin").read_bytes()
    files = {
        "none": (None, "No such file"),
        "text": (b"hello", "no state of a learner"),
        "empty": (b"", "no state of a learner"),
        "cut": (good[:-7], "damaged"),
        "long": (good + b"more", "damaged"),
        "flipped": (good[:200] + bytes([good[200] ^ 4]) + good[201:], "damaged"),
        "foreign": (good[:4] + b"abcd" + good[8:], "another model or learner"),
    }
    for name, (data, said) in files.items():
        path = folder / f"{name}.bin"
        if data is not None:
            path.write_bytes(data)
        result = tinytrain(
            "learner", "load", folder / "project", "--target", "emulator", "--state", path
        )
        assert result.exit_code == 2, name
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"error: {path}: ")
        assert said in line


def test_a_plain_head_has_no_state(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(FIXED[1].model())
    assert tinytrain("convert", tmp_path / "m.tflite", "--out", tmp_path / "p").exit_code == 0
    result = tinytrain(
        "learner", "save", tmp_path / "p", "--target", "emulator", "--output", tmp_path / "s"
    )
    assert result.exit_code == 2
    assert "has no learner" in result.stderr
    assert not (tmp_path / "s").exists()
