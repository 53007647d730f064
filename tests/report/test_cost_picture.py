"""The picture of costs: the biggest operators of any bar are named, and nothing divides by zero."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinytrain.pipeline.bench import Bench, OperatorCost
from tinytrain.report.cost_picture import NAMED, Bar, Panel, biggest, cost_bar, draw_costs

PNG = b"\x89PNG"


def test_the_biggest_of_any_bar_are_named_in_order() -> None:
    many = tuple((f"{i} conv", 100 - i) for i in range(NAMED + 3))
    other = (*((name, 1) for name, _ in many[:-1]), (many[-1][0], 1000))
    bars = tuple(Bar("bar", sum(n for _, n in each), each) for each in (many, other))
    assert biggest(Panel("both", bars)) == [name for name, _ in (*many[: NAMED - 1], many[-1])]


def test_a_bar_without_operators_and_one_without_instructions_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    fused = Bench("cortex-m4", 0, None, (OperatorCost(0, "ADD", "tt_add", 0),), None, 0, 0, None,
                  None, None)  # fmt: skip
    bars = (cost_bar(fused), Bar("whole", 10), Bar("nothing", 0, (("0 add", 0),)))
    draw_costs([Panel("one", bars), Panel("whole alone", bars[1:2])], tmp_path / "costs.png")
    assert (tmp_path / "costs.png").read_bytes().startswith(PNG)
