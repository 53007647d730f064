"""Fixtures that all tests share: the toolchain, and a tiny project to build with it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A finding on the CI would turn a change red that did not cause it: there the draws are always the
# same. Developers' runs draw anew each time.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"
TINY = ROOT / "tests" / "firmware" / "tiny"

TinyProject = Callable[..., Path]
"""Makes a project of the tiny model; keywords change the values of its model.h's #defines."""


def require(program: str, package: str) -> None:
    """Skips the test where `program` is missing; on the CI, where it must be there, fails it."""
    if shutil.which(program) is None:
        message = f"{program} is missing; on Debian or Ubuntu: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


OTHER_TARGETS = {"cortex-m0", "cortex-m33", "cortex-m55"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick runs train nothing, and take the host and one Cortex-M."""
    for item in items:
        if isinstance(item, pytest.Function):
            values = item.callspec.params.values() if hasattr(item, "callspec") else ()
            other = any(isinstance(value, str) and value in OTHER_TARGETS for value in values)
            if other or "tensorflow" in item.fixturenames:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def tensorflow() -> None:
    """The test trains."""
    pytest.importorskip("tensorflow", reason="training needs the extra tinytrain[train]")


@pytest.fixture(scope="session", autouse=True)
def _compile_once(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[None]:
    """Projects share the runtime: ccache, where it is there, keeps what was compiled in pytest's
    own cache, for the next run, too."""
    ccache = shutil.which("ccache")
    with pytest.MonkeyPatch.context() as patch:
        if ccache is not None:
            programs = tmp_path_factory.mktemp("ccache")
            for name in ("cc", "gcc", "arm-none-eabi-gcc"):
                if shutil.which(name) is not None:
                    (programs / name).symlink_to(ccache)
            patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
            patch.setenv("CCACHE_DIR", str(pytestconfig.cache.mkdir("ccache")))
            patch.setenv("CCACHE_MAXSIZE", "1G")
            # Projects lie in folders of their own, and say no more of these than where they were.
            patch.setenv("CCACHE_NOHASHDIR", "1")
        yield


@pytest.fixture(scope="session")
def require_qemu() -> None:
    """The test runs firmware under QEMU."""
    require("qemu-system-arm", "qemu-system-arm")


@pytest.fixture(scope="session")
def require_arm_gcc() -> None:
    """The test compiles for Cortex-M."""
    require("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")


@pytest.fixture(scope="session")
def require_host_gcc() -> None:
    """The test compiles for this machine."""
    require(os.environ.get("CC", "cc"), "gcc libc6-dev")
    require("make", "make")


@pytest.fixture
def require_target(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """The test builds for a target and runs there."""

    def require_all(target: str) -> None:
        host = ("require_host_gcc",)
        for fixture in host if target == "host" else ("require_arm_gcc", "require_qemu"):
            request.getfixturevalue(fixture)

    return require_all


@pytest.fixture(scope="session")
def tiny_project(tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None) -> TinyProject:
    """Projects of tests/firmware/tiny, each variant made once a session, so built once."""
    made: dict[tuple[tuple[str, object], ...], Path] = {}

    def make(**defines: object) -> Path:
        key = tuple(sorted(defines.items()))
        if key not in made:
            made[key] = write_tiny_project(tmp_path_factory.mktemp("tiny"), defines)
        return made[key]

    return make


def write_tiny_project(directory: Path, defines: dict[str, object]) -> Path:
    """The layout of a converted project, around the tiny model."""
    shutil.copytree(TINY, directory / "model")
    shutil.copy(FIRMWARE / "project.mk", directory / "Makefile")
    (directory / "runtime").symlink_to(FIRMWARE)
    header = directory / "model" / "model.h"
    lines = header.read_text().splitlines()
    for name, value in defines.items():
        (at,) = [i for i, line in enumerate(lines) if line.startswith(f"#define {name} ")]
        lines[at] = f"#define {name} {value}"
    header.write_text("\n".join(lines) + "\n")
    return directory


@pytest.fixture
def only_make_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a compiler or emulator."""
    make = shutil.which("make")
    assert make, "make is missing"
    (tmp_path / "make").symlink_to(make)
    monkeypatch.setenv("PATH", str(tmp_path))
