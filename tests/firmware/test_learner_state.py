"""A learner's state goes out and comes back, and a forged one does no harm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.device.learners import make_project
from tests.device.test_learners import RECIPES

PROGRAM = Path(__file__).parent / "learner_program.c"
SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all".split()


@pytest.mark.parametrize("name", list(RECIPES))
def test_state_goes_out_and_comes_back(name: str, tmp_path: Path, require_host_gcc: None) -> None:
    project = make_project(RECIPES[name], tmp_path)
    runtime, model = project.directory / "runtime", project.directory / "model"
    sources = [str(path) for path in (runtime / "src").rglob("*.c")]
    program = tmp_path / "program"
    subprocess.run(
        [
            os.environ.get("CC", "cc"), "-std=c99", "-O1", "-g", *SANITIZE,
            f"-I{model}", f"-I{runtime / 'include'}", f"-I{runtime / 'src'}",
            str(PROGRAM), str(model / f"{project.model.name}.c"), *sources, "-o", str(program),
        ],
        check=True,
    )  # fmt: skip
    done = subprocess.run(
        [program, "200", "1500", "7"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
