"""Builds the firmware of a converted project, quietly, with its own Makefile."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from tinytrain.errors import DeviceError


def build(project_dir: Path, target: str, program: str = "device") -> Path:
    """Builds `program` ("device" or "selftest") and returns the folder that holds it.

    That is DIR/build/TARGET, or a folder in the user's cache where DIR cannot be written.
    Builds of the same folder at the same time wait for each other.
    Raises DeviceError with the first error of the compiler, or with what is to be installed.
    """
    if not (project_dir / "Makefile").is_file():
        raise DeviceError(f"{project_dir}: no Makefile here; make one with `tinytrain convert`")
    make = shutil.which("make")
    if make is None:
        raise DeviceError("make is missing; on Debian or Ubuntu: apt-get install make")
    project_dir = project_dir.resolve()
    build_dir = _build_dir(project_dir, target)
    # Relative where it can be: make takes a path with a space in it for two.
    folder = os.path.relpath(build_dir, project_dir)
    if folder.startswith(os.pardir):
        folder = str(build_dir)
    goal = f"{folder}/{program}"
    build_dir.mkdir(parents=True, exist_ok=True)
    with (build_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = subprocess.run(
            [make, "--silent", "-j2", f"TARGET={target}", f"BUILD={folder}", goal],
            cwd=project_dir,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=_environment(),
            check=False,
        )
    if result.returncode != 0:
        raise DeviceError(f"{project_dir}: {target}: {_first_error(result.stderr)}")
    return build_dir


def _build_dir(project_dir: Path, target: str) -> Path:
    beside = project_dir / "build" / target
    existing = next(folder for folder in (beside, *beside.parents) if folder.exists())
    if os.access(existing, os.W_OK):
        return beside
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = hashlib.sha256(str(project_dir).encode()).hexdigest()[:16]
    return cache / "tinytrain" / "build" / key / target


def _environment() -> dict[str, str]:
    """Ours, without what an outer make passes on: its job server and variables are not meant."""
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "BUILD", "MODEL", "RUNTIME")
    kept = {name: value for name, value in os.environ.items() if name not in outer}
    return kept | {"LC_ALL": "C"}


def _first_error(output: str) -> str:
    """The line that says what is wrong: the Makefile's own words, else the first error."""
    patterns = (
        r"\*\*\* (?!\[)(.+?)\.\s+Stop\.",
        r"^(.*undefined reference.*)$",
        r"^(.*\bregion\b.*\boverflowed\b.*)$",
        r"^(.*\berror: .*)$",
    )
    for pattern in patterns:
        if found := re.search(pattern, output, re.MULTILINE):
            return found[1].strip()
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[0] if lines else "make failed without a word"
