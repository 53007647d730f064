"""Normalization statistics re-estimated without labels: accuracy on unseen people before and after.

    python benchmarks/without_labels.py --out DIR [--seeds 3] [--plain] [--data DATA] [TASK ...]

DIR holds the run folders of `benchmarks/tasks.py` (spoken_digits-0, ...). With --plain each task
comes a second time, trained without augmentation (spoken_digits_plain-0, ...; made where they are
not there): a network that has not seen other voices and microphones. Each person's network
sees samples without labels, and is tested on the person's other samples: 50 samples shown to every
layer, or 50 in all, which the layers divide among themselves. Prints what it takes on Cortex-M,
too. Exits with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bars import Bar, at_least, bars_text, mean

from tinytrain.device.opening import open_device
from tinytrain.emulator import statistics
from tinytrain.emulator.inference import infer_bytes
from tinytrain.errors import InputError
from tinytrain.model import Model
from tinytrain.pipeline import runs
from tinytrain.pipeline.convert import convert
from tinytrain.pipeline.run import make_project
from tinytrain.pipeline.runs import Run
from tinytrain.progress import silent
from tinytrain.project import Project, load_project
from tinytrain.protocol import Measure
from tinytrain.report.tables import table
from tinytrain.statistics import StatisticsOptions
from tinytrain.training.task_file import find_task, task_text
from tinytrain.training.tasks import Augmentation

SAMPLES = 50
SHARES = (0.3, 0.6, 1.0)
DEFAULT_SHARE = 0.6
DRAWS = 5
"""Of the samples that a person gives; figures are means over them."""
BARS = {"spoken_digits": 20.0, "spoken_digits_plain": 20.0}
"""Points that the mean over people is to gain."""
TARGETS = ("cortex-m4", "cortex-m0")


@dataclass(frozen=True)
class Person:
    task: str
    seed: int
    name: str
    before: float
    after: tuple[float, ...]
    """By share, with the samples shown to every layer."""
    divided: float
    """With the samples divided among the layers, at the default share."""

    @property
    def gain(self) -> float:
        """Points, at the default share."""
        return 100 * (self.after[SHARES.index(DEFAULT_SHARE)] - self.before)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("tasks", nargs="*", metavar="TASK", default=["spoken_digits", "arabic"])
    arguments.add_argument("--out", type=Path, default=Path("build/bench/tasks"))
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--plain", action="store_true", help="without augmentation, too")
    arguments.add_argument("--data", type=Path, help="where the data sets of --plain lie")
    options = arguments.parse_args()
    tasks = list(options.tasks)
    try:
        if options.plain:
            tasks += [
                _plain(task, options.seeds, options.out, options.data) for task in options.tasks
            ]
        people = [
            person
            for task in tasks
            for seed in range(options.seeds)
            for person in _people(task, seed, options.out / f"{task}-{seed}")
        ]
        costs = [_costs(task, options.out / f"{task}-0") for task in options.tasks]
    except InputError as error:
        sys.exit(f"error: {error}")
    bars = _bars(people)
    print(_accuracies(people), *costs, bars_text(bars), sep="\n\n")
    return 0 if all(bar.met for bar in bars) else 1


def _plain(task: str, seeds: int, out: Path, data: Path | None) -> str:
    """Runs of the task without augmentation; the name that they go by."""
    given = find_task(task)
    plain = replace(given, name=f"{given.name}_plain", augmentation=Augmentation())
    path = out / f"{plain.name}.toml"
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(task_text(plain), encoding="utf-8")
    for seed in range(seeds):
        folder = out / f"{plain.name}-{seed}"
        make_project(str(path), folder, seed, silent, data)
        print(f"{folder}: trained", file=sys.stderr)
    return plain.name


def _people(task: str, seed: int, folder: Path) -> list[Person]:
    found = runs.open_run(folder)
    shared = [run_model(found, share, SAMPLES) for share in SHARES]
    layers = _layers(shared[0])
    divided = run_model(found, DEFAULT_SHARE, SAMPLES // layers)
    people = []
    for person in found.split.unseen_people:
        x, y = person_samples(found, person)
        draws = [np.random.default_rng((seed, draw)).permutation(len(x)) for draw in range(DRAWS)]
        before = mean([_accuracy(shared[0], x, y, order, 0) for order in draws])
        after = [mean([_accuracy(m, x, y, order, layers) for order in draws]) for m in shared]
        share = mean([_accuracy(divided, x, y, order, 1) for order in draws])
        name = found.dataset.group_names[person]
        people.append(Person(task, seed, name, before, tuple(after), share))
        print(f"{folder}: {name} done", file=sys.stderr)
    return people


def person_samples(found: Run, person: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    indices = found.split.unseen[found.dataset.group[found.split.unseen] == person]
    return found.dataset.x[indices], found.dataset.y[indices]


def run_model(found: Run, share: float, samples: int, guard: str = "none") -> Model:
    """A run's model that renews the statistics of all its convolutions."""
    with tempfile.TemporaryDirectory() as folder:
        return _project(found, Path(folder) / "project", share, samples, guard)


