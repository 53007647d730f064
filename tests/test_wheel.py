"""An installed wheel works outside the repository, with everything that a project needs in it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.test_cli import classifier
from tinytrain.training.task_file import built_in_names

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
MIN_SETUPTOOLS = 77
"""The first that knows the licence fields of pyproject.toml."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, because setuptools leaves files in the folder it builds."""
    enough = int(version("setuptools").partition(".")[0]) >= MIN_SETUPTOOLS
    if not enough or importlib.util.find_spec("build") is None:
        message = f"building needs: pip install build 'setuptools>={MIN_SETUPTOOLS}'"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("wheel")
    leave = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "demo", "*.egg-info")
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=leave)
    run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist"],
        folder / "source",
    )
    (found,) = (folder / "dist").iterdir()
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel, and our own for its dependencies."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    run([*pip, "--no-index", "--no-deps", wheel], place)
    (site,) = place.glob("lib/python*/site-packages")
    # Read for its folders only: the editable install that lies in there stays unknown.
    needed = (
        "click",
        "jinja2",
        "numpy",
        "rich",
        *(("tomli",) if sys.version_info < (3, 11) else ()),
    )
    specs = [importlib.util.find_spec(name) for name in needed]
    folders = {str(Path(spec.origin).parents[1]) for spec in specs if spec and spec.origin}
    (site / "dependencies.pth").write_text("\n".join(sorted(folders)) + "\n")
    return place / "bin"


def run(command: list[str | Path], folder: Path) -> str:
    """What a command prints, run in `folder` without our environment's paths; it must succeed."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "MAKEFLAGS")
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in hidden},
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_below(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_firmware(wheel: Path) -> None:
    inside = {f"tinytrain/firmware/{name}" for name in files_below(ROOT / "firmware")}
    assert {name for name in inside if name.endswith((".c", ".h", ".ld", ".mk"))}
    assert inside - names(wheel) == set()


def test_the_wheel_holds_the_converters_and_their_templates(wheel: Path) -> None:
    inside = {f"tinytrain/converters/{name}" for name in files_below(ROOT / "converters")}
    assert {name for name in inside if name.endswith(".j2")}
    assert inside - names(wheel) == set()


def test_the_wheel_holds_the_data_and_all_licences(wheel: Path) -> None:
    data = {f"tinytrain/training/data/{n}" for n in files_below(ROOT / "tinytrain/training/data")}
    assert {Path(name).suffix for name in data} == {".npz", ".txt"}
    inside = names(wheel)
    assert data - inside == set()
    assert {f"tinytrain/training/built_in/{name}.toml" for name in built_in_names()} <= inside
    assert "tinytrain/firmware/LICENSE" in inside
    assert "tinytrain/py.typed" in inside
    assert [name for name in inside if name.endswith(".dist-info/licenses/LICENSE")]


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in names(wheel)}
    (metadata,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"tinytrain", metadata}
    assert not [name for name in names(wheel) if "test" in Path(name).name.replace("selftest", "")]
    assert not [name for name in names(wheel) if name.endswith((".o", ".pyc", ".elf"))]


def test_the_wheel_holds_plain_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            assert not stat.S_ISLNK(entry.external_attr >> 16), entry.filename


def test_the_installed_command_converts_and_verifies_elsewhere(
    installed: Path, tmp_path: Path, require_host_gcc: None
) -> None:
    code = "import tinytrain; print(tinytrain.__file__)"
    assert run([installed / "python", "-c", code], tmp_path).startswith(str(installed.parent))
    (tmp_path / "small.tflite").write_bytes(classifier())
    command = installed / "tinytrain"
    run([command, "convert", "small.tflite", "--out", "project"], tmp_path)
    text = run([command, "verify", "project", "--target", "host"], tmp_path)
    assert text.count("all bits equal") == 5
    assert "8 of 8 samples equal" in run(["make", "-C", "project", "selftest"], tmp_path)


def test_the_installed_package_finds_its_data(installed: Path, tmp_path: Path) -> None:
    assert run([installed / "tinytrain", "tasks"], tmp_path).startswith("watch")
    assert run([installed / "tinytrain", "tasks", "check", "watch"], tmp_path).startswith(
        "watch: 3,605 samples of 64 x 6, 7 classes"
    )
