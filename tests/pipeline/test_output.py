"""Outputs appear whole or not at all, and replace nothing but what tinytrain made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinytrain.errors import InputError
from tinytrain.pipeline.output import (
    LISTING,
    check_replaceable,
    new_directory,
    new_file,
    write_json,
)

MARKER = "made.json"


class Failure(Exception):
    """What goes wrong inside a block."""


def make(target: Path, text: str) -> None:
    with new_directory(target, MARKER) as aside:
        (aside / MARKER).write_text(text)
        (aside / text).touch()


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_directory_appears_when_its_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    with new_directory(target, MARKER) as aside:
        (aside / MARKER).touch()
        assert not target.exists()
    assert listing(tmp_path) == [
        "deep",
        "deep/target",
        f"deep/target/{LISTING}",
        f"deep/target/{MARKER}",
    ]


def test_a_directory_of_an_earlier_run_is_replaced_whole(tmp_path: Path) -> None:
    make(tmp_path / "target", "first")
    make(tmp_path / "target", "second")
    assert listing(tmp_path) == [
        "target",
        f"target/{LISTING}",
        f"target/{MARKER}",
        "target/second",
    ]


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    make(tmp_path / "target", "first")
    assert listing(tmp_path / "target") == [LISTING, "first", MARKER]


def test_a_directory_can_be_entered_by_others(tmp_path: Path) -> None:
    make(tmp_path / "target", "first")
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("target", ["target", "new", "deep/deeper/target"])
@pytest.mark.parametrize("error", [Failure, OSError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_everything_as_it_was(
    target: str, error: type[BaseException], tmp_path: Path
) -> None:
    make(tmp_path / "target", "first")
    before = listing(tmp_path)
    with (
        pytest.raises((error, InputError)),
        new_directory(tmp_path / target, MARKER) as aside,
    ):
        (aside / "half").write_text("half an output")
        raise error
    assert listing(tmp_path) == before


def foreign(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")


OBSTACLES = {
    "a directory with foreign files": (foreign, MARKER),
    "a file": (lambda path: path.write_text("text"), "not a directory"),
    "a link": (lambda path: path.symlink_to(path.parent), "is a link"),
    "a dangling link": (lambda path: path.symlink_to("nowhere"), "is a link"),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_tinytrain_did_not_make_is_not_replaced(name: str, tmp_path: Path) -> None:
    create, part = OBSTACLES[name]
    create(tmp_path / "target")
    before = listing(tmp_path)
    with pytest.raises(InputError, match=part):
        make(tmp_path / "target", "first")
    with pytest.raises(InputError, match=part):
        check_replaceable(tmp_path / "target", MARKER)
    assert listing(tmp_path) == before


def test_a_detour_in_the_path_does_not_hide_a_file(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not a directory"):
        make(tmp_path / "new" / ".." / "thesis.txt", "first")
    assert listing(tmp_path) == ["thesis.txt"]


@pytest.mark.parametrize("target", [".", "..", "../here"])
def test_the_current_directory_is_not_pulled_away(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="current directory"):
        make(Path(target), "first")
    assert listing(tmp_path) == ["here"]


def test_a_directory_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write there"):
        make(tmp_path / "file" / "target", "first")
    assert listing(tmp_path) == ["file"]


def test_a_file_appears_when_its_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "y.npy"
    target.write_text("old")
    with new_file(target) as aside:
        assert aside.suffix == ".npy"
        aside.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert listing(tmp_path) == ["y.npy"]


@pytest.mark.parametrize("error", [Failure, OSError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file(error: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "y.npy"
    target.write_text("old")
    with pytest.raises((error, InputError)), new_file(target) as aside:
        aside.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert listing(tmp_path) == ["y.npy"]


@pytest.mark.parametrize("target", ["file/y.npy", "none/y.npy", "folder", "/dev/null"])
def test_a_file_that_cannot_be_is_refused_before_the_block_runs(
    target: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    before = listing(tmp_path)
    with pytest.raises(InputError), new_file(tmp_path / target):
        raise Failure
    assert listing(tmp_path) == before


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    write_json(target, {"accuracy": 0.9})
    with pytest.raises(TypeError):
        write_json(target, {"accuracy": object()})
    assert target.read_text() == '{\n  "accuracy": 0.9\n}\n'
    assert listing(tmp_path) == ["figures.json"]


def test_a_directory_with_files_of_the_users_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with new_directory(target, MARKER) as aside:
        (aside / MARKER).touch()
    (target / "port").mkdir()
    (target / "port" / "uart.c").touch()
    with (
        pytest.raises(InputError, match=r"did not make \(port/uart\.c\)"),
        new_directory(target, MARKER),
    ):
        raise AssertionError("the block must not begin")
    assert (target / "port" / "uart.c").is_file()