def _project(found: Run, out: Path, share: float, samples: int, guard: str = "none") -> Model:
    return convert(
        found.directory / f"{runs.INT8}.tflite",
        out,
        "network",
        samples=found.directory / "samples.npz",
        statistics=StatisticsOptions(samples=samples, share=share, guard=guard),
        training=found.dataset.x[found.split.train],
    )


def _layers(model: Model) -> int:
    assert model.statistics is not None
    return model.statistics.plan.layers


def _accuracy(
    model: Model,
    x: npt.NDArray[np.int8],
    y: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    passes: int,
) -> float:
    """Of a device that has seen the first samples of `order` so often, on the others."""
    assert model.statistics is not None
    plan, rows = model.statistics.plan, x.reshape(len(x), -1)
    shown, others = np.tile(order[:SAMPLES], passes), order[SAMPLES:]
    state = statistics.start(model.kernels)
    for first in range(0, min(len(shown), plan.layers * plan.samples), plan.samples):
        part = rows[shown[first : first + plan.samples]]
        state = statistics.observe(model.graph, model.statistics, state, [part])
    outputs = infer_bytes(model.graph, state.kernels, rows[others].view(np.uint8)).view(np.int8)
    return float((outputs.argmax(axis=1) == y[others]).mean())


def _accuracies(people: Sequence[Person]) -> str:
    rows: list[tuple[object, ...]] = [
        (p.task, p.seed, p.name, p.before, *p.after, p.divided, p.gain) for p in people
    ]
    for task in dict.fromkeys(p.task for p in people):
        of_task = [row[3:] for row in rows if row[0] == task and row[1] != "all"]
        means = np.array(of_task, np.float64).mean(axis=0)
        rows.append((task, "all", "mean", *means.tolist()))
    header = ("task", "seed", "person", "before", *(f"share {share:g}" for share in SHARES),
              f"{SAMPLES} in all", f"gain at {DEFAULT_SHARE:g}, points")  # fmt: skip
    return (
        f"Accuracy without a label: after {SAMPLES} samples shown to every layer, by the person's "
        f"share; and after {SAMPLES} in all, at {DEFAULT_SHARE:g}\n" + table(header, rows)
    )


def _costs(task: str, folder: Path) -> str:
    """Instructions of an observation by each layer, and of one that renews it."""
    found = runs.open_run(folder)
    with tempfile.TemporaryDirectory() as temporary:
        model = _project(found, Path(temporary) / "project", DEFAULT_SHARE, 2)
        project = load_project(Path(temporary) / "project")
        rows = [row for target in TARGETS for row in _instructions(project, target, found)]
    assert model.statistics is not None
    header = ("target", "layer", "channels", "inference", "observation", "with renewal")
    return (
        f"Cost of {task}-0, instructions; RAM: {model.statistics_bytes:,} bytes of sums and "
        f"renewed arrays, and {_layers(model)} parameter structs of 72 or 88\n"
        + table(header, rows)
    )


def _instructions(project: Project, target: str, found: Run) -> list[tuple[object, ...]]:
    named = project.model.statistics
    assert named is not None
    x = found.dataset.x[found.split.unseen[0]]
    rows = []
    with open_device(project, target) as device:
        inference = device.measure(Measure.INFERENCE, x).instructions
        for layer in named.layers:
            kernel = project.model.kernels[layer.operator_index]
            first, last = (
                device.measure(Measure.OBSERVE_STATISTICS, x).instructions for _ in range(2)
            )
            name = f"{kernel.index} {kernel.kind}"
            rows.append((target, name, len(layer.mean), inference, first, last))
    return rows


def _bars(people: Sequence[Person]) -> list[Bar]:
    found = []
    for task in dict.fromkeys(p.task for p in people):
        gain = mean([p.gain for p in people if p.task == task])
        found.append(at_least(f"{task}: points gained without labels", gain, BARS.get(task, 0.0)))
    return found


if __name__ == "__main__":
    sys.exit(main())
