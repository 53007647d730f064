"""What a stream costs, as the device's own header and counter have it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.frontend_cases import make_project, small_audio, small_motion, small_plan
from tinytrain.frontend.constants import StreamPlan
from tinytrain.pipeline.bench import bench
from tinytrain.report.tables import bench_text

PLANS = {
    "sounds": lambda: small_plan(small_audio()),
    "motion": lambda: small_plan(small_motion(), frames=1, stride=1, ring_capacity=5),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_streams_bytes_are_those_of_the_header(
    name: str, tmp_path: Path, require_host_gcc: None
) -> None:
    project = make_project(PLANS[name](), tmp_path)
    found = bench(project, "emulator")
    shown: Any = found.as_json()
    assert shown["ram"]["stream"] == found.stream > 0
    assert f"{found.stream:,}" in bench_text(found)
    folders = (project.directory / "model", project.directory / "runtime" / "include")
    text = (
        '#include "model.h"\n#include "tinytrain/stream.h"\n'
        f"typedef char same[TT_MODEL_STREAM_BYTES == {found.stream} ? 1 : -1];\n"
    )
    flags = ("-std=c99", "-fsyntax-only", "-xc", "-")
    ended = subprocess.run(
        ["cc", *(f"-I{folder}" for folder in folders), *flags],
        input=text,
        text=True,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", PLANS)
def test_steps_of_a_stream_are_counted(
    name: str, tmp_path: Path, require_target: Callable[[str], None]
) -> None:
    require_target("cortex-m4")
    plan: StreamPlan = PLANS[name]()
    found = bench(make_project(plan, tmp_path), "cortex-m4")
    assert found.inference is not None and found.inference_step is not None
    assert found.inference_step > found.inference
    # Each of motion's frames is an inference.
    assert (found.frame_step is None) == (plan.stride == 1)
    if found.frame_step is not None:
        assert 0 < found.frame_step < found.inference_step
    assert "one with a frame and an inference" in bench_text(found)


def test_without_a_front_end_no_stream_is_named(tmp_path: Path) -> None:
    project = make_project(PLANS["sounds"](), tmp_path)
    without = replace(project, model=replace(project.model, stream=None))
    found = bench(without, "emulator")
    assert found.stream == 0
    assert "stream" not in bench_text(found)
