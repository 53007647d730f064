"""firmware/app/example.c: what a stranger copies works as it stands, with a learner and without."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import TinyProject
from tests.device.learners import make_project
from tests.device.test_learners import RECIPES

CALLS = ("start", "session", "drift", "new class", "its first sample", "export", "roll back",
         "import", "session", "drift")  # fmt: skip


def run(project: Path, target: str = "host") -> list[tuple[str, str]]:
    """What `make example` says of each call, and the text of what the call returned."""
    done = subprocess.run(
        ["make", "-s", f"TARGET={target}", "example"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (line.partition(": ") for line in done.stdout.splitlines())
    return [(call, text) for call, _, text in lines]


@pytest.mark.parametrize(
    ("target", "name"), [("host", "lda"), ("host", "sgd"), ("cortex-m4", "lda-blended")]
)
def test_the_example_learns(
    target: str, name: str, tmp_path: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    said = run(make_project(RECIPES[name], tmp_path).directory, target)
    assert tuple(call for call, _ in said) == CALLS
    calls = ("start", "new class", "export", "roll back", "import")
    assert [text for call, text in said if call in calls] == ["done"] * len(calls)
    assert ("its first sample", "learned") in said


def test_without_a_row_for_it_there_is_no_new_class(tmp_path: Path, require_host_gcc: None) -> None:
    recipe = replace(RECIPES["lda"], reserved=0)
    said = run(make_project(recipe, tmp_path).directory)
    assert ("new class", "no row is left for another class") in said
    assert ("import", "done") in said


def test_a_plain_head_has_nothing_to_keep(
    tiny_project: TinyProject, require_host_gcc: None
) -> None:
    said = run(tiny_project())
    assert ("export", "the model's head is a plain one: it has no learner") in said
    assert ("roll back", "done") in said
    assert "import" not in [call for call, _ in said]


def test_a_model_without_a_head_is_told_so(
    tiny_project: TinyProject, require_host_gcc: None
) -> None:
    project = tiny_project(
        TT_MODEL_CLASSES=0, TT_MODEL_CAPACITY=0, TT_MODEL_FEATURES=0, TT_MODEL_HEAD_BYTES=0
    )
    done = subprocess.run(
        ["make", "-s", "example"],
        cwd=project, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    assert done.returncode != 0
    assert "has no learning head" in done.stderr
