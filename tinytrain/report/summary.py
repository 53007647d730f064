"""The summary of a run, on one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinytrain.report.tables import table

if TYPE_CHECKING:
    from tinytrain.adapt.comparison import Comparison
    from tinytrain.adapt.experiment import Experiment
    from tinytrain.pipeline.runs import StageResult


LEARNING_FILES = (
    ("adapt.json", "what each person's device learned"),
    ("learning.png", "accuracy over samples seen"),
    ("confusion.png", "what is taken for what, before and after"),
)
LABELS = {"float": "float32", "pruned": "float32, pruned", "model": "int8, pruned"}


def summary_text(
    directory: Path,
    results: Sequence[StageResult],
    costs: Mapping[str, Any],
    experiment: Experiment | None,
    findings: int,
    recording: str = "",
) -> str:
    """`experiment`: None for an autoencoder, which learns nothing on the device. `costs`: the
    object of a run's results.json, with `verified`, `bench`, `optimize` and `ram`; `findings`: how
    many things looked wrong in the data. `recording`: what the project's stream listens to; empty
    without a front end.
    """
    parts = [
        *([_look(directory, findings)] if findings else []),
        _accuracy(results),
        *([users_text(experiment)] if experiment else []),
        _costs(costs),
        _proofs(costs["verified"]),
        _files(directory, learns=experiment is not None, recording=recording),
    ]
    return "\n\n".join(parts)


def _look(directory: Path, findings: int) -> str:
    what = "1 thing in the data deserves" if findings == 1 else f"{findings} things deserve"
    return f"{what} a look: {directory / 'checks.json'}"


def _accuracy(results: Sequence[StageResult]) -> str:
    rows: list[tuple[object, ...]]
    rows = [(LABELS[r.stage], r.macs, r.weight_bytes, r.mean, r.worst) for r in results]
    people, measure = len(results[0].accuracy), results[0].measure.capitalize()
    shared = results[0].accuracy.keys() & results[0].seen.keys()
    who = "samples" if shared else people_text(people)
    title = f"{measure} on {who} that training never saw"
    header: tuple[str, ...] = ("model", "MACs", "bytes as int8", "mean", "worst person")
    if people == 1:
        header, rows = (*header[:3], results[0].measure), [row[:4] for row in rows]
    # Notes of the int8 model say themselves what they are about.
    notes = [
        note if r.stage == "model" else f"{LABELS[r.stage]}: {note}"
        for r in results
        for note in r.notes
    ]
    return "\n".join([f"{title}\n{table(header, rows)}", *notes])


def people_text(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


_LOST = "points lost"


def groups_text(results: Sequence[StageResult]) -> str:
    """Every group's accuracy after every stage: those that training never saw, then the others."""
    rows: list[tuple[object, ...]] = []
    for kind in ("accuracy", "seen"):
        stages = [getattr(result, kind) for result in results]
        for name in stages[0]:
            figures = [stage[name] for stage in stages]
            unseen = "yes" if kind == "accuracy" else "no"
            lost = f"{100 * (figures[0] - figures[-1]):+{len(_LOST)}.1f}"
            rows.append((name, unseen, *figures, lost))
    header = ("group", "unseen", *(LABELS[r.stage] for r in results), _LOST)
    return f"{results[0].measure.capitalize()} of every group\n{table(header, rows)}"


def users_text(experiment: Experiment) -> str:
    """The table of the learning experiment."""
    fields = ("before", "after", "float_after", "rows_written")
    rows: list[tuple[object, ...]] = [
        (u.user, u.stream + 1, *(getattr(u, field) for field in fields)) for u in experiment.users
    ]
    if len(experiment.users) > 1:
        rows.append(("mean", None, *(experiment.mean(field) for field in fields)))
    header = ("person", "stream", "before", "after", "float32 head", "rows written")
    if experiment.streams == 1:
        header, rows = _without(1, header), [_without(1, row) for row in rows]
    first = experiment.users[0]
    title = (
        f"Learning on {experiment.target} from {first.windows_learned} samples "
        f"({first.steps} steps), accuracy on the rest"
    )
    return f"{title}\n{conditions(experiment)}\n{table(header, rows)}"


def _without(place: int, row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[:place] + row[place + 1 :]


def conditions(found: Experiment | Comparison) -> str:
    """What an experiment's figures rest on: head, stream, wrong labels, seed."""
    head = getattr(found, "head", "")
    return (
        f"{head + ', ' if head else ''}stream {found.order}, {100 * found.noise:.0f} % of the "
        f"labels wrong, seed {found.seed}"
    )


def experiment_title(experiment: Experiment) -> str:
    """Of a picture: whom and what it shows, in two lines."""
    people = people_text(len(experiment.people))
    many = f", {experiment.streams} streams each" if experiment.streams > 1 else ""
    return (
        f"{people} that training never saw{many}: task {experiment.task}, {experiment.target}\n"
        f"{conditions(experiment)}"
    )


def _costs(costs: Mapping[str, Any]) -> str:
    bench = costs["bench"]
    instructions, flash, ram = bench["instructions"], bench["flash"], bench["ram"]
    rows = [
        ("instructions, one inference", instructions["inference"]),
        ("instructions, one learning step (features given)", instructions["learn_step"]),
        ("flash, weights without folded biases (bytes)", flash["weights"]),
        ("flash, code and constants (bytes)", flash["firmware"]),
        ("RAM, arena (bytes)", ram["arena"]),
        ("RAM, learning head (bytes)", ram["head"]),
        ("RAM, peak stack (bytes)", ram["stack"]),
    ]
    # Only with statistics or a front end, and not in the figures of older runs.
    steps = [
        ("instructions, one step of the stream with a frame", instructions.get("frame_step")),
        ("instructions, one with a frame and an inference", instructions.get("inference_step")),
    ]
    some = [(f"RAM, {name} (bytes)", ram.get(name) or None) for name in ("statistics", "stream")]
    complete = all(value is not None for _, value in rows)
    rows = [*rows[:2], *steps, *rows[2:-1], *some, rows[-1]]
    known = [row for row in rows if row[1] is not None]
    counter = "instructions and flash are known on cortex-m targets only"
    lines = [f"Cost\n{table(('figure', bench['target']), known)}"]
    lines += [] if complete else [counter]
    # Not in the figures of older runs.
    return "\n".join([*lines, _choices(costs)] if "optimize" in costs else lines)


def _choices(costs: Mapping[str, Any]) -> str:
    ram = "no --ram" if costs["ram"] is None else f"--ram {costs['ram']}"
    return f"C project: kernels by --optimize {costs['optimize']}, {ram}"


def _proofs(verified: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for proof in verified:
        counts = ", ".join(
            f"{check['compared']:,} {check['unit']}" for check in proof["checks"][:3]
        )
        lines.append(f"{proof['target']}: 0 differing bits in {counts}")
    return "Device against emulator\n" + "\n".join(lines)


def _files(directory: Path, *, learns: bool, recording: str) -> str:
    files = [
        ("project", "the C project: make TARGET=cortex-m4"),
        ("model.tflite", "the int8 model"),
        *(LEARNING_FILES if learns else ()),
        ("groups.txt", "every group after every stage"),
        ("summary.txt", "this text"),
    ]
    width = max(len(str(directory / name)) for name, _ in files)
    lines = [f"{directory / name!s:<{width}}  {what}" for name, what in files]
    if recording:
        lines.append(f"tinytrain stream {directory / 'project'} {recording}")
    return "\n".join(["Files", *lines])
