"""Pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinytrain.adapt.experiment import Experiment


def draw_learning(experiment: Experiment, path: Path) -> None:
    """Accuracy over samples seen, a line for each user and a thick one for their mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    curves = [user.curve for user in experiment.users]
    for user in experiment.users:
        steps, accuracy = zip(*user.curve, strict=True)
        axes.plot(steps, [100 * a for a in accuracy], linewidth=1.2, label=user.user)
    points = [step for step, _ in curves[0]]
    mean = [100 * sum(c[i][1] for c in curves) / len(curves) for i in range(len(points))]
    axes.plot(points, mean, color="black", linewidth=3, label="mean")
    axes.set_xlabel("labelled samples presented to the device")
    axes.set_ylabel("accuracy on the user's other windows, %")
    axes.set_title(
        f"People that training never saw: int8 learning, task {experiment.task}, "
        f"target {experiment.target}",
        fontsize=10,
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, format="png")
