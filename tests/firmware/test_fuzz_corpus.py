"""The inputs that `make fuzz` found interesting, replayed under the sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.host_programs import compile_program

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
FLAGS = ("-std=c99", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-DREPLAY",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Imodel",
         "-Iruntime/include", "-Iruntime/app", "-Iruntime/port")  # fmt: skip


def test_no_kept_input_breaks_the_device(tmp_path: Path, tiny_project: Callable[..., Path]) -> None:
    project = tiny_project()
    names = ("model/tiny.c", "runtime/app/serve.c", "runtime/app/answer_*.c", "runtime/src/**/*.c")
    found = [path.relative_to(project) for name in names for path in project.glob(name)]
    program = compile_program(tmp_path / "replay", [HERE / "fuzz_serve.c", *found], FLAGS, project)
    inputs = sorted(CORPUS.iterdir())
    assert len(inputs) > 20
    ended = subprocess.run(
        [program, *inputs], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{len(inputs)} inputs\n"
