"""What a stream came to, as text and pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tinytrain.adapt.detection import Counted
from tinytrain.report.stream import detection_text, draw_detection

ROWS = [
    Counted(8192, 12, 2.0, 1, 20, 0.41),
    Counted(16384, 1, 2.0, 4, 20, 0.52),
    Counted(32768, 0, 2.0, 20, 20, None),
]


def test_a_table_of_thresholds_marks_the_chosen_one() -> None:
    lines = detection_text(ROWS, ROWS[1]).splitlines()
    assert lines[0].split() == ["threshold", "false", "accepts/h", "missed", "%", "delay", "s"]
    assert lines[3].split() == ["0.500", "0.500", "20.000", "0.520", "<-"]
    assert [line.endswith("<-") for line in lines[2:]] == [False, True, False]
    assert lines[4].split()[-1] == "-"


def test_a_picture_has_a_curve_for_each_group_of_people(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    others = [replace(one, missed=one.missed // 2) for one in ROWS]
    path = tmp_path / "curves.png"
    draw_detection({"validation": others, "unseen": ROWS}, path, 16384)
    assert path.read_bytes()[:4] == b"\x89PNG"
