"""The built-in tasks from data to int8: accuracy on people that training never saw.

    python benchmarks/tasks.py [--out DIR] [--data DIR] [--seeds 3] [TASK ...]

Trains, prunes and quantizes each task with each seed, and prints the accuracies and every figure
beside the bar it has to reach. What is already in --out is not computed again. Exits with 1 where a
bar is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bars import Bar, at_least, at_most, bars_text, mean
from to_int8 import run_to_int8

from tinytrain.errors import InputError
from tinytrain.pipeline import runs
from tinytrain.pipeline.runs import FLOAT, INT8, PRUNED, StageResult
from tinytrain.report.tables import table

BASELINES = {"watch": 0.836, "hapt": 0.940, "arabic": 0.827, "spoken_digits": 0.50, "fashion": 0.90}
"""Accuracy on unseen people of a small network without any care, from the shared data's notes; of
Fashion-MNIST the bar that was set."""


@dataclass(frozen=True)
class Found:
    """One task and seed."""

    task: str
    seed: int
    float32: StageResult
    pruned: StageResult
    int8: StageResult

    @property
    def pruning_loss(self) -> float:
        """Points, the mean over unseen people."""
        return 100 * (self.float32.mean - self.pruned.mean)

    @property
    def worst_loss(self) -> float:
        """Points lost by the unseen person who lost most by pruning."""
        before, after = self.float32.accuracy, self.pruned.accuracy
        return max(100 * (before[name] - after[name]) for name in before)

    @property
    def weakest_loss(self) -> float:
        """Points between the lowest accuracy of any unseen person before and after pruning."""
        return 100 * (self.float32.worst - self.pruned.worst)

    @property
    def pruned_share(self) -> float:
        return 100 * (1 - self.pruned.macs / self.float32.macs)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("tasks", nargs="*", metavar="TASK", default=list(BASELINES))
    arguments.add_argument("--out", type=Path, default=Path("build/bench/tasks"))
    arguments.add_argument("--data", type=Path, help="where the data sets lie")
    arguments.add_argument("--seeds", type=int, default=3)
    options = arguments.parse_args()
    try:
        found = [
            _run(task, seed, options.out, options.data)
            for task in options.tasks
            for seed in range(options.seeds)
        ]
    except InputError as error:
        sys.exit(f"error: {error}")
    bars = [
        bar for task in options.tasks for bar in _bars(task, [f for f in found if f.task == task])
    ]
    print(_accuracies(found), "", bars_text(bars), sep="\n")
    return 0 if all(bar.met for bar in bars) else 1


def _run(task: str, seed: int, out: Path, data: Path | None) -> Found:
    folder = out / f"{task}-{seed}"
    run_to_int8(task, seed, folder, data)
    print(f"{folder}: done", file=sys.stderr)
    return Found(task, seed, *(runs.read_result(folder, name) for name in (FLOAT, PRUNED, INT8)))


def _accuracies(found: Sequence[Found]) -> str:
    rows = [
        (f.task, f.seed, len(f.float32.accuracy), f.float32.mean, f.pruned.mean, f.int8.mean,
         f.float32.worst, f.pruned.worst, f.int8.worst, f.pruned_share, f.worst_loss)
        for f in found
    ]  # fmt: skip
    header = ("task", "seed", "people", "float32", "pruned", "int8", "worst float32",
              "worst pruned", "worst int8", "MACs pruned, %", "most lost, points")  # fmt: skip
    return "Accuracy on people that training never saw\n" + table(header, rows)


def _bars(task: str, found: Sequence[Found]) -> list[Bar]:
    base = BASELINES.get(task, 0.0)
    lost_by_int8 = 100 * mean([f.pruned.mean - f.int8.mean for f in found])
    return [
        at_least(f"{task}: float32", mean([f.float32.mean for f in found]), base),
        at_least(f"{task}: pruned", mean([f.pruned.mean for f in found]), base),
        at_least(f"{task}: int8", mean([f.int8.mean for f in found]), base),
        at_most(f"{task}: points lost by int8", lost_by_int8, 1.0),
        at_least(f"{task}: MACs pruned, %", mean([f.pruned_share for f in found]), 60.0),
        at_most(f"{task}: points lost by pruning", mean([f.pruning_loss for f in found]), 1.0),
        at_most(f"{task}: points lost by the lowest person's accuracy",
                mean([f.weakest_loss for f in found]), 2.0),
        at_most(f"{task}: points lost by whoever lost most",
                mean([f.worst_loss for f in found]), 2.0),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
