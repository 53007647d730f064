"""The C files that are generated from Python are up to date, and it shows where one is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tinytrain.generate import FILES, ROOT, main, outdated, write

PATHS = [path for path, _ in FILES]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree that holds the generated files and nothing else."""
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    write(tmp_path)
    return tmp_path


def test_the_repository_is_up_to_date() -> None:
    assert outdated(ROOT) == []


def test_what_was_written_is_up_to_date(root: Path) -> None:
    assert outdated(root) == []


@pytest.mark.parametrize("path", PATHS)
def test_a_changed_file_is_found(path: str, root: Path) -> None:
    text = (root / path).read_text()
    (root / path).write_text(text.replace("1", "2", 1))
    assert outdated(root) == [path]


@pytest.mark.parametrize("path", PATHS)
def test_a_missing_file_is_found(path: str, root: Path) -> None:
    (root / path).unlink()
    assert outdated(root) == [path]


@pytest.mark.parametrize("path", PATHS)
def test_a_generated_file_says_so(path: str, root: Path) -> None:
    assert "do not edit" in "".join((root / path).read_text().splitlines(keepends=True)[:2])


def test_check_ends_with_0_for_the_repository() -> None:
    command = [sys.executable, "-m", "tinytrain.generate", "--check"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_wrong_use_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--wrong"]) == 2
    assert "usage" in capsys.readouterr().err
