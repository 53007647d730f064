"""Search: the width and depth of a network that is best under the budget of the device.

Every candidate's cost is known before any training. Those that fit compete by successive halving
(Jamieson and Talwalkar, AISTATS 2016): all are trained for a few epochs, the better half for twice
as many, until the last ones get the task's own number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tinytrain.errors import InputError
from tinytrain.progress import Progress, silent
from tinytrain.training.data import DataSet
from tinytrain.training.fit import Schedule, fit
from tinytrain.training.libraries import Model, make_deterministic
from tinytrain.training.network import build_for
from tinytrain.training.tasks import Budget, Network, Task

WIDTHS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
"""Times the task's own width."""

NARROWEST, WIDEST = 0.1, 4.0
"""What a task file may hold."""

DEPTHS = {
    "conv1d": (1, 2, 3, 4),
    "ds_cnn": (2, 3, 4, 5),
    "dense": (1, 2, 3),
    "autoencoder": (1, 2, 3, 4),
}
"""Numbers of blocks; the other networks have one depth."""

_FINALISTS = 2


@dataclass(frozen=True)
class Cost:
    """What a network takes on the device."""

    flash: int
    """Bytes of weights; the code comes on top and hardly depends on width and depth."""
    ram: int
    """Bytes of the arena."""
    macs: int
    """Multiply-accumulates of an inference."""


@dataclass(frozen=True)
class Candidate:
    width: float
    blocks: int
    """0: the network's own number."""
    cost: Cost
    fits: bool
    """Within the budget."""
    epochs: int = 0
    """Of its last training; 0: never trained, because it does not fit."""
    accuracy: float = 0.0
    """On the validation people, after that training."""


@dataclass(frozen=True)
class Search:
    task: str
    network: str
    budget: Budget
    candidates: tuple[Candidate, ...]
    """By multiply-accumulates, ascending."""
    best: Candidate


CostOf = Callable[[Model], Cost]
"""The exact cost of a fresh network (`tinytrain.pipeline.costs`)."""


def search(task: Task, dataset: DataSet, seed: int, progress: Progress, cost_of: CostOf) -> Search:
    """The candidates with their costs and accuracies. Raises InputError where none fits."""
    known = sorted(_candidates(task, dataset, progress, cost_of), key=lambda c: c.cost.macs)
    running = [candidate for candidate in known if candidate.fits]
    if not running:
        raise InputError(
            f"task {task.name!r}: no size of network {task.network.name!r} fits the budget "
            f"{_limits(task.budget)}; the smallest takes {_limits(known[0].cost)}"
        )
    results = {_size(candidate): candidate for candidate in known}
    for rung, epochs in enumerate(rungs := _rungs(len(running), task.training.epochs)):
        for index, candidate in enumerate(running):
            trained = _trained(candidate, task, dataset, seed, epochs)
            running[index] = results[_size(trained)] = trained
            message = f"{describe(trained)}: {trained.accuracy:.3f} after {epochs} epochs"
            progress(f"search {rung + 1}/{len(rungs)}", index + 1, len(running), message)
        running.sort(key=lambda c: (-c.accuracy, c.cost.macs))
        best = running[0]
        running = running[: max(_FINALISTS, len(running) // 2)]
    return Search(task.name, task.network.name, task.budget, tuple(results.values()), best)


def describe(candidate: Candidate) -> str:
    blocks = f", {candidate.blocks} blocks" if candidate.blocks else ""
    return f"width {candidate.width:g}{blocks}"


def sized(task: Task, candidate: Candidate) -> Task:
    """The task with a network of this size."""
    network = replace(task.network, width=candidate.width, blocks=candidate.blocks)
    return replace(task, network=network)


def _candidates(
    task: Task, dataset: DataSet, progress: Progress, cost_of: CostOf
) -> Iterator[Candidate]:
    """All sizes that can read the samples, with their costs."""
    shape, classes = dataset.x.shape[1:], len(dataset.label_names)
    sizes = _sizes(task.network)
    reason = ""
    found = 0
    for done, (width, blocks) in enumerate(sizes, 1):
        network = replace(task.network, width=width, blocks=blocks)
        make_deterministic(0)
        try:
            model = build_for(replace(task, network=network), shape, classes)
        except InputError as error:
            reason = str(error)
            continue
        cost = cost_of(model)
        candidate = Candidate(width, blocks, cost, fits=_within(cost, task.budget))
        progress("costs", done, len(sizes), f"{describe(candidate)}: {cost.macs:,} MACs")
        found += 1
        yield candidate
    if not found:
        raise InputError(reason)


def _sizes(network: Network) -> list[tuple[float, int]]:
    widths = [round(network.width * factor, 3) for factor in WIDTHS]
    return [
        (width, blocks)
        for blocks in DEPTHS.get(network.name, (0,))
        for width in widths
        if NARROWEST <= width <= WIDEST
    ]


def _rungs(candidates: int, epochs: int) -> list[int]:
    """Epochs of each round: the last has the task's number, each before it half as many."""
    count = 1
    while candidates > _FINALISTS:
        candidates, count = max(_FINALISTS, candidates // 2), count + 1
    return [max(1, epochs >> (count - 1 - rung)) for rung in range(count)]


def _trained(
    candidate: Candidate, task: Task, dataset: DataSet, seed: int, epochs: int
) -> Candidate:
    """Trained anew for so many epochs, with a learning rate that decays over all of them."""
    make_deterministic(seed)
    own = sized(task, candidate)
    model = build_for(own, dataset.x.shape[1:], len(dataset.label_names))
    schedule = Schedule("search", epochs, rate=1.0)
    history = fit(model, own, dataset, seed, schedule=schedule, progress=silent)
    accuracies = [epoch.validation_accuracy for epoch in history]
    accuracy = max(accuracies) if task.training.patience else accuracies[-1]
    return replace(candidate, epochs=epochs, accuracy=accuracy)


def _size(candidate: Candidate) -> tuple[float, int]:
    return candidate.width, candidate.blocks


def _within(cost: Cost, budget: Budget) -> bool:
    pairs = ((cost.flash, budget.flash), (cost.ram, budget.ram), (cost.macs, budget.macs))
    return all(not limit or value <= limit for value, limit in pairs)


def _limits(budget: Budget | Cost) -> str:
    """The figures that are not 0."""
    limits = {"flash": budget.flash, "RAM": budget.ram, "MACs": budget.macs}
    return ", ".join(f"{name} {limit:,}" for name, limit in limits.items() if limit)
