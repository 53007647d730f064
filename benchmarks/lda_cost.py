"""What the analytic head costs on a Cortex-M, in instructions, beside the bars it has to reach.

    python benchmarks/lda_cost.py [--targets cortex-m4 cortex-m0] [--features 64] [--classes 12]

Builds tests/firmware/lda_program.c for each target, gives it random people's features, and counts
under QEMU. Exits with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# The program and its other end live with the tests, which are no part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.firmware.lda_device import Command, build_program, run
from tinytrain.lda import LdaOptions, build_lda
from tinytrain.report.tables import table

BARS = {
    "blended: the whole solve": 1_500_000,
    "blended: its longest slice": 50_000,
}
"""On a Cortex-M4, of 64 features and 12 classes."""
BAR_TARGET = "cortex-m4"
SAMPLES = 20


@dataclass(frozen=True)
class Cost:
    target: str
    operation: str
    instructions: int

    @property
    def bar(self) -> int | None:
        return BARS.get(self.operation) if self.target == BAR_TARGET else None


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--targets", nargs="*", default=[BAR_TARGET, "cortex-m0"])
    arguments.add_argument("--features", type=int, default=64)
    arguments.add_argument("--classes", type=int, default=12)
    options = arguments.parse_args()
    costs = [
        cost
        for target in options.targets
        for cost in costs_on(target, options.features, options.classes)
    ]
    missed = [cost for cost in costs if cost.bar is not None and cost.instructions > cost.bar]
    rows = [(c.target, c.operation, c.instructions, c.bar) for c in costs]
    print(table(("target", "operation", "instructions", "at most"), rows))
    return 1 if missed else 0


def costs_on(target: str, features: int, classes: int) -> Iterator[Cost]:
    """The most that any of a few samples takes."""
    with tempfile.TemporaryDirectory() as folder:
        program = build_program(Path(folder), target)
        add, row, _, _ = counted(program, features, classes, LdaOptions())
        yield Cost(target, "frozen: adding", add)
        yield Cost(target, "frozen: a row", row)
        add, _, solve, slice_ = counted(program, features, classes, LdaOptions(blend=50))
        yield Cost(target, "blended: adding", add)
        yield Cost(target, "blended: the whole solve", solve)
        yield Cost(target, "blended: its longest slice", slice_)


def counted(
    program: list[str], features: int, classes: int, options: LdaOptions
) -> tuple[int, int, int, int]:
    """Instructions of adding, a row, the solve and its longest slice."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 40, (classes, features))
    labels = rng.integers(0, classes, 3000)
    drawn = np.clip(centres[labels] + rng.normal(0, 15, (3000, features)), -128, 127)
    constants = build_lda(drawn.astype(np.int8), labels, 0, classes, classes, options, 0.05)
    commands = [
        Command("a", int(y), x) for y, x in zip(labels, drawn.astype(int)[:SAMPLES], strict=False)
    ]
    commands += [Command("s", classes), Command("r", 0)]
    *adds, solve, row = (answer.instructions for answer in run(program, constants, commands, True))
    return max(add[0] for add in adds), row[0], solve[0], solve[1]


if __name__ == "__main__":
    sys.exit(main())
