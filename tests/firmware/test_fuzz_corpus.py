"""The inputs that `make fuzz` found interesting, replayed under the sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
FLAGS = ("-std=c99", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-DREPLAY",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all")  # fmt: skip


def test_no_kept_input_breaks_the_device(tmp_path: Path, tiny_project: Callable[..., Path]) -> None:
    project = tiny_project()
    runtime = project / "runtime"
    sources = [
        HERE / "fuzz_serve.c",
        runtime / "app" / "serve.c",
        *runtime.glob("app/answer_*.c"),
        *(project / "model").glob("tiny.c"),
        *runtime.glob("src/*.c"),
        *runtime.glob("src/*/*.c"),
    ]
    folders = [project / "model", *(runtime / name for name in ("include", "app", "port"))]
    program = tmp_path / "replay"
    includes = [f"-I{folder}" for folder in folders]
    subprocess.run(["cc", *FLAGS, *includes, "-o", program, *sources], check=True)
    inputs = sorted(CORPUS.iterdir())
    assert len(inputs) > 20
    ended = subprocess.run(
        [program, *inputs], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{len(inputs)} inputs\n"
