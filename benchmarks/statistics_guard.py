"""What guards renewed statistics, and what that costs: points gained by people that training never
saw.

    python benchmarks/statistics_guard.py --out DIR [--seeds 3] [TASK ...]

DIR holds the run folders of `benchmarks/tasks.py` (spoken_digits-0, ...). Each person's network
renews its statistics from unlabelled samples of all classes, or of two classes only, as a device
may well get them; then the trial sees other samples: labelled ones of all classes, or unlabelled
ones of the kind that the statistics are from. Accuracy is measured on the rest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from without_labels import SAMPLES, person_samples, run_model

from tinytrain.emulator import head, statistics
from tinytrain.emulator.inference import run
from tinytrain.emulator.statistics import StatisticsState
from tinytrain.errors import InputError
from tinytrain.model import Model
from tinytrain.operators.kernel import Kernel
from tinytrain.pipeline import runs
from tinytrain.report.tables import table
from tinytrain.statistics import Standing

Int = npt.NDArray[np.int64]
Samples = npt.NDArray[np.int8]

TASKS = ["spoken_digits", "arabic", "watch", "hapt"]
DRAWS = 3
SHARE = 0.6
ALL, TWO = "all classes", "two classes"
HARM = 0.5
"""Points; less is neither gain nor loss."""


@dataclass(frozen=True)
class Trial:
    """One person and draw of samples."""

    task: str
    kind: str
    gain: float
    """Points that the renewed statistics bring."""
    labelled: bool
    """Whether labelled samples took them."""
    confident: bool
    """Whether unlabelled samples did."""
    surer: float
    """Bits a sample by which the head is surer with them, on those."""


@dataclass(frozen=True)
class Draw:
    """Places of one person's samples."""

    shown: Int
    unlabelled: Int
    labelled: Int
    rest: Int


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("tasks", nargs="*", metavar="TASK", default=TASKS)
    arguments.add_argument("--out", type=Path, default=Path("build/bench/tasks"))
    arguments.add_argument("--seeds", type=int, default=3)
    options = arguments.parse_args()
    try:
        trials = [
            trial
            for task in options.tasks
            for seed in range(options.seeds)
            for trial in _trials(task, options.out / f"{task}-{seed}")
        ]
    except InputError as error:
        sys.exit(f"error: {error}")
    print(_policies(trials), _separation(trials), sep="\n\n")
    return 0


def _trials(task: str, folder: Path) -> Iterator[Trial]:
    found = runs.open_run(folder)
    model = run_model(found, SHARE, SAMPLES, "confidence")
    for person in found.split.unseen_people:
        x, y = person_samples(found, person)
        for number in range(DRAWS):
            for kind in (ALL, TWO):
                rng = np.random.default_rng((found.seed, number))
                yield _trial(task, kind, model, x, y, _draw(kind, y, rng))
        print(f"{folder}: {found.dataset.group_names[person]} done", file=sys.stderr)


def _draw(kind: str, y: Int, rng: np.random.Generator) -> Draw:
    order = rng.permutation(len(y))
    labelled, order = order[:SAMPLES], order[SAMPLES:]
    pool = order
    if kind == TWO:
        two = rng.choice(np.unique(y), 2, replace=False)
        pool = order[np.isin(y[order], two)]
    count = min(SAMPLES, len(pool) // 3)
    # Where a person has fewer, they are shown again.
    shown, unlabelled = (np.resize(part, SAMPLES) for part in (pool[:count], pool[count:][:count]))
    return Draw(shown, unlabelled, labelled, np.setdiff1d(order, pool[: 2 * count]))


def _trial(task: str, kind: str, model: Model, x: Samples, y: Int, draw: Draw) -> Trial:
    renewed = _renewed(model, x[draw.shown])
    before, after = (_logits(model, kernels, x) for kernels in (model.kernels, renewed.kernels))
    gain = (after.argmax(axis=1) == y).astype(int) - (before.argmax(axis=1) == y)
    known = [_losses(z[draw.labelled], y[draw.labelled]) for z in (before, after)]
    own = [_losses(z, z.argmax(axis=1)) for z in (before[draw.unlabelled], after[draw.unlabelled])]
    return Trial(
        task,
        kind,
        100 * float(gain[draw.rest].mean()),
        _taken(model, renewed, known[0], known[1], labelled=True),
        _taken(model, renewed, own[0], own[1], labelled=False),
        float((own[0] - own[1]).mean()) / 1024,
    )


def _renewed(model: Model, shown: Samples) -> StatisticsState:
    assert model.statistics is not None
    state = statistics.start(model.kernels)
    for _ in model.statistics.layers:
        state = statistics.observe(model.graph, model.statistics, state, [shown])
    return state


def _logits(model: Model, kernels: Sequence[Kernel], x: Samples) -> Int:
    """(n, C) by the factory head."""
    assert model.head is not None
    constants = model.head.constants
    values = run(model.graph, kernels, [x], end=model.head.operator)
    features = head.centered(constants, values[model.head.feature_tensor])
    z = head.logits((constants.units,), head.factory_rows(constants), features)
    return z[:, : constants.classes]


def _losses(z: Int, labels: Int) -> Int:
    return head.loss(z, head.softmax(z)[1], labels, np.array(z.shape[1]))


def _taken(model: Model, state: StatisticsState, before: Int, after: Int, labelled: bool) -> bool:
    assert model.statistics is not None
    for i in range(len(before)):
        if statistics.weighs(model.statistics, state, labelled):
            losses = before[i : i + 1], after[i : i + 1]
            state = statistics.weigh(model.statistics, state, *losses, labelled)
    return state.standing == Standing.TAKEN


def _policies(trials: Sequence[Trial]) -> str:
    rows: list[tuple[object, ...]] = []
    for kind in (ALL, TWO):
        for task in (*dict.fromkeys(t.task for t in trials), "all tasks"):
            of = [t for t in trials if t.kind == kind and task in (t.task, "all tasks")]
            for guard in ("none", "labels", "confidence"):
                rows.append((kind, task, guard, *_policy(of, guard)))
    header = ("from", "task", "guard", "taken", "mean gain", "worst", "harmful taken", "of")
    return (
        f"Points gained by renewed statistics, {SAMPLES} samples shown to every layer and "
        f"{SAMPLES} to the trial\n" + table(header, rows)
    )


def _policy(trials: Sequence[Trial], guard: str) -> tuple[float, float, float, int, int]:
    taken = [guard == "none" or (t.labelled if guard == "labels" else t.confident) for t in trials]
    gains = [t.gain if yes else 0.0 for t, yes in zip(trials, taken, strict=True)]
    harmful = [t.gain < -HARM for t in trials]
    harmed = sum(a and b for a, b in zip(taken, harmful, strict=True))
    return float(np.mean(taken)), float(np.mean(gains)), min(gains), harmed, sum(harmful)


def _separation(trials: Sequence[Trial]) -> str:
    """How well the change of confidence alone tells who gains from who loses."""
    rows: list[tuple[object, ...]] = []
    for kind in (ALL, TWO):
        gain, lose = (
            [t.surer for t in trials if t.kind == kind and sign * t.gain > HARM] for sign in (1, -1)
        )
        wins = [float(a > b) + 0.5 * float(a == b) for a in gain for b in lose]
        area = float(np.mean(wins)) if wins else float("nan")
        rows.append((kind, len(gain), len(lose), area))
    header = ("from", "who gain", "who lose", "area under the curve")
    return "Telling them apart by how much surer the head becomes\n" + table(header, rows)


if __name__ == "__main__":
    sys.exit(main())
