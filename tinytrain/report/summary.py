"""The summary of a run, on one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinytrain.report.tables import table

if TYPE_CHECKING:
    from tinytrain.adapt.experiment import Experiment
    from tinytrain.pipeline.stages import StageResult


def summary_text(
    directory: Path,
    results: Sequence[StageResult],
    costs: Mapping[str, Any],
    experiment: Experiment,
) -> str:
    """`costs`: the object of a run's results.json, with `verified` and `bench`."""
    parts = [
        _accuracy(results),
        users_text(experiment),
        _costs(costs["bench"]),
        _proofs(costs["verified"]),
        _files(directory),
    ]
    return "\n\n".join(parts)


def _accuracy(results: Sequence[StageResult]) -> str:
    labels = {"float": "float32", "pruned": "float32, pruned", "model": "int8, pruned"}
    rows = [(labels[r.stage], r.macs, r.mean, r.worst) for r in results]
    title = f"Accuracy on {len(results[0].accuracy)} people that training never saw"
    return f"{title}\n{table(('model', 'MACs', 'mean', 'worst person'), rows)}"


def users_text(experiment: Experiment) -> str:
    """The table of the learning experiment."""
    rows: list[tuple[object, ...]] = [
        (u.user, u.before, u.after, u.float_after, u.rows_written) for u in experiment.users
    ]
    fields = ("before", "after", "float_after", "rows_written")
    rows.append(("mean", *(experiment.mean(field) for field in fields)))
    first = experiment.users[0]
    title = (
        f"Learning on {experiment.target} from {first.windows_learned} windows "
        f"({first.steps} steps), accuracy on the rest"
    )
    header = ("person", "before", "after", "float32 head", "rows written")
    return f"{title}\n{table(header, rows)}"


def _costs(bench: Mapping[str, Any]) -> str:
    instructions, flash, ram = bench["instructions"], bench["flash"], bench["ram"]
    rows = [
        ("instructions, one inference", instructions["inference"]),
        ("instructions, one learning step (features given)", instructions["learn_step"]),
        ("flash, weights (bytes)", flash["weights"]),
        ("flash, code and constants (bytes)", flash["firmware"]),
        ("RAM, arena (bytes)", ram["arena"]),
        ("RAM, learning head (bytes)", ram["head"]),
        ("RAM, peak stack (bytes)", ram["stack"]),
    ]
    return f"Cost\n{table(('figure', bench['target']), rows)}"


def _proofs(verified: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for proof in verified:
        counts = ", ".join(
            f"{check['compared']:,} {check['unit']}" for check in proof["checks"][:3]
        )
        lines.append(f"{proof['target']}: 0 differing bits in {counts}")
    return "Device against emulator\n" + "\n".join(lines)


def _files(directory: Path) -> str:
    files = (
        ("project/", "the C project: make TARGET=cortex-m4"),
        ("model.tflite", "the int8 model"),
        ("learning.png", "accuracy over samples seen"),
        ("summary.txt", "this text"),
    )
    return "Files\n" + "\n".join(f"{directory / name}  {what}" for name, what in files)
