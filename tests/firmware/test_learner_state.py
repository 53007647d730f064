"""A learner's state goes out and comes back, and a forged one does no harm."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.device.learners import make_project
from tests.device.test_learners import RECIPES
from tests.host_programs import compile_program

PROGRAM = Path(__file__).parent / "learner_program.c"
FLAGS = (
    "-std=c99 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all "
    "-Imodel -Iruntime/include -Iruntime/src"
).split()


@pytest.mark.parametrize("name", list(RECIPES))
def test_state_goes_out_and_comes_back(name: str, tmp_path: Path, require_host_gcc: None) -> None:
    project = make_project(RECIPES[name], tmp_path)
    folder, model = project.directory, Path("model", f"{project.model.name}.c")
    runtime = [path.relative_to(folder) for path in (folder / "runtime" / "src").rglob("*.c")]
    program = compile_program(tmp_path / "program", [PROGRAM, model, *runtime], FLAGS, folder)
    done = subprocess.run(
        [program, "200", "1500", "7"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
