"""Pictures and tables of what devices learn from people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinytrain.report.picture import figure_type
from tinytrain.report.tables import table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tinytrain.adapt.comparison import Comparison, HeadResult
    from tinytrain.adapt.confusion import Confusion

SPREAD = (10, 90)
"""Percentiles of the devices that a curve's shade spans."""
MOST_NAMES = 40
"""Classes whose names still fit beside a picture."""


def comparison_text(found: Comparison) -> str:
    """A row a head, and which one to take."""
    rows = [
        (
            head.head,
            head.guarded,
            head.mean("before"),
            head.mean("after"),
            100 * head.gain,
            100 * head.worst,
            100 * head.gainers,
            100 * head.losers,
            100 * head.mean("rows_written"),
            head.ram or None,
        )
        for head in found.heads
    ]
    header = ("head", "guard", "before", "after", "points", "worst", "gain, %", "lose, %",
              "rows written, %", "RAM B")  # fmt: skip
    devices = len(found.heads[0].devices)
    people = len({device.person for device in found.heads[0].devices})
    title = (
        f"{devices} devices of {people} people that training never saw, streams {found.order}, "
        f"{100 * found.noise:.0f} % of the labels wrong; more than a point is a gain or a loss"
    )
    return f"{title}\n{table(header, rows)}\n{_advice(found)}"


def _advice(found: Comparison) -> str:
    chosen = found.recommended
    if chosen is None:
        return "recommended: none learns anything here; keep the factory head"
    return (
        f"recommended: {chosen.head} with the guard: {chosen.mean('before'):.3f} to "
        f"{chosen.mean('after'):.3f}, {100 * chosen.losers:.0f} % of the devices lose more than a "
        f"point, {chosen.ram:,} bytes of RAM"
    )


def draw_comparison(found: Comparison, path: Path) -> None:
    """Accuracy over samples: each head without the guard and with it, the mean of the devices and
    their spread."""
    figure = figure_type()(figsize=(11, 4.5), dpi=120, layout="constrained")
    names = list(dict.fromkeys(head.head for head in found.heads))
    for place, guarded in enumerate((False, True)):
        axes = figure.add_subplot(1, 2, place + 1)
        for head in found.heads:
            if head.guarded == guarded:
                _draw_head(axes, head, f"C{names.index(head.head)}")
        axes.set_title("with the guard" if guarded else "without a guard", fontsize=10)
        axes.set_xlabel("share of the stream given to the device, %")
        axes.set_ylabel("accuracy on the person's other samples, %")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.suptitle(f"task {found.task}, streams {found.order}; shaded: 10 to 90 % of the devices")
    figure.savefig(path, format="png")


def _draw_head(axes: Axes, head: HeadResult, colour: str) -> None:
    shares = np.linspace(0, 100, 21)
    curves = np.array(
        [
            np.interp(
                shares, [100 * step / curve[-1][0] for step, _ in curve], [a for _, a in curve]
            )
            for curve in (device.curve for device in head.devices)
        ]
    )
    low, high = np.percentile(100 * curves, SPREAD, axis=0)
    axes.fill_between(shares, low, high, color=colour, alpha=0.12, linewidth=0)
    # Where only the ends are known, the line between them is no measurement.
    style = "--" if len(head.devices[0].curve) == 2 else "-"
    axes.plot(shares, 100 * curves.mean(axis=0), style, color=colour, linewidth=2, label=head.head)


def draw_confusion(before: Confusion, after: Confusion, names: Sequence[str], path: Path) -> None:
    """Which classes are taken for which, before learning and after it."""
    figure = figure_type()(figsize=(11, 5.2), dpi=120, layout="constrained")
    for place, (title, counts) in enumerate((("before", before), ("after", after))):
        axes = figure.add_subplot(1, 2, place + 1)
        shares = np.array(counts, np.float64)
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        axes.set_title(f"{title} learning", fontsize=10)
        axes.set_xlabel("class given")
        axes.set_ylabel("true class")
        if len(names) <= MOST_NAMES:
            axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
            axes.set_yticks(range(len(names)), names, fontsize=7)
    figure.savefig(path, format="png")
