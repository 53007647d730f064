"""Results as text tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinytrain.pipeline.bench import Bench
    from tinytrain.pipeline.inspection import Inspection, OperatorRow
    from tinytrain.pipeline.layers import LayerRow
    from tinytrain.pipeline.tasks import TaskCheck
    from tinytrain.pipeline.use import Learned
    from tinytrain.pipeline.verify import Verification
    from tinytrain.training.search import Search

_MOST_FINDINGS = 10
"""Of one kind, that are printed."""
_MOST_COLUMNS = 12
"""Classes that a table of people and classes still shows one by one."""


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns aligned: text to the left, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    numeric = [
        all(isinstance(row[i], int | float) or row[i] is None for row in rows)
        for i in range(len(header))
    ]

    def line(row: Sequence[str]) -> str:
        aligned = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(header), line(["-" * width for width in widths]), *map(line, cells)])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def percent(share: float | None) -> int | None:
    """A share in whole percents."""
    return None if share is None else round(100 * share)


def inspection_text(inspection: Inspection) -> str:
    refusals = [f"cannot be converted: {refusal}" for refusal in inspection.refusals]
    if inspection.of_file:
        return "\n".join([inspection.name, _nodes_table(inspection), NOT_JUDGED, *refusals])
    arena = "-" if inspection.arena is None else f"{inspection.arena:,} bytes"
    figures = f"arena {arena}; {inspection.macs:,} MACs; {inspection.weights:,} bytes of weights"
    chains = [chain_text(c.first, c.last, c.rows) for c in inspection.chains]
    parts = [inspection.name, _operators_table(inspection), figures, *chains, *refusals]
    return "\n".join(parts)


def chain_text(first: int, last: int, rows: int) -> str:
    """What runs row by row."""
    at_once = "a row" if rows == 1 else f"{rows} rows"
    return f"operators {first} to {last} run row by row, {at_once} at a time"


def kernels_text(inspection: Inspection) -> str:
    """The C kernel of each operator, and why it is that one; with the index of its output."""
    rows = [
        (row.index, row.name, row.tensor, row.kernel, row.reason) for row in inspection.operators
    ]
    return table(("#", "operator", "tensor", "kernel", "why"), rows)


SUPPORTED = {True: "yes", False: "no", None: "?"}
"""Of an operator; None where it could not be looked at."""

NOT_JUDGED = "?: reads what a node before it does not give"


def _nodes_table(inspection: Inspection) -> str:
    rows = [
        (
            row.index,
            row.name,
            shortened(", ".join(row.inputs)),
            shortened(row.output),
            _shape(row),
            SUPPORTED[row.supported],
        )
        for row in inspection.operators
    ]
    return table(("#", "node", "reads", "writes", "shape", "supported"), rows)


def _operators_table(inspection: Inspection) -> str:
    rows = [
        (
            row.index,
            row.name,
            _shape(row),
            row.macs,
            row.weights,
            row.ram,
            SUPPORTED[row.supported],
        )
        for row in inspection.operators
    ]
    header = ("#", "operator", "output", "MACs", "weights B", "RAM B", "supported")
    return table(header, rows)


def _shape(row: OperatorRow) -> str:
    return "?" if row.shape is None else "x".join(map(str, row.shape))


def memory_text(inspection: Inspection) -> str:
    """What lies where in the arena, and between which operators."""
    end = len(inspection.operators)
    rows = [
        (
            s.offset,
            s.bytes,
            "input" if s.first < 0 else f"{s.first}",
            "output" if s.last >= end else f"{s.last}",
            shortened(s.tensor) + (f", {s.rows} rows" if s.rows else ""),
        )
        for s in inspection.memory
    ]
    text = table(("offset", "bytes", "from", "until", "tensor"), rows)
    return f"{text}\n{SHARED}"


SHARED = (
    "where tensors overlap, one is read until the operator that another is from: it writes behind "
    "what it has read"
)


def bench_text(bench: Bench) -> str:
    """Operators, where they are counted, and figures; then what could not be told, and why."""
    known = [row for row in _bench_figures(bench) if row[1] is not None]
    figures = table(("figure", bench.target), known)
    if bench.inference is None:
        return f"{figures}\n{bench.target} has no instruction counter; cortex-m targets have one"
    parts = [f"{bench.target}\n{_bench_operators(bench)}\n{ALONE}", figures]
    if bench.note:
        parts[-1] += f"\n{bench.note}"
    return "\n\n".join(parts)


ALONE = "An operator measured alone counts the call as well, about 20 instructions."


def _bench_operators(bench: Bench) -> str:
    whole = bench.inference or 1
    rows: list[tuple[object, ...]] = [
        (
            o.index,
            o.name,
            o.kernel,
            o.macs or None,
            o.instructions,
            o.per_mac,
            o.cycles,
            percent(None if o.instructions is None else o.instructions / whole),
        )
        for o in bench.operators
    ]
    per_mac = whole / bench.macs if bench.macs else None
    rows.append((None, "all", "", bench.macs, bench.inference, per_mac, bench.cycles, 100))
    header = ("#", "operator", "kernel", "MACs", "instructions", "a MAC", "M4 cycles", "share, %")
    return table(header, rows)


def _bench_figures(bench: Bench) -> list[tuple[str, int | None]]:
    flash = bench.flash
    figures: list[tuple[str, int | None]] = [
        ("instructions, one inference", bench.inference),
        ("modelled cycles, one inference", bench.cycles),
        ("instructions, one learning step (features given)", bench.learn_step),
        ("instructions, one step of the stream with a frame", bench.frame_step),
        ("instructions, one with a frame and an inference", bench.inference_step),
    ]
    if flash is not None:
        figures += [
            ("flash: text, bytes", flash.text),
            ("flash: rodata, bytes", flash.rodata),
            ("flash: data, bytes", flash.data),
            *((f"flash, of it {name}, bytes", size) for name, size in flash.named.items() if size),
            ("flash: runtime of inference alone, without weights, bytes", flash.runtime),
            ("flash: firmware without weights and port, bytes", flash.firmware),
        ]
    return [
        *figures,
        ("RAM: arena, bytes", bench.arena),
        ("RAM: learning head, bytes", bench.head),
        ("RAM: statistics, bytes", bench.statistics or None),
        ("RAM: stream, bytes", bench.stream or None),
        ("RAM: peak stack, scratch of kernels included, bytes", bench.stack),
    ]


OUTCOMES = {
    "learned": "learned",
    "confident": "confident (known well enough)",
    "held": "held to judge by",
    "aside": "put aside (label hard to believe)",
    "budget": "over the day's budget",
    "patience": "passed over (learning has stopped)",
}
ANSWERING = {
    "factory": "the factory head",
    "active": "what was learned and judged better",
    "candidate": "what was learned",
}


def learned_text(found: Learned) -> str:
    """What became of a stream, in one line."""
    counts = ", ".join(f"{count} {OUTCOMES[name]}" for name, count in found.outcomes.items())
    asked = f"; {found.right} of {found.asked} predicted right before learning"
    answers = f"at the end {ANSWERING[found.answering]} answers"
    return f"{counts}{asked if found.asked else ''}; {answers}"


NAME_WIDTH = 40


def shortened(name: str) -> str:
    """A tensor's name in a table: converters join the names of everything that they fuse."""
    return name if len(name) <= NAME_WIDTH else name[: NAME_WIDTH - 3] + "..."


