"""The model of a Cortex-M4's cycles: the timings of its manual, on code run for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import classifier
from tinytrain.converters.tflite import parse_tflite
from tinytrain.device import cycles
from tinytrain.device.build import build
from tinytrain.device.cycles import UNUSED, Firmware, model_inference
from tinytrain.device.opening import open_device
from tinytrain.emulator.inference import infer_bytes
from tinytrain.errors import InputError
from tinytrain.operators.table import require_kernels
from tinytrain.pipeline.bench import bench
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.samples import random_inputs
from tinytrain.project import Project, load_project
from tinytrain.protocol import Measure
from tinytrain.report.tables import bench_text

RETURN_CYCLES = 1 + 2
"""Of `bx lr`, a taken branch."""


def assemble(folder: Path, body: str) -> Path:
    """A program whose function f is the body."""
    lines = ".syntax unified\n.cpu cortex-m4\n.fpu fpv4-sp-d16\n.thumb\n"
    text = f"{lines}.thumb_func\n.global f\nf:\n{body}\n"
    (folder / "f.s").write_text(text.replace(";", "\n"))
    subprocess.run(["arm-none-eabi-as", "-o", folder / "f.o", folder / "f.s"], check=True)
    link = ["arm-none-eabi-ld", "-Ttext=0", "-e", "f", "-o", folder / "f", folder / "f.o"]
    subprocess.run(link, check=True)
    return folder / "f"


@pytest.fixture
def require_extra() -> None:
    """The test models cycles; skipped without the extra, on the CI a failure."""
    if not cycles.can_model():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(cycles.EXTRA)


@pytest.mark.parametrize(
    ("body", "instructions", "taken"),
    [
        ("", 0, 0),
        ("adds r1, r1, r2", 1, 1),
        ("smlad r1, r1, r2, r3", 1, 1),
        ("udiv r1, r1, r2; sdiv r1, r1, r2", 2, 6 + 6),
        # Loads in a row overlap; a store hides a load's address as well.
        ("ldr r1, [r0]", 1, 2),
        ("ldr r1, [r0]; ldrsb r2, [r0, #1]; ldrh r3, [r0]", 3, 2 + 1 + 1),
        ("ldr r1, [r0]; nop; ldr r2, [r0]", 3, 2 + 1 + 2),
        ("str r1, [r0]; ldr r2, [r0]; str r2, [r0]", 3, 1 + 1 + 1),
        ("ldrd r2, r3, [r0]", 1, 3),
        ("ldr r1, [r0]; ldrd r2, r3, [r0]; strd r2, r3, [r0]", 3, 2 + 2 + 2),
        ("ldm r0, {r1, r2, r3}; stm r0, {r1, r2}", 2, 4 + 3),
        ("ldmia r0!, {r1, r2}; ldr r3, [r0]", 2, 3 + 1),
        ("push {r4, r5, r6}; pop {r4, r5, r6}", 2, 4 + 4),
        # A pop of the program counter is a jump; the one after it is not executed.
        ("push {r4, lr}; pop {r4, pc}", 2, 3 + 3 + 2 - RETURN_CYCLES),
        ("vmla.f32 s0, s1, s2; vfma.f32 s0, s1, s2; vnmls.f32 s0, s1, s2", 3, 3 + 3 + 3),
        ("vdiv.f32 s0, s1, s2; vsqrt.f32 s0, s1", 2, 14 + 14),
        ("vadd.f32 s0, s1, s2; vmul.f32 s0, s1, s2", 2, 1 + 1),
        ("vldr s0, [r0]; vldr s1, [r0]; vstr s1, [r0]", 3, 2 + 1 + 1),
        ("vldm r0, {s0-s3}; vpush {d8}; vpop {d8}", 3, 5 + 3 + 3),
        # What is skipped takes its cycle.
        ("cmp r0, r0; it ne; movne r1, #1", 3, 3),
        ("cmp r0, r0; beq 1f; nop; 1: nop", 3, 1 + 1 + 2 + 1),
        ("cmp r0, r0; bne 1f; nop; 1: nop", 4, 4),
        ("movs r1, #3; 1: subs r1, #1; bne 1b", 7, 1 + 3 * 2 + 2 * 2),
        ("mov r4, lr; bl 2f; bx r4; 2: ", 3, 1 + 1 + 2 + 1 + 2),
        ("movs r1, #1; tbb [pc, r1]; .byte 1, 2; nop; 1: ", 2, 1 + 1 + 2),
    ],
)
def test_an_instruction_takes_what_the_manual_says(
    body: str,
    instructions: int,
    taken: int,
    tmp_path: Path,
    require_arm_gcc: None,
    require_extra: None,
) -> None:
    firmware = Firmware(assemble(tmp_path, f"{body}\nbx lr"))
    found = firmware.call("f", UNUSED)
    returned = "pc}" not in body
    assert (found.instructions - returned, found.cycles - RETURN_CYCLES) == (instructions, taken)


def test_a_call_has_its_arguments_and_gives_its_result(
    tmp_path: Path, require_arm_gcc: None, require_extra: None
) -> None:
    body = "ldr r4, [sp]; add r0, r0, r3; ldr r3, [sp, #4]; add r0, r0, r4; add r0, r0, r3; bx lr"
    assert Firmware(assemble(tmp_path, body)).call("f", 1, 10, 100, 1000, 2, 4).result == 1007


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, require_arm_gcc: None) -> Project:
    folder = tmp_path_factory.mktemp("cycles")
    (folder / "model.tflite").write_bytes(classifier())
    convert(folder / "model.tflite", folder / "project")
    return load_project(folder / "project")


@pytest.mark.slow
def test_an_inference_is_that_of_the_emulator_and_of_qemu(
    project: Project, require_qemu: None, require_extra: None
) -> None:
    """Outputs to the bit, instructions but for QEMU's call around each measurement."""
    model = project.model
    (x,) = random_inputs(model, 1, np.random.default_rng(1))
    found = model_inference(build(project.directory, "cortex-m4") / "device", model, x)
    graph = parse_tflite((project.directory / "source.tflite").read_bytes(), "model")
    assert found.output == infer_bytes(graph, require_kernels(graph), x[None]).tobytes()
    with open_device(project, "cortex-m4") as device:
        kinds = (Measure.INFERENCE, *(Measure.OPERATOR + k.index for k in model.kernels))
        counted = [device.measure(kind, x).instructions for kind in kinds]
    for ours, theirs in zip((found.total, *found.operators), counted, strict=True):
        assert abs(ours.instructions - theirs) < 20
        assert ours.instructions < ours.cycles < 4 * ours.instructions


@pytest.mark.slow
def test_bench_has_cycles_of_the_cortex_m4_alone(
    project: Project, require_qemu: None, require_extra: None
) -> None:
    found = bench(project, "cortex-m4")
    assert found.cycles is not None and found.note is None
    parts = [operator.cycles or 0 for operator in found.operators]
    assert abs(sum(parts) - found.cycles) < 100 * len(parts)
    assert f"{found.cycles:,}" in bench_text(found)
    other = bench(project, "cortex-m0")
    assert other.cycles is None and other.note is None


@pytest.mark.slow
def test_without_the_extra_a_line_says_what_to_install(
    project: Project, require_qemu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cycles.importlib.util, "find_spec", lambda name: None)
    found = bench(project, "cortex-m4")
    assert found.cycles is None
    assert bench_text(found).splitlines()[-1].endswith("pip install 'tinytrain[bench]'")
    with pytest.raises(InputError, match="pip install"):
        Firmware(build(project.directory, "cortex-m4") / "device")
