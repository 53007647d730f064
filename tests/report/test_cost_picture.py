"""The picture of costs: the kinds that cost most have colours, and nothing divides by zero."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinytrain.pipeline.bench import Bench, OperatorCost
from tinytrain.report.cost_picture import NAMED, Bar, Panel, cost_bar, draw_costs, kinds

PNG = b"\x89PNG"


def test_the_kinds_of_the_largest_share_of_any_bar_have_colours() -> None:
    many = tuple((f"{i} kind_{i}", 100 - i) for i in range(NAMED + 3))
    other = (*((name, 1) for name, _ in many[:-1]), (many[-1][0], 1000))
    bars = tuple(Bar("bar", sum(n for _, n in each), each) for each in (many, other))
    expected = [name.partition(" ")[2] for name, _ in (many[-1], *many[: NAMED - 1])]
    assert kinds([Panel("both", bars)]) == expected


def test_operators_of_a_kind_count_together() -> None:
    bar = Bar("bar", 1000, (("0 conv_2d", 300), ("1 add", 395), ("2 conv_2d", 300), ("3 mul", 5)))
    assert kinds([Panel("one", (bar,))]) == ["conv_2d", "add"]


def test_a_bar_without_operators_and_one_without_instructions_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    fused = Bench("cortex-m4", 0, None, (OperatorCost(0, "ADD", "tt_add", 0),), None, 0, 0, None,
                  None, None)  # fmt: skip
    bars = (cost_bar(fused), Bar("whole", 10), Bar("nothing", 0, (("0 add", 0),)))
    draw_costs([Panel("one", bars), Panel("whole alone", bars[1:2])], tmp_path / "costs.png")
    assert (tmp_path / "costs.png").read_bytes().startswith(PNG)
