"""Streams as tables and pictures: what was heard, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinytrain.report.picture import figure_type
from tinytrain.report.tables import table

if TYPE_CHECKING:
    from tinytrain.adapt.detection import Counted
    from tinytrain.adapt.smoothing import Trial
    from tinytrain.pipeline.streaming import StreamResult, StreamRun

_FEWEST_LABELLED = 0.2
"""The largest probability from which on a class has a line of its own in the legend."""


def stream_text(run: StreamRun) -> str:
    """A row a detection, a row a file, and what was compared."""
    found = [
        (result.file, detection.seconds, str(detection.label), detection.probability)
        for result in run.results
        for detection in result.detections
    ]
    parts = [table(("file", "s", "class", "probability"), found)] if found else ["no detections"]
    parts.append(
        table(
            ("file", "s", "frames", "inferences", "detections", "lost", "clipped"),
            [(result.file, result.seconds, *_counted(result)) for result in run.results],
        )
    )
    if run.compared is not None:
        parts.append(f"{run.target}: {run.compared:,} frames and all that follows: same bits")
    return "\n\n".join(parts)


def _counted(result: StreamResult) -> tuple[int, ...]:
    counters = result.counters
    return (counters.frames, counters.inferences, counters.detections, counters.lost,
            counters.clipped)  # fmt: skip


def draw_stream(result: StreamResult, path: Path) -> None:
    """Features over time, smoothed probabilities below, detections as lines through both."""
    figure = figure_type()(figsize=(10, 5), dpi=120, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    end = max(result.seconds, float(result.frame_seconds[-1]) if len(result.features) else 0.0)
    if len(result.features):
        above.imshow(
            result.features.T, origin="lower", aspect="auto", cmap="magma", vmin=-128, vmax=127,
            extent=(0, float(result.frame_seconds[-1]), -0.5, result.features.shape[1] - 0.5),
        )  # fmt: skip
    above.set_ylabel("feature")
    above.set_title(f"{Path(result.file).name}: {len(result.detections)} detections", fontsize=10)
    for label in range(result.means.shape[1]):
        mean = result.means[:, label]
        named = mean.max(initial=0) >= _FEWEST_LABELLED
        below.plot(
            result.inference_seconds, mean, linewidth=1.2, color=f"C{label % 10}",
            label=f"class {label}" if named else None,
        )  # fmt: skip
    below.axhline(result.threshold, color="gray", linestyle=":", linewidth=1)
    for found in result.detections:
        for axes in (above, below):
            axes.axvline(found.seconds, color=f"C{found.label % 10}", linestyle="--", linewidth=1)
    below.set_xlim(0, end)
    below.set_ylim(0, 1.02)
    below.set_xlabel("s")
    below.set_ylabel("smoothed probability")
    if below.get_legend_handles_labels()[0]:
        figure.legend(fontsize=8, loc="outside right upper")
    figure.savefig(path, format="png")


def detection_text(counted: Sequence[Counted], chosen: Counted | None = None) -> str:
    """A row a threshold; the chosen one is marked."""
    rows = [
        (
            one.threshold / (1 << 15),
            one.false_accepts_an_hour,
            100 * one.miss_rate,
            one.delay,
            "<-" if chosen is not None and one.threshold == chosen.threshold else "",
        )
        for one in counted
    ]
    return table(("threshold", "false accepts/h", "missed %", "delay s", ""), rows)


def trials_text(trials: Sequence[Trial]) -> str:
    """A row a smoother: chosen on validation people, counted on unseen ones."""
    rows = [(one.limit, one.average, one.refractory_ms, *_found(one)) for one in trials]
    header = ("allowed/h", "average", "refractory ms", "threshold", "chosen at: missed %",
              "false accepts/h", "unseen: missed %", "false accepts/h", "at most (95 %)",
              "delay s")  # fmt: skip
    return table(header, rows)


def kinds_text(kinds: Mapping[str, Counted]) -> str:
    """A row a kind of stream."""
    rows = [
        (kind, one.hours, one.events, 100 * one.miss_rate if one.events else None,
         one.delay, one.false_accepts, one.false_accepts_an_hour, one.most_an_hour)
        for kind, one in kinds.items()
    ]  # fmt: skip
    header = ("stream", "hours", "keywords", "missed %", "delay s", "false accepts", "an hour",
              "at most (95 %)")  # fmt: skip
    return table(header, rows)


def choice_text(
    trials: Sequence[Trial], present: Mapping[str, Counted], chosen: Trial | None, limit: float
) -> str:
    """All trials, what the present settings bring, and of the chosen one what was counted and the
    lines of a task's [frontend].
    """
    parts = [
        trials_text(trials),
        f"with the present settings, on unseen people:\n{kinds_text(present)}",
    ]
    if chosen is None or chosen.chosen is None:
        parts.append(
            f"no smoother keeps to {limit:g} false accepts an hour: allow more, or train with a "
            "background (data.background = 1.0)"
        )
    else:
        parts += [
            f"missing least within {limit:g} an hour, on unseen people:\n"
            f"{kinds_text(chosen.kinds)}",
            "[frontend]\n"
            f"average = {chosen.average}\n"
            f"threshold = {chosen.chosen.threshold / (1 << 15):.5f}\n"
            f"refractory_ms = {chosen.refractory_ms}",
        ]
    return "\n\n".join(parts)


def _found(trial: Trial) -> tuple[float | None, ...]:
    chosen, measured = trial.chosen, trial.measured
    if chosen is None or measured is None:
        return (None,) * 7
    return (
        chosen.threshold / (1 << 15),
        100 * chosen.miss_rate,
        chosen.false_accepts_an_hour,
        100 * measured.miss_rate,
        measured.false_accepts_an_hour,
        measured.most_an_hour,
        measured.delay,
    )


def draw_detection(
    curves: Mapping[str, Sequence[Counted]], path: Path, chosen: int | None = None
) -> None:
    """Misses over false accepts an hour, a curve for each name; `chosen`: a threshold, Q15."""
    figure = figure_type()(figsize=(6, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for number, (name, counted) in enumerate(curves.items()):
        x = [one.false_accepts_an_hour for one in counted]
        y = [100 * one.miss_rate for one in counted]
        axes.plot(x, y, marker=".", color=f"C{number % 10}", label=name)
        for one in counted:
            if one.threshold == chosen:
                axes.plot(
                    one.false_accepts_an_hour, 100 * one.miss_rate, "o",
                    color=f"C{number % 10}", markersize=9, fillstyle="none",
                )  # fmt: skip
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=0)
    axes.set_ylim(-2, 102)
    axes.set_xlabel("false accepts an hour")
    axes.set_ylabel("keywords missed, %")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, format="png")
