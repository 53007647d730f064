"""The documents' C compiles as it stands there, against a converted project."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.frontend_cases import make_project, small_audio, small_plan
from tests.test_cli import classifier, windows
from tinytrain.pipeline.convert import convert
from tinytrain.statistics import StatisticsOptions

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```c\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only", "-xc", "-")


def blocks() -> list[tuple[str, str]]:
    files = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    return [(file.name, text) for file in files for text in BLOCK.findall(file.read_text())]


def test_the_documents_show_c() -> None:
    assert {name for name, _ in blocks()} >= {"README.md", "board.md"}


@pytest.mark.parametrize(("name", "text"), blocks())
def test_c_in_a_document_compiles(
    name: str, text: str, tmp_path: Path, require_host_gcc: None
) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(classifier())
    project = tmp_path / "project"
    if "stream.h" in text:
        project = make_project(small_plan(small_audio()), tmp_path).directory
    elif "statistics.h" in text:
        convert(model, project, statistics=StatisticsOptions(), training=windows(8))
    else:
        convert(model, project)
    folders = (project / "model", project / "runtime" / "include", project / "runtime" / "port")
    includes = [f"-I{folder}" for folder in folders]
    ended = subprocess.run(
        ["cc", *includes, *FLAGS], input=text, text=True, capture_output=True, check=False
    )
    assert ended.returncode == 0, f"{name}: {ended.stderr}"
