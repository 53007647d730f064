"""The public face for a plain head, which links no learner, and the texts of what calls return."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import FIRMWARE, TINY
from tests.host_programs import compile_program
from tinytrain.learner import OUTCOME_TEXTS, Outcome
from tinytrain.protocol import STATUS_TEXTS, Status

PROGRAM = Path(__file__).parent / "face_program.c"
FLAGS = (
    "-std=c99 -O1 -g -Wall -Wextra -Wconversion -Werror -ffunction-sections -fdata-sections "
    "-Wl,--gc-sections"
).split()
SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all".split()


def built(folder: Path, *flags: str) -> Path:
    sources = [PROGRAM, TINY / "tiny.c", *(FIRMWARE / "src").rglob("*.c")]
    includes = [f"-I{TINY}", f"-I{FIRMWARE / 'include'}"]
    return compile_program(folder / "program", sources, [*FLAGS, *flags, *includes])


def test_what_a_call_returns_has_a_text(tmp_path: Path, require_host_gcc: None) -> None:
    numbers = [*Status, *(o for o in Outcome if o > 0), 99, -99]
    program = built(tmp_path, *SANITIZE)
    done = subprocess.run(
        [program, *map(str, map(int, numbers))], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    statuses = {**{int(s): text for s, text in STATUS_TEXTS.items()}, -99: "unknown status"}
    outcomes = {int(o): text for o, text in OUTCOME_TEXTS.items()}
    for number, as_status, as_outcome in zip(numbers, lines[::2], lines[1::2], strict=True):
        assert as_status == statuses.get(number, "not an error")
        errors = statuses[number] if number < 0 else "unknown outcome"
        assert as_outcome == outcomes.get(number, errors)


def test_every_outcome_has_a_text() -> None:
    assert set(OUTCOME_TEXTS) == set(Outcome)


@pytest.mark.skipif(shutil.which("nm") is None, reason="nm is missing")
def test_a_plain_head_links_no_learner(tmp_path: Path, require_host_gcc: None) -> None:
    program = built(tmp_path)
    done = subprocess.run(["nm", program], capture_output=True, text=True, check=True)
    names = [line.split()[-1] for line in done.stdout.splitlines()]
    assert "tt_export" in names
    assert not [name for name in names if name.startswith(("tt_learner_", "tt_lda_", "tt_drift_"))]
