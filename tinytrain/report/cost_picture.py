"""The picture of what inferences cost: a bar each, its operators as segments in the colours of
their kinds, numbered where there is room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinytrain.report.picture import figure_type

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tinytrain.pipeline.bench import Bench

NAMED = 9
"""Kinds of operators that have a colour; the rest are others."""
LEAST = 0.01
"""The share of a bar from which on a kind has one."""
NUMBERED = 0.025
"""Of the longest bar, a segment that has room for its operator's number."""
OTHERS, WHOLE = "0.8", "0.45"
"""Greys: of other operators, and of a bar that is not divided."""
BAR_INCHES, LINE_INCHES, MARGIN_INCHES = 0.32, 0.17, 0.75
"""Height of a bar, of a line of the legend, and of what a panel has beside them."""


@dataclass(frozen=True)
class Bar:
    """One inference. `operators`: instructions by operator, in order; none: the whole alone."""

    label: str
    instructions: int
    operators: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Panel:
    """The bars of one model, which share operators and a scale."""

    title: str
    bars: tuple[Bar, ...]


def cost_bar(found: Bench, label: str | None = None) -> Bar:
    """The bar of a target with a counter."""
    operators = ((f"{o.index} {o.name.lower()}", o.instructions or 0) for o in found.operators)
    return Bar(label or found.target, found.inference or 0, tuple(operators))


def draw_costs(panels: Sequence[Panel], path: Path) -> None:
    """Panels below each other, each with a legend of its biggest operators."""
    heights = [_inches(panel) for panel in panels]
    figure = figure_type()(figsize=(9.5, sum(heights)), dpi=120, layout="constrained")
    ratios = {"height_ratios": heights}
    rows = figure.subplots(len(panels), squeeze=False, gridspec_kw=ratios)
    colours = _colours(panels)
    for panel, (axes,) in zip(panels, rows, strict=True):
        _draw(axes, panel, colours)
    rows[-1][0].set_xlabel("instructions of one inference, millions")
    figure.savefig(path, format="png")


def kinds(panels: Sequence[Panel]) -> list[str]:
    """The kinds of operators that have a colour: those of the largest share of any bar first."""
    shares: dict[str, float] = {}
    for bar in (bar for panel in panels for bar in panel.bars):
        own: Counter[str] = Counter()
        for name, instructions in bar.operators:
            own[_kind(name)] += instructions
        for kind, instructions in own.items():
            share = instructions / max(bar.instructions, 1)
            shares[kind] = max(share, shares.get(kind, 0.0))
    ordered = sorted(shares, key=lambda kind: -shares[kind])
    return [kind for kind in ordered if shares[kind] >= LEAST][:NAMED]


def _kind(name: str) -> str:
    """Of an operator: what stands behind its number."""
    return name.partition(" ")[2]


def _inches(panel: Panel) -> float:
    lines = 1 + len(kinds([panel]))
    return MARGIN_INCHES + max(BAR_INCHES * len(panel.bars), LINE_INCHES * lines)


def _colours(panels: Sequence[Panel]) -> dict[str, str]:
    """By kind, but for the cycle's own grey: that is what others have."""
    cycle = (f"C{place}" for place in range(NAMED + 1) if place != GREY)
    return dict(zip(kinds(panels), cycle, strict=False))


def _draw(axes: Axes, panel: Panel, colours: Mapping[str, str]) -> None:
    room = NUMBERED * max(bar.instructions for bar in panel.bars) / 1e6
    shown: set[str] = set()
    for place, bar in enumerate(panel.bars):
        left = 0.0
        for name, instructions in bar.operators or (("", bar.instructions),):
            number, _, kind = name.partition(" ")
            label = kind if kind in colours else "others" if name else ""
            width = instructions / 1e6
            axes.barh(
                *(place, width, 0.75, left),
                color=colours.get(kind, OTHERS) if name else WHOLE,
                edgecolor="white",
                linewidth=0.4,
                label=label if label and label not in shown else None,
            )
            if width >= room:
                at = left + width / 2, place
                axes.text(*at, number, ha="center", va="center", fontsize=6, color="white")
            shown.add(label)
            left += width
        text = f" {bar.instructions / 1e6:,.2f}"
        axes.text(bar.instructions / 1e6, place, text, va="center", fontsize=8)
    axes.set_yticks(range(len(panel.bars)), [bar.label for bar in panel.bars], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_axisbelow(True)
    axes.grid(axis="x", alpha=0.3)
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_title(panel.title, fontsize=10, loc="left")
    _legend(axes)


def _legend(axes: Axes) -> None:
    """The kinds in order, then the others."""
    handles, names = axes.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda i: names[i] == "others")
    axes.legend(
        [handles[i] for i in order],
        [names[i] for i in order],
        fontsize=7,
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1, 1),
    )


GREY = 7
"""Of the ten colours of the cycle."""
