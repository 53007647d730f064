"""The summary of a run, on one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinytrain.report.tables import table

if TYPE_CHECKING:
    from tinytrain.adapt.experiment import Experiment
    from tinytrain.pipeline.runs import StageResult


LABELS = {"float": "float32", "pruned": "float32, pruned", "model": "int8, pruned"}


def summary_text(
    directory: Path,
    results: Sequence[StageResult],
    costs: Mapping[str, Any],
    experiment: Experiment,
    findings: int,
) -> str:
    """`costs`: the object of a run's results.json, with `verified` and `bench`; `findings`: how
    many things looked wrong in the data.
    """
    parts = [
        *([f"{findings} things in the data deserve a look: checks.json"] if findings else []),
        _accuracy(results),
        users_text(experiment),
        _costs(costs["bench"]),
        _proofs(costs["verified"]),
        _files(directory),
    ]
    return "\n\n".join(parts)


def _accuracy(results: Sequence[StageResult]) -> str:
    rows = [(LABELS[r.stage], r.macs, r.weight_bytes, r.mean, r.worst) for r in results]
    title = f"Accuracy on {_people(len(results[0].accuracy))} that training never saw"
    header = ("model", "MACs", "weight bytes", "mean", "worst person")
    notes = [f"{LABELS[r.stage]}: {note}" for r in results for note in r.notes]
    return "\n".join([f"{title}\n{table(header, rows)}", *notes])


def _people(count: int) -> str:
    return "1 group" if count == 1 else f"{count} people"


def groups_text(results: Sequence[StageResult]) -> str:
    """Every group's accuracy after every stage: those that training never saw, then the others."""
    rows: list[tuple[object, ...]] = []
    for kind in ("accuracy", "seen"):
        stages = [getattr(result, kind) for result in results]
        for name in stages[0]:
            figures = [stage[name] for stage in stages]
            unseen = "no" if kind == "accuracy" else "yes"
            rows.append((name, unseen, *figures, 100 * (figures[0] - figures[-1])))
    header = ("group", "in training", *(LABELS[r.stage] for r in results), "points lost")
    return f"Accuracy of every group\n{table(header, rows)}"


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
        ("groups.txt", "every group's accuracy after every stage"),
        ("summary.txt", "this text"),
    )
    return "Files\n" + "\n".join(f"{directory / name}  {what}" for name, what in files)
