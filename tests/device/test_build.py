"""Building firmware: quiet when it works, one telling line when it does not."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.test_cli import classifier
from tinytrain.device.build import build
from tinytrain.device.process import open_host, open_qemu
from tinytrain.errors import DeviceError
from tinytrain.pipeline.convert import convert
from tinytrain.project import load_project
from tinytrain.variants.choose import SPEED
from tinytrain.variants.instruction_set import InstructionSet

TinyProject = Callable[..., Path]


@pytest.fixture
def project(tiny_project: TinyProject, tmp_path: Path) -> Path:
    """A project of the test's own, not built yet."""
    own = tmp_path / "project"
    shutil.copytree(tiny_project(), own, symlinks=True, ignore=shutil.ignore_patterns("build"))
    return own


def test_a_build_leaves_programs_maps_and_says_nothing(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = build(project, "host")
    assert folder == project / "build" / "host"
    assert build(project, "host", "selftest") == folder
    for name in ("device", "device.map", "selftest", "selftest.map"):
        assert (folder / name).is_file()
    assert capfd.readouterr() == ("", "")


def test_nothing_is_built_twice_and_changed_headers_are_noticed(project: Path) -> None:
    program = build(project, "host") / "device"
    built = program.stat().st_mtime_ns
    build(project, "host")
    assert program.stat().st_mtime_ns == built
    header = project / "model" / "model.h"
    header.write_text(header.read_text() + "\n")
    build(project, "host")
    assert program.stat().st_mtime_ns > built


def test_a_space_in_the_path_is_no_obstacle(project: Path, tmp_path: Path) -> None:
    spaced = project.rename(tmp_path / "two words")
    folder = build(spaced, "host")
    with open_host(folder) as device:
        assert device.info().name == "tiny"


def test_builds_at_the_same_time_do_not_disturb_each_other(project: Path) -> None:
    with ThreadPoolExecutor() as pool:
        folders = list(pool.map(lambda _: build(project, "host"), range(3)))
    assert set(folders) == {project / "build" / "host"}
    with open_host(folders[0]) as device:
        assert device.info().name == "tiny"


def test_a_compiler_error_is_named_by_its_first_line(project: Path) -> None:
    source = project / "model" / "tiny.c"
    source.write_text(source.read_text().replace("int8_t *tensor", "int *tensor"))
    with pytest.raises(
        DeviceError, match=r"host: model/tiny\.c:\d+:\d+: error: .*pointer"
    ) as error:
        build(project, "host")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("target", "packages"),
    [
        ("host", "gcc libc6-dev"),
        ("cortex-m4", "gcc-arm-none-eabi libnewlib-arm-none-eabi"),
    ],
)
def test_a_missing_compiler_is_named_with_its_packages(
    project: Path, target: str, packages: str, only_make_in_path: None
) -> None:
    with pytest.raises(DeviceError, match=f"is missing; .*apt-get install {packages}$"):
        build(project, target)


def test_a_missing_emulator_is_named_with_its_package(
    project: Path, only_make_in_path: None
) -> None:
    folder = project / "build" / "cortex-m4"
    folder.mkdir(parents=True)
    (folder / "device").touch()
    (folder / "launch").write_text("qemu-system-arm -kernel\n")
    with pytest.raises(DeviceError, match=r"apt-get install qemu-system-arm$"):
        open_qemu(folder, "cortex-m4")


def test_a_folder_without_firmware_is_refused(tmp_path: Path) -> None:
    for open_device in (lambda: open_host(tmp_path), lambda: open_qemu(tmp_path, "cortex-m4")):
        with pytest.raises(DeviceError, match="no firmware here"):
            open_device()
    with pytest.raises(DeviceError, match="tinytrain convert"):
        build(tmp_path, "host")


def test_an_unknown_target_is_answered_with_those_there_are(project: Path) -> None:
    with pytest.raises(DeviceError, match=r"TARGET=z80 is unknown; it can be: cortex-m0 .*host$"):
        build(project, "z80")


