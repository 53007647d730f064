"""The figures of the watch task: three seeds, nine people that training never saw.

    python benchmarks/watch.py [--out DIR] [--seeds 3]

Runs the whole way for each seed, with learning on the Cortex-M4 under QEMU, and prints every figure
beside the bar it has to reach. Exits with 1 where one is missed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bars import Bar, at_least, at_most, bars_text, mean

from tinytrain.adapt.experiment import Experiment
from tinytrain.pipeline.run import read_experiment, run
from tinytrain.progress import silent
from tinytrain.report.picture import draw_learning
from tinytrain.report.tables import table

TARGET = "cortex-m4"
HELP_RUNS = 5


@dataclass(frozen=True)
class Seed:
    """The figures that one run wrote."""

    seconds: float
    stages: dict[str, dict[str, object]]
    users: list[dict[str, float]]
    bench: dict[str, dict[str, int]]
    differences: int
    samples: int
    steps: int


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=Path("build/bench/watch"))
    arguments.add_argument("--seeds", type=int, default=3)
    options = arguments.parse_args()
    seeds = [_run(options.out / f"seed-{seed}", seed) for seed in range(options.seeds)]
    print(_people(seeds), "", _stages(seeds), "", _costs(seeds), "", sep="\n")
    title = f"{options.seeds} seeds, each with people that training never saw: watch, {TARGET}"
    draw_learning(_everyone(options.out, options.seeds), options.out / "learning.png", title)
    bars = _bars(seeds)
    print(bars_text(bars))
    return 0 if all(bar.met for bar in bars) else 1


def _run(out: Path, seed: int) -> Seed:
    # The time is that of the whole way, and a finished run keeps its network.
    shutil.rmtree(out, ignore_errors=True)
    start = time.monotonic()
    run("watch", out, seed, TARGET, silent)
    seconds = time.monotonic() - start
    results = json.loads((out / "results.json").read_text())
    checks = [check for proof in results["verified"] for check in proof["checks"]]
    compared = {check["name"]: check["compared"] for check in checks}
    return Seed(
        seconds,
        {name: json.loads((out / f"{name}.json").read_text())
         for name in ("float", "pruned", "model")},
        json.loads((out / "adapt.json").read_text())["users"],
        results["bench"],
        sum(check["difference"] is not None for check in checks),
        compared["inference"],
        compared["learning"],
    )  # fmt: skip


def _people(seeds: Sequence[Seed]) -> str:
    rows: list[tuple[object, ...]] = [
        (seed, user["user"], user["before"], user["after"], user["float_after"],
         user["rows_written"])
        for seed, found in enumerate(seeds)
        for user in found.users
    ]  # fmt: skip
    means = [mean([float(str(row[column])) for row in rows]) for column in range(2, 6)]
    rows.append(("all", "mean", *means))
    header = ("seed", "person", "before", "after, device", "after, float32", "rows written")
    return "Learning from 10 windows a class on the device\n" + table(header, rows)


def _stages(seeds: Sequence[Seed]) -> str:
    rows = [
        (label, mean(_accuracies(seeds, name)), min(_accuracies(seeds, name)),
         round(mean([float(str(seed.stages[name]["macs"])) for seed in seeds])))
        for label, name in (("float32", "float"), ("pruned", "pruned"), ("int8", "model"))
    ]  # fmt: skip
    header = ("model", "mean", "worst person", "MACs")
    return "Accuracy on people that training never saw\n" + table(header, rows)


def _costs(seeds: Sequence[Seed]) -> str:
    rows = [
        (seed, found.bench["instructions"]["inference"], found.bench["instructions"]["learn_step"],
         found.bench["flash"]["weights"], found.bench["flash"]["firmware"],
         found.bench["ram"]["arena"], found.bench["ram"]["head"], found.bench["ram"]["stack"])
        for seed, found in enumerate(seeds)
    ]  # fmt: skip
    header = ("seed", "inference", "learning step", "weights B", "code B", "arena B", "head B",
              "stack B")  # fmt: skip
    return f"Cost on the {TARGET}: instructions, then bytes\n{table(header, rows)}"


def _everyone(out: Path, seeds: int) -> Experiment:
    """The people of all seeds in one picture."""
    found = [read_experiment(out / f"seed-{seed}") for seed in range(seeds)]
    users = tuple(
        replace(user, user=f"{user.user}, seed {seed}")
        for seed, experiment in enumerate(found)
        for user in experiment.users
    )
    return replace(found[0], users=users)


def _accuracies(seeds: Sequence[Seed], stage: str) -> list[float]:
    found = []
    for seed in seeds:
        accuracy = seed.stages[stage]["accuracy"]
        assert isinstance(accuracy, dict)
        found += [float(value) for value in accuracy.values()]
    return found


def _bars(seeds: Sequence[Seed]) -> list[Bar]:
    def users(field: str) -> float:
        return mean([user[field] for seed in seeds for user in seed.users])

    def macs(stage: str) -> float:
        return mean([float(str(seed.stages[stage]["macs"])) for seed in seeds])

    def highest(pick: Callable[[Seed], float]) -> float:
        return max(pick(seed) for seed in seeds)

    accuracy = {stage: mean(_accuracies(seeds, stage)) for stage in ("float", "pruned", "model")}
    return [
        at_most("differing bits, host and M4", sum(s.differences for s in seeds), 0),
        at_least("samples compared a seed and target", min(s.samples for s in seeds), 200),
        at_least("learning steps compared a seed and target", min(s.steps for s in seeds), 1000),
        at_most("float32 head less int8 head, points",
                 100 * (users("float_after") - users("after")), 1.0),
        at_least("gain of learning, points", 100 * (users("after") - users("before")), 3.0),
        at_most("rows of the head written, %", 100 * users("rows_written"), 20.0),
        at_least("MACs pruned, %", 100 * (1 - macs("pruned") / macs("float")), 50.0),
        at_most("accuracy lost by pruning, points",
                 100 * (accuracy["float"] - accuracy["pruned"]), 1.0),
        at_most("accuracy lost by int8, points",
                 100 * (accuracy["pruned"] - accuracy["model"]), 1.0),
        at_most("RAM added by learning, bytes", highest(lambda s: s.bench["ram"]["head"]), 4096),
        at_most("code and constants on the M4, bytes",
                 highest(lambda s: s.bench["flash"]["firmware"]), 24 * 1024),
        at_most("the whole way, seconds", highest(lambda s: s.seconds), 240),
        at_most("tinytrain --help, seconds", _help_seconds(), 0.3),
    ]  # fmt: skip


def _help_seconds() -> float:
    program = Path(sys.executable).with_name("tinytrain")
    times = []
    for _ in range(HELP_RUNS):
        start = time.monotonic()
        subprocess.run([program, "--help"], check=True, capture_output=True)
        times.append(time.monotonic() - start)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
