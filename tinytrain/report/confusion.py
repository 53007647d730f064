"""The picture of what is taken for what: before learning, after it, and what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytrain.report.picture import figure_type

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tinytrain.adapt.confusion import Confusion

MOST_NAMES = 40
"""Classes whose names still fit beside a picture."""
MOST_NUMBERS = 14
"""Classes whose cells still have room for a number."""


def draw_confusion(
    before: Confusion, after: Confusion, names: Sequence[str], title: str, path: Path
) -> None:
    """Three panels, a row a true class; percent of the row's samples."""
    figure = figure_type()(figsize=(15, 5.2), dpi=120, layout="constrained")
    first, last = _percent(before), _percent(after)
    change = last - first
    most = max(1.0, float(np.abs(change).max()))
    panels = (
        ("before learning", first, "Blues", 0.0, 100.0, "% of the true class", "{:.0f}"),
        ("after learning", last, "Blues", 0.0, 100.0, "% of the true class", "{:.0f}"),
        ("after - before", change, "RdBu_r", -most, most, "points", "{:+.0f}"),
    )
    for place, (panel, values, colours, low, high, unit, form) in enumerate(panels):
        axes = figure.add_subplot(1, 3, place + 1)
        image = axes.imshow(values, vmin=low, vmax=high, cmap=colours)
        figure.colorbar(image, ax=axes, label=unit, shrink=0.7)
        axes.set_title(panel, fontsize=10)
        axes.set_xlabel("class given")
        axes.set_ylabel("true class")
        _name_classes(axes, names[: len(values)])
        _number_cells(axes, values, high, form)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, format="png")


def _percent(counts: Confusion) -> NDArray[Any]:
    """Of each row's sum; a class without samples has zeros."""
    shares = np.array(counts, np.float64)
    return 100 * shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)


def _name_classes(axes: Axes, names: Sequence[str]) -> None:
    if len(names) > MOST_NAMES:
        return
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)


def _number_cells(axes: Axes, values: NDArray[Any], largest: float, form: str) -> None:
    """Percent where it rounds to something; white on a dark cell."""
    if len(values) > MOST_NUMBERS:
        return
    for (row, column), value in np.ndenumerate(values):
        if round(abs(value)) > 0:
            colour = "white" if abs(value) > 0.6 * largest else "black"
            axes.text(
                column, row, form.format(value), ha="center", va="center", fontsize=7, color=colour
            )
