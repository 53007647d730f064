"""Tables and the picture of heads beside each other: what each makes of the same people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytrain.report.picture import figure_type
from tinytrain.report.summary import conditions, people_text
from tinytrain.report.tables import percent, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tinytrain.adapt.comparison import Comparison, HeadResult

SPREAD = (10, 90)
"""Percentiles of the devices that a curve's bar spans."""
SHARES = np.linspace(0, 100, 21)
"""Of a stream, where curves of different lengths are averaged, %."""
COLOURS = {False: "C1", True: "C0"}
"""Of a head without the guard and with it."""
COLUMNS = 3
"""Panels beside each other."""


def comparison_text(found: Comparison) -> str:
    """A row a head, a row a person, and which head to take, as a table of a task file."""
    devices = found.heads[0].devices
    people = len(found.heads[0].people)
    title = (
        f"{len(devices)} devices of {people_text(people)} that training never saw; "
        f"{conditions(found)}; more than a point is a gain or a loss"
    )
    heads = f"{title}\n{_heads_table(found.heads)}{_own_settings(found)}"
    return "\n\n".join([heads, _people_tables(found), _advice(found)])


def _own_settings(found: Comparison) -> str:
    """What the task's own row learns by."""
    if found.own is None:
        return ""
    return f"\n{found.own.head}: {', '.join(_toml_lines(found.own.settings))}"


def _heads_table(heads: Sequence[HeadResult]) -> str:
    rows = [
        (
            head.head,
            head.guarded,
            head.mean("before"),
            head.mean("after"),
            f"{100 * head.gain:+9.1f}",
            f"{100 * head.worst:+19.1f}",
            percent(head.gainers),
            percent(head.losers),
            percent(head.rows_written),
            head.ram or None,
        )
        for head in heads
    ]
    header = ("head", "guard", "before", "after", "mean gain", "worst device's gain", "gain, %",
              "lose, %", "rows written, %", "RAM B")  # fmt: skip
    return table(header, rows)


def _people_tables(found: Comparison) -> str:
    """Who gains by which head and who loses: with the guard, and without."""
    tables = []
    for guarded in (True, False):
        heads = [head for head in found.heads if head.guarded == guarded]
        if heads:
            word = "with the" if guarded else "without a"
            tables.append(f"Accuracy of each person, %, {word} guard\n{_people_table(heads)}")
    return "\n\n".join(tables)


def _people_table(heads: Sequence[HeadResult]) -> str:
    rows = [
        (person, *(_change(*head.people[person]) for head in heads)) for person in heads[0].people
    ]
    return table(("person", *(head.head for head in heads)), rows)


def _change(before: float, after: float) -> str:
    return f"{100 * before:.0f} -> {100 * after:.0f}"


def _advice(found: Comparison) -> str:
    chosen = found.recommended
    if chosen is None:
        return "recommended: none learns anything here; keep the factory head"
    has_it = found.own is not None and dict(found.own.settings) == dict(chosen.settings)
    what = "the task has this already" if has_it else "in task.toml, then run it again"
    return (
        f"recommended: {chosen.head} with the guard: {chosen.mean('before'):.3f} to "
        f"{chosen.mean('after'):.3f}, {100 * chosen.losers:.0f} % of the devices lose more than a "
        f"point, {chosen.ram:,} bytes of RAM; {what}:\n\n{learner_toml(chosen.settings)}"
    )


def learner_toml(settings: Mapping[str, object]) -> str:
    """The table [learner] of a task file."""
    return "\n".join(["[learner]", *_toml_lines(settings)])


def _toml_lines(settings: Mapping[str, object]) -> list[str]:
    return [f"{name} = {_toml(value)}" for name, value in settings.items()]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def comparison_title(found: Comparison, head: HeadResult | None = None) -> str:
    """Of a picture: whom and what it shows, in two lines; of one head, or of all."""
    devices, people = len(found.heads[0].devices), len(found.heads[0].people)
    name = f"{head.head} {'with the' if head.guarded else 'without a'} guard, " if head else ""
    return (
        f"{people_text(people)} that training never saw, {devices // people} streams each: "
        f"task {found.task}\n{name}{conditions(found)}"
    )


def draw_comparison(found: Comparison, path: Path) -> None:
    """Accuracy over samples, a panel a head: the mean of the devices without the guard and with
    it, their spread at the end, and float32 SGD in grey to compare with."""
    names = list(dict.fromkeys(head.head for head in found.heads if head.ram))
    reference = [head for head in found.heads if not head.ram]
    rows = -(-len(names) // COLUMNS)
    figure = figure_type()(figsize=(11, 0.8 + 3.3 * rows), dpi=120, layout="constrained")
    grid = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    places = grid.flatten()
    for name, axes in zip(names, places, strict=False):
        for head in reference:
            axes.plot(SHARES, _mean_curve(head), "--", color="grey", linewidth=1, label=head.head)
        for head in found.heads:
            if head.head == name:
                _draw_head(axes, head)
        axes.set_title(name, fontsize=10)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left")
    for axes in places[len(names) :]:
        axes.set_axis_off()
    for axes in places[max(len(names) - COLUMNS, 0) : len(names)]:
        axes.tick_params(labelbottom=True)
    figure.supxlabel("share of the stream given to the device, %", fontsize=10)
    figure.supylabel("accuracy on the person's other samples, %", fontsize=10)
    low, high = SPREAD
    figure.suptitle(
        f"{comparison_title(found)}; bars: {low} to {high} % of the devices", fontsize=11
    )
    figure.savefig(path, format="png")


def _draw_head(axes: Axes, head: HeadResult) -> None:
    """The mean curve, and beside its end what the devices span."""
    colour = COLOURS[head.guarded]
    mean = _mean_curve(head)
    ends = [100 * device.after for device in head.devices]
    low, high = np.percentile(ends, SPREAD)
    label = "with the guard" if head.guarded else "without a guard"
    axes.plot(SHARES, mean, color=colour, linewidth=2, label=label)
    place = 103 + 3 * head.guarded
    axes.plot([place, place], [low, high], color=colour, linewidth=1.2)
    axes.plot([place], [mean[-1]], "o", color=colour, markersize=4)


def _mean_curve(head: HeadResult) -> NDArray[Any]:
    """(shares,) accuracy in %, the mean of the devices."""
    curves = [
        np.interp(SHARES, [100 * step / curve[-1][0] for step, _ in curve], [a for _, a in curve])
        for curve in (device.curve for device in head.devices)
    ]
    mean: NDArray[Any] = 100 * np.mean(curves, axis=0)
    return mean
