"""What the device's integer front end costs a network: accuracy beside log-mel in floating point.

    python benchmarks/frontend_accuracy.py [--out DIR] [--seeds 3] [--epochs N] [TASK ...]

Each task is trained twice with each seed, on features of both arithmetics: the same first weights,
the same order, the same augmentation, unpruned. Both int8 networks are tested on the people that
training never saw, on features of either arithmetic: the same network tells what the features
cost, networks trained anew differ by the chance of training as well. Prints every figure and the
bar; what is already in --out is not computed again. Exits with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from bars import Bar, at_most, bars_text, mean
from to_int8 import run_to_int8

from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.inference import infer_bytes
from tinytrain.errors import InputError
from tinytrain.operators.table import require_kernels
from tinytrain.pipeline import runs
from tinytrain.pipeline.runs import INT8, Run
from tinytrain.report.tables import table
from tinytrain.training.task_file import find_task, task_text

TASKS = ("keywords", "digits_wav")
ARITHMETICS = ("float", "integer")
BAR = 0.5
"""Points that the integer front end may cost, the mean of the seeds."""


@dataclass(frozen=True)
class Found:
    """One task and seed: accuracy of int8 on unseen people, by what it was trained and tested on.

    A mean over people.
    """

    task: str
    seed: int
    floating: float
    """Trained and tested on floating point."""
    integer: float
    """Trained and tested on the device's integers."""
    crossed: float
    """Trained on floating point, tested on the device's integers."""
    back: float
    """Trained on the device's integers, tested on floating point."""
    steps_off: float
    """Share of the test's features that differ between both."""
    furthest: int
    """The largest difference, in steps of int8."""

    @property
    def lost(self) -> float:
        """Points."""
        return 100 * (self.floating - self.integer)

    @property
    def lost_crossed(self) -> float:
        """Points, without a training in between."""
        return 100 * (self.floating - self.crossed)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("tasks", nargs="*", metavar="TASK", default=list(TASKS))
    arguments.add_argument("--out", type=Path, default=Path("build/bench/frontend"))
    arguments.add_argument("--data", type=Path, help="where the data sets lie")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--epochs", type=int, help="of training, in place of the task's")
    options = arguments.parse_args()
    try:
        found = [
            _compare(task, seed, options.out, options.data, options.epochs)
            for seed in range(options.seeds)
            for task in options.tasks
        ]
    except InputError as error:
        sys.exit(f"error: {error}")
    bars = [
        bar for task in options.tasks for bar in _bars(task, [f for f in found if f.task == task])
    ]
    print(_accuracies(found), "", bars_text(bars), sep="\n")
    return 0 if all(bar.met for bar in bars) else 1


def _compare(task: str, seed: int, out: Path, data: Path | None, epochs: int | None) -> Found:
    floating, integer = (_run(task, seed, out, data, epochs, name) for name in ARITHMETICS)
    difference = np.abs(_unseen(floating).astype(int) - _unseen(integer))
    made = Found(
        task,
        seed,
        runs.read_result(floating.directory, INT8).mean,
        runs.read_result(integer.directory, INT8).mean,
        _crossed(floating, integer),
        _crossed(integer, floating),
        float((difference > 0).mean()),
        int(difference.max()),
    )
    print(made, file=sys.stderr, flush=True)
    return made


def _run(
    task: str, seed: int, out: Path, data: Path | None, epochs: int | None, arithmetic: str
) -> Run:
    """A run up to int8, without pruning."""
    found = find_task(task)
    training = replace(found.training, epochs=epochs or found.training.epochs)
    settings = replace(found.frontend, arithmetic=arithmetic)
    found = replace(
        found, training=training, frontend=settings, pruning=replace(found.pruning, share=0.0)
    )
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{task}-{arithmetic}.toml"
    path.write_text(task_text(found), encoding="utf-8")
    return run_to_int8(str(path), seed, out / f"{task}-{arithmetic}-{seed}", data)


def _unseen(found: Run) -> np.ndarray:
    return found.dataset.x[found.split.unseen]


def _crossed(network: Run, features: Run) -> float:
    """Accuracy, the mean over people, of one run's network on another's features."""
    graph = parse_tflite((network.directory / f"{INT8}.tflite").read_bytes(), INT8)
    x, unseen = _unseen(features), features.split.unseen
    inputs = np.ascontiguousarray(x).reshape(len(x), -1).view(np.uint8)
    answers = infer_bytes(graph, require_kernels(graph), inputs).view(np.int8).argmax(axis=1)
    right, group = answers == features.dataset.y[unseen], features.dataset.group[unseen]
    return mean([float(right[group == person].mean()) for person in np.unique(group)])


def _accuracies(found: Sequence[Found]) -> str:
    rows = [
        (f.task, f.seed, f.floating, f.crossed, f.integer, f.back, f.lost, f.lost_crossed,
         100 * f.steps_off, f.furthest)
        for f in found
    ]  # fmt: skip
    header = ("task", "seed", "float", "float on integer", "integer", "integer on float",
              "lost, points", "by the same network", "features off, %", "by at most")  # fmt: skip
    return "Accuracy of int8 on people that training never saw\n" + table(header, rows)


def _bars(task: str, found: Sequence[Found]) -> list[Bar]:
    lost = [one.lost for one in found]
    error = statistics.stdev(lost) / len(lost) ** 0.5 if len(lost) > 1 else 0.0
    same = [f.lost_crossed for f in found]
    return [
        at_most(f"{task}: points lost, trained anew (standard error {error:.2f})", mean(lost), BAR),
        at_most(f"{task}: points lost by the same network", mean(same), BAR),
    ]


if __name__ == "__main__":
    sys.exit(main())
