"""Outputs that appear whole or not at all: written aside, then renamed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

from tinytrain.errors import InputError

_MODE = 0o755

LISTING = ".tinytrain"
"""What a directory holds of ours, so that nothing of the user's goes with it."""

BUILD = "build"
"""Where make puts what it builds; it can be made again."""


@contextmanager
def new_directory(target: Path, marker: str, later: Sequence[str] = ()) -> Iterator[Path]:
    """A fresh directory that becomes `target` when the block ends without an error.

    An existing `target` is replaced only where it is empty, or where an earlier run made it (it
    holds the file `marker`) and nobody put files of their own into it. `later`: names that other
    stages will add, * in them for any letters. Raises InputError where it cannot be written.
    """
    aside = None
    made: list[Path] = []
    try:
        check_replaceable(target, marker)
        place = target.resolve()
        made = [folder for folder in place.parents if not folder.exists()]
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        yield aside
        files = [path.relative_to(aside).as_posix() for path in aside.rglob("*") if path.is_file()]
        write_json(aside / LISTING, {"files": sorted(files), "later": list(later)})
        aside.chmod(_MODE)
        _replace(aside, place)
    except OSError as error:
        raise InputError(f"{target}: cannot write there: {error.strerror or error}") from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        for folder in made:
            # Goes only where nothing was written into it.
            with suppress(OSError):
                folder.rmdir()


def check_replaceable(target: Path, marker: str) -> None:
    """Raises InputError where `target` holds something that no earlier run made."""
    problem = _obstacle(target, marker)
    if problem is not None:
        raise InputError(f"{target}: {problem}; choose another --out")


def _obstacle(target: Path, marker: str) -> str | None:
    """Why `target` must not be replaced, or None."""
    if target.is_symlink():
        return "is a link"
    place = target.resolve()
    if place.exists() and not place.is_dir():
        return "exists and is not a directory"
    if Path.cwd().is_relative_to(place):
        return "is the current directory, or holds it"
    if place.is_dir() and any(place.iterdir()) and not (place / marker).is_file():
        return f"holds files that tinytrain did not make (no {marker})"
    foreign = _foreign(place) if place.is_dir() else []
    if foreign:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        return f"holds files that tinytrain did not make ({', '.join(foreign[:3])}{more})"
    return None


def _foreign(place: Path) -> list[str]:
    """Files in a directory of ours that are not, as paths in it."""
    try:
        listing = json.loads((place / LISTING).read_text(encoding="utf-8"))
        known, later = set(listing["files"]), set(listing["later"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    found = []
    for path in sorted(place.rglob("*")):
        inside = path.relative_to(place)
        first = inside.parts[0]
        ours = (
            first in {BUILD, LISTING}
            or any(fnmatchcase(first, name) for name in later)
            or inside.as_posix() in known
        )
        if not ours and not path.is_dir():
            found.append(inside.as_posix())
    for name in sorted(later):
        found += [f"{name}/{file}" for file in _foreign(place / name)]
    return found


@contextmanager
def set_aside(directory: Path, names: Sequence[str], place: Path) -> Iterator[None]:
    """Moves what `directory` holds of `names` to the fresh folder `place` while the block makes
    their successors; it is back where the block fails, and goes where it does not.
    """
    moved = [name for name in names if (directory / name).exists()]
    remove(place)
    place.mkdir(parents=True)
    try:
        for name in moved:
            (directory / name).rename(place / name)
        yield
    except BaseException:
        for name in moved:
            if (place / name).exists():
                remove(directory / name)
                (place / name).rename(directory / name)
        place.rmdir()
        raise
    remove(place)


def remove(path: Path) -> None:
    """A file or a directory, where there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _replace(aside: Path, target: Path) -> None:
    """`aside` takes the place of `target`, which goes only once its successor stands."""
    if not target.exists():
        aside.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent)) / "old"
    try:
        target.rename(old)
        try:
            aside.rename(target)
        except OSError:
            old.rename(target)
            raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; it becomes `target` when the block ends without error."""
    if target.is_dir():
        raise InputError(f"{target}: is a directory; name a file")
    if target.exists() and not target.is_file():
        raise InputError(f"{target}: is no regular file; name one")
    aside = target.with_name(f".{target.stem}.partial{target.suffix}")
    try:
        # At once, so that nobody computes for an hour what cannot be written.
        aside.touch()
        yield aside
        aside.replace(target)
    except OSError as error:
        raise InputError(f"{target}: cannot write there: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            aside.unlink()


def write_json(path: Path, value: object) -> None:
    """Writes `value` as JSON, whole or not at all."""
    with new_file(path) as aside:
        aside.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
