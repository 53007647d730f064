"""Figures beside the bars they have to reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinytrain.report.tables import table


@dataclass(frozen=True)
class Bar:
    name: str
    value: float
    allowed: str
    met: bool


def at_most(name: str, value: float, bar: float) -> Bar:
    return Bar(name, float(value), f"at most {bar:g}", value <= bar)


def at_least(name: str, value: float, bar: float) -> Bar:
    return Bar(name, float(value), f"at least {bar:g}", value >= bar)


def bars_text(bars: Sequence[Bar]) -> str:
    rows = [(bar.name, bar.value, bar.allowed, bar.met) for bar in bars]
    return table(("figure", "measured", "allowed", "met"), rows)


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