def layers_text(rows: Sequence[LayerRow]) -> str:
    """A row an operator, the first that differs marked."""
    first = next((row.index for row in rows if row.differing), None)
    marks = ["<- first" if row.index == first else "" for row in rows]
    cells = [
        (row.index, row.name, row.kernel, shortened(row.output), row.samples, row.differing, mark)
        for row, mark in zip(rows, marks, strict=True)
    ]
    header = ("#", "operator", "kernel", "output", "samples", "differing", "")
    return table(header, cells)


def verification_text(found: Verification) -> str:
    lines = [f"{found.target} against the emulator, on {found.origin}:"]
    for check in found.checks:
        result = "all bits equal" if check.difference is None else f"DIFFERS: {check.difference}"
        lines.append(f"  {check.name}: {check.compared:,} {check.unit}, {result}")
    return "\n".join(lines)


def task_check_text(found: TaskCheck) -> str:
    """How many samples each person has of each class, and what the checks found."""
    names = found.label_names
    if len(names) <= _MOST_COLUMNS:
        header = ("", "samples", *names)
        rows = [
            (who, sum(row), *row) for who, row in zip(found.group_names, found.counts, strict=True)
        ]
    else:
        header = ("", "samples", "classes", "fewest a class", "most a class")
        rows = [
            (who, sum(row), sum(map(bool, row)), min(row), max(row))
            for who, row in zip(found.group_names, found.counts, strict=True)
        ]
    shape = " x ".join(map(str, found.shape))
    lines = [
        f"{found.task}: {sum(map(sum, found.counts)):,} samples of {shape}, {len(names)} classes",
        f"train {found.train:,}, validation {found.validation:,}, unseen {found.unseen:,} "
        f"({', '.join(found.unseen_people)})",
        "",
        table(header, rows),
        "",
    ]
    shown: Counter[str] = Counter()
    for finding in found.findings:
        shown[finding.kind] += 1
        if shown[finding.kind] > _MOST_FINDINGS:
            continue
        advice = f"; {finding.advice}" if finding.advice else ""
        lines.append(
            f"{finding.severity}: {finding.kind}: {finding.where}: {finding.message}{advice}"
        )
    hidden = {kind: count - _MOST_FINDINGS for kind, count in shown.items()}
    for kind, count in hidden.items():
        if count > 0:
            lines.append(f"{kind}: {count} more like these; --out checks.json lists all of them")
    return "\n".join(lines if found.findings else [*lines, "nothing looks wrong"])


def search_text(search: Search) -> str:
    """A row a candidate, by cost; what never fitted has no accuracy."""
    rows = [
        (
            c.width,
            c.blocks or None,
            c.cost.flash,
            c.cost.ram,
            c.cost.macs,
            c.epochs or None,
            c.accuracy if c.epochs else None,
            "<- best" if c == search.best else "" if c.fits else "beyond the budget",
        )
        for c in search.candidates
    ]
    limits = search.budget
    asked = (("flash", limits.flash), ("RAM", limits.ram), ("MACs", limits.macs))
    budget = ", ".join(f"{name} {limit:,}" for name, limit in asked if limit) or "no limit"
    header = ("width", "blocks", "weights B", "arena B", "MACs", "epochs", "accuracy", "")
    return f"task {search.task}, {search.network}, budget: {budget}\n{table(header, rows)}"
