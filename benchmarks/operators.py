"""The table of operators: what each takes, and on how many random models a byte differs.

    python benchmarks/operators.py [--draws 200] [--targets host cortex-m4 ...] [--out operators.md]

Draws random models for every strategy of the tests and runs each on the emulator, on the PyPI
tflite-micro interpreter and, as emitted C, on every target. Counts the models on which a byte
differs from the emulator's. Exits with 1 if any does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

# The strategies live with the tests, which are no part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.operators.programs import TARGETS, Entry, run_programs, write_programs
from tests.operators.test_against_tflite_micro import STRATEGIES
from tests.operators.test_host_kernels import cases_of, entries_of, equals_tflite_micro, named
from tinytrain.converters.tflite_schema import OPTIONS
from tinytrain.graph import Tensor
from tinytrain.operators.table import OPERATORS

JUDGE = "tflite-micro"


@dataclass(frozen=True)
class Row:
    strategy: str
    types: str
    attributes: str
    draws: int
    differing: dict[str, int]
    """By who computed them: the judge, then the targets."""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=200)
    arguments.add_argument("--targets", nargs="*", choices=TARGETS, default=TARGETS)
    arguments.add_argument("--out", type=Path, default=Path("operators.md"))
    options = arguments.parse_args()
    entries = {
        name: entries_of(named(name, cases_of(name, options.draws))) for name in sorted(STRATEGIES)
    }
    everything = [entry for drawn in entries.values() for entry in drawn]
    found = differences(everything, options.targets)
    rows = [row(name, drawn, found) for name, drawn in entries.items()]
    options.out.write_text(markdown(rows, [JUDGE, *options.targets]), encoding="utf-8")
    differing = Counter[str]()
    for each in rows:
        differing.update(each.differing)
    counts = ", ".join(f"{name} {count}" for name, count in differing.items())
    print(f"{options.out}: {len(OPERATORS)} operators, {len(everything)} draws; "
          f"with a difference: {counts}")  # fmt: skip
    return 1 if differing.total() else 0


def differences(entries: list[Entry], targets: list[str]) -> dict[str, set[str]]:
    """The names of the models on which a byte differs, by who computed it."""
    found = {JUDGE: {entry.name for entry in entries if not equals_tflite_micro(entry)}}
    with tempfile.TemporaryDirectory() as folder:
        write_programs(Path(folder), entries)
        for target in targets:
            found[target] = set(run_programs(Path(folder), target))
    return found


def row(name: str, entries: list[Entry], found: dict[str, set[str]]) -> Row:
    """The figures of one strategy."""
    kind = name.split(maxsplit=1)[0]
    fields = OPTIONS[kind].fields if kind in OPTIONS else ()
    attributes = ", ".join(field.name for field in fields) or "-"
    types = "; ".join(sorted({types_of(entry) for entry in entries}))
    drawn = {entry.name for entry in entries}
    differing = {who: len(drawn & names) for who, names in found.items()}
    return Row(name, types, attributes, len(drawn), differing)


def types_of(entry: Entry) -> str:
    """The types that go in and come out."""

    def of(tensors: tuple[Tensor, ...]) -> str:
        return ", ".join(dict.fromkeys(tensor.dtype for tensor in tensors))

    return f"{of(entry.model.inputs)} to {of(entry.model.outputs)}"


def markdown(rows: list[Row], columns: list[str]) -> str:
    lines = [
        "# Operators",
        "",
        "Written by `python benchmarks/operators.py`. Each draw is a random model of one operator "
        "with several samples, random shapes, attributes, scales, zero points and data. The same "
        "draws run on the emulator, on the PyPI package tflite-micro "
        f"{version('tflite-micro')} and, as emitted C, on the host under sanitizers and on the "
        "Cortex-M targets under QEMU; the last columns say on how many of the draws a byte differs "
        "from the emulator's. A second row of an operator is a second family of models. Fused "
        "activations are none, relu, relu6 and relu_n1_to_1 where an operator has them. "
        "`tests/operators/test_host_kernels.py` runs the same models.",
        "",
        f"| operator | types | attributes | {' | '.join(columns)} |",
        f"| {' | '.join(['---'] * (3 + len(columns)))} |",
        *(
            f"| {row.strategy} | {row.types} | {row.attributes} | "
            + " | ".join(f"{row.differing[column]} of {row.draws}" for column in columns)
            + " |"
            for row in rows
        ),
        "",
        "No judge, our own definition: SOFTMAX rows of 512 to 4095 elements, TRANSPOSE and "
        "broadcasting beyond the rank that tflite-micro takes (compared with numpy), QUANTIZE of "
        "floats beyond 2^31 steps or not a number (saturated; the lowest value).",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
