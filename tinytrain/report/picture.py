"""Pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinytrain.errors import InputError
from tinytrain.report.summary import experiment_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinytrain.adapt.experiment import Experiment
    from tinytrain.pipeline.inspection import Inspection, Stretch
    from tinytrain.training.search import Search


def figure_type() -> type[Figure]:
    """Matplotlib's figure, which draws without a display."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("a picture needs matplotlib: pip install 'tinytrain[train]'") from error
    return Figure


def draw_learning(experiment: Experiment, path: Path, title: str | None = None) -> None:
    """Accuracy over samples seen: a line for each stream, a colour for each person, a thick
    line for the mean."""
    figure = figure_type()(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    curves, people = [user.curve for user in experiment.users], experiment.people
    for user in experiment.users:
        steps, accuracy = zip(*user.curve, strict=True)
        label = user.user if user.stream == 0 else None
        colour = f"C{people.index(user.user) % 10}"
        axes.plot(steps, [100 * a for a in accuracy], linewidth=1.2, label=label, color=colour)
    points = [step for step, _ in curves[0]]
    if len(curves) > 1:
        mean = [100 * sum(c[i][1] for c in curves) / len(curves) for i in range(len(points))]
        axes.plot(points, mean, color="black", linewidth=3, label="mean")
    low, high = axes.get_ylim()
    axes.set_ylim(max(0, min(low, 90)), min(100.5, max(high, 0)))
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("labelled samples presented to the device")
    axes.set_ylabel("accuracy on the person's other samples, %")
    axes.set_title(title or experiment_title(experiment), fontsize=10)
    axes.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside right upper")
    figure.savefig(path, format="png")


LABELLED = 0.04
"""Share of the arena from which on a box has room for its size."""


def draw_memory(inspection: Inspection, path: Path) -> None:
    """The arena over time: a box for each activation, from its writer to its last reader.

    Where an output overlaps its input, the border between them runs along the diagonal.
    """
    steps = len(inspection.operators)
    figure = figure_type()(figsize=(max(6.0, 0.45 * steps + 2), 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for index, stretch in enumerate(inspection.memory):
        # Rows of a tensor that is never whole are hatched.
        hatch = "//" if stretch.rows else None
        _draw_stretch(axes, outline(stretch, inspection.memory, steps), f"C{index % 10}", hatch)
        if stretch.bytes >= LABELLED * (inspection.arena or 0):
            _label_stretch(axes, stretch, steps)
    axes.set_xlim(-1, steps + 1)
    axes.set_ylim(0, inspection.arena)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    labels = [f"{row.index} {row.name.lower()}" for row in inspection.operators]
    axes.set_xticks([step + 0.5 for step in range(steps)], labels, rotation=60, ha="right")
    axes.set_ylabel("offset in the arena, bytes")
    axes.set_title(f"{inspection.name}: arena of {inspection.arena:,} bytes", fontsize=10)
    figure.savefig(path, format="png")


def _draw_stretch(
    axes: Axes, outline: list[tuple[float, float]], color: str, hatch: str | None
) -> None:
    from matplotlib.patches import Polygon

    axes.add_patch(Polygon(outline, facecolor=color, edgecolor="black", alpha=0.6, hatch=hatch))


def outline(stretch: Stretch, memory: Sequence[Stretch], steps: int) -> list[tuple[float, float]]:
    """A box; where an operator writes over its input, the border between the two rises."""
    bottom, top = stretch.offset, stretch.offset + stretch.bytes
    end = min(stretch.last, steps) + 1
    under = [s.offset for s in memory if s.last == stretch.first and _meet(s, stretch)]
    over = [s.offset + s.bytes for s in memory if s.first == stretch.last and _meet(s, stretch)]
    return [
        (stretch.first, bottom),
        (end - 1, bottom),
        (end, min(max([bottom, *over]), top)),
        (end, top),
        (stretch.first + 1, top),
        (stretch.first, max(min([top, *under]), bottom)),
    ]


def _meet(a: Stretch, b: Stretch) -> bool:
    return a is not b and a.offset < b.offset + b.bytes and b.offset < a.offset + a.bytes


def _label_stretch(axes: Axes, stretch: Stretch, steps: int) -> None:
    width = min(stretch.last, steps) - stretch.first + 1
    axes.text(
        stretch.first + width / 2,
        stretch.offset + stretch.bytes / 2,
        f"{stretch.bytes:,}",
        ha="center",
        va="center",
        fontsize=7,
    )


def draw_search(search: Search, path: Path) -> None:
    """Accuracy against multiply-accumulates, a point a candidate; darker is trained longer.

    The area of a point is its weights' share of flash.
    """
    figure = figure_type()(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    trained = [candidate for candidate in search.candidates if candidate.epochs]
    largest = max(candidate.cost.flash for candidate in trained)
    points = axes.scatter(
        [candidate.cost.macs for candidate in trained],
        [100 * candidate.accuracy for candidate in trained],
        s=[20 + 180 * candidate.cost.flash / largest for candidate in trained],
        c=[candidate.epochs for candidate in trained],
        cmap="viridis_r",
        edgecolors="black",
        linewidths=0.5,
    )
    best = search.best
    depth = f", blocks {best.blocks}" if best.blocks else ""
    axes.annotate(
        f"best: width {best.width:g}{depth}",
        (best.cost.macs, 100 * best.accuracy),
        xytext=(0, 12),
        textcoords="offset points",
        ha="center",
        fontsize=8,
    )
    axes.margins(0.15)
    if search.budget.macs:
        axes.axvline(search.budget.macs, color="black", linestyle=":", label="budget")
        axes.legend(fontsize=8)
    epochs = sorted({candidate.epochs for candidate in trained})
    figure.colorbar(points, ax=axes, label="epochs of the last training", ticks=epochs)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter("{x:,.0f}")
    axes.tick_params(axis="x", which="both", labelrotation=30)
    axes.set_xlabel("multiply-accumulates of an inference")
    axes.set_ylabel("accuracy on the validation people, %")
    axes.set_title(f"task {search.task}: sizes of {search.network}", fontsize=10)
    axes.grid(alpha=0.3)
    figure.savefig(path, format="png")
