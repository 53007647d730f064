"""Pictures and tables of what devices learn from people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinytrain.report.picture import figure_type
from tinytrain.report.summary import conditions, people_text
from tinytrain.report.tables import table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tinytrain.adapt.comparison import Comparison, HeadResult

SPREAD = (10, 90)
"""Percentiles of the devices that a curve's shade spans."""


def comparison_title(found: Comparison, head: HeadResult | None = None) -> str:
    """Of a picture: whom and what it shows, in two lines; of one head, or of all."""
    devices = found.heads[0].devices
    people = len({device.person for device in devices})
    name = f"{head.head} {'with the' if head.guarded else 'without a'} guard, " if head else ""
    return (
        f"{people_text(people)} that training never saw, {len(devices) // people} streams each: "
        f"task {found.task}\n{name}{conditions(found)}"
    )


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
