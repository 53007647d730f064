"""Outputs that appear whole or not at all: written aside, then renamed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinytrain.errors import InputError

_MODE = 0o755


@contextmanager
def new_directory(target: Path, marker: str) -> Iterator[Path]:
    """A fresh directory that becomes `target` when the block ends without an error.

    An existing `target` is replaced only where it is empty or holds the file `marker`, that is,
    where an earlier run made it. Raises InputError where it cannot be written.
    """
    check_replaceable(target, marker)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise InputError(f"{target}: cannot write there: {error.strerror}") from error
    try:
        yield aside
        aside.chmod(_MODE)
        _replace(aside, target)
    except OSError as error:
        raise InputError(f"{target}: cannot write there: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_replaceable(target: Path, marker: str) -> None:
    """Raises InputError where `target` holds something that no earlier run made."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(f"{target}: exists and is not a directory; choose another --out")
    try:
        others = target.is_dir() and any(target.iterdir()) and not (target / marker).is_file()
    except OSError as error:
        raise InputError(f"{target}: cannot read: {error.strerror}") from error
    if others:
        raise InputError(
            f"{target}: holds files that tinytrain did not make (no {marker}); "
            "choose another --out or empty it"
        )


def _replace(aside: Path, target: Path) -> None:
    """`aside` takes the place of `target`, which goes only once its successor stands."""
    if not target.exists():
        aside.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent)) / "old"
    target.rename(old)
    aside.rename(target)
    shutil.rmtree(old.parent)


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; it becomes `target` when the block ends without error."""
    if target.is_dir():
        raise InputError(f"{target}: is a directory; name a file")
    aside = target.with_name(f".{target.stem}.partial{target.suffix}")
    try:
        yield aside
        aside.replace(target)
    except OSError as error:
        raise InputError(f"{target}: cannot write there: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Writes `value` as JSON, whole or not at all."""
    with new_file(path) as aside:
        aside.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