@pytest.fixture(scope="module")
def fast_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted project whose convolution has a fast kernel."""
    folder = tmp_path_factory.mktemp("fast")
    (folder / "small.tflite").write_bytes(classifier())
    model = convert(folder / "small.tflite", folder / "project", optimize=SPEED)
    assert "tt_fast_conv_2d_paired" in [variant.kernel for variant in model.variants]
    return folder / "project"


@pytest.mark.parametrize(
    ("target", "kernels", "lack"),
    [
        ("cortex-m0", "dsp", "TT_USE_DSP (KERNELS=dsp): this processor has no DSP extension"),
        ("cortex-m0", "mve", "TT_USE_MVE (KERNELS=mve): this processor has no vector extension"),
        ("cortex-m4", "mve", "TT_USE_MVE (KERNELS=mve): this processor has no vector extension"),
    ],
)
def test_a_processor_never_gets_kernels_for_an_extension_that_it_lacks(
    target: str,
    kernels: str,
    lack: str,
    fast_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    require_arm_gcc: None,
) -> None:
    monkeypatch.setenv("KERNELS", kernels)
    with pytest.raises(DeviceError, match=re.escape(f'error: #error "{lack}')) as error:
        build(fast_project, target)
    assert "\n" not in str(error.value) and f"{target}: " in str(error.value)
    assert not (fast_project / "build" / target / "device").exists()


@pytest.mark.parametrize(
    ("kernels", "found"),
    [
        ("", InstructionSet.DSP),
        ("dsp", InstructionSet.DSP),
        ("portable", InstructionSet.PORTABLE),
    ],
)
def test_either_kernels_of_a_processor_give_the_golden_samples(
    kernels: str,
    found: InstructionSet,
    fast_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    require_target: Callable[[str], None],
) -> None:
    require_target("cortex-m4")
    monkeypatch.setenv("KERNELS", kernels)
    with open_qemu(build(fast_project, "cortex-m4"), "cortex-m4") as device:
        assert device.info().instruction_set == found
    command = ["make", "--silent", "-C", str(fast_project), "TARGET=cortex-m4", "selftest"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "golden: 8 of 8 samples equal\n"


def test_unknown_kernels_are_answered_with_those_there_are(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERNELS", "neon")
    with pytest.raises(DeviceError, match=r"KERNELS=neon is unknown; it can be: portable dsp mve$"):
        build(project, "host")


@pytest.mark.parametrize("given", ["fast", "-Os fast", "size"])
def test_what_is_no_option_of_the_compiler_is_refused_before_it_links(
    given: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTIMIZE", given)
    with pytest.raises(DeviceError, match=f"OPTIMIZE={given} is .*such as -O2$"):
        build(project, "host")


def made(project: Path, *arguments: str) -> list[str]:
    """What make says."""
    done = subprocess.run(
        ["make", "-C", project, "--no-print-directory", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MAKEFLAGS": ""},
    )
    return done.stdout.splitlines()


def test_make_says_a_short_line_a_file_or_the_commands(project: Path) -> None:
    said = made(project)
    assert all(re.fullmatch(r"(CC|LINK) \S+", line) for line in said), said
    assert {"CC model/tiny.c", "LINK build/host/device"} <= set(said)
    said = made(project, "V=1", "BUILD=build/again")
    assert any(re.search(r"cc .* -c -o \S+ model/tiny\.c$", line) for line in said), said
    assert made(project, "--silent", "BUILD=build/silent") == []


def test_make_help_is_the_makefiles_first_comment_on_any_machine(
    project: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "sed").symlink_to(shutil.which("sed") or "")
    request.getfixturevalue("only_make_in_path")
    said = made(project, "help", "TARGET=cortex-m4")
    assert said[0].startswith("Builds a model with the tinytrain runtime.")
    assert any(line.startswith("OPTIMIZE ") for line in said)
    assert not any(line.startswith("#") for line in said)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_project_that_cannot_be_written_is_built_in_the_cache(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project.chmod(0o555)
    folder = build(project, "host")
    assert folder.is_relative_to(tmp_path / "cache")
    with open_host(folder) as device:
        assert device.info().name == "tiny"
    project.chmod(0o755)


def test_the_emitted_headers_are_for_cplusplus_too(fast_project: Path, tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is missing")
    quantization = load_project(fast_project).model.inputs[0].quantization
    assert quantization is not None
    (tmp_path / "user.cpp").write_text(
        '#include "model.h"\n'
        "unsigned long scratch = TT_MODEL_SCRATCH_BYTES;\n"
        "const tt_model *model = &TT_MODEL;\n"
        f'static_assert(SMALL_INPUT_SCALE == {float(quantization.scale[0])!r}, "");\n'
    )
    folders = [f"-I{fast_project / 'model'}", f"-I{fast_project / 'runtime' / 'include'}"]
    flags = ["-std=c++14", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    subprocess.run([compiler, *flags, *folders, "user.cpp"], cwd=tmp_path, check=True)
