"""Prune: take whole channels out of a network in rounds, fine-tune it, and watch the worst group.

Each round takes out the channels of least importance for the cost they save, and fine-tunes the
smaller network with the unpruned one as its teacher. An average hides people, so after each round
every group is measured against the unpruned network; where one lost too much, the round is done
again with half the removal, and where that does not help, pruning stops at the network before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tinytrain.errors import InputError
from tinytrain.progress import Progress
from tinytrain.training.channels import Channels, channels_of, rebuild
from tinytrain.training.data import DataSet, IndexArray
from tinytrain.training.fit import Epoch, Schedule, fit, split_of
from tinytrain.training.groups import balanced, is_classifier, watched_groups, worth_by_group
from tinytrain.training.importance import FloatArray, importance
from tinytrain.training.latency import instructions
from tinytrain.training.libraries import Model, make_deterministic
from tinytrain.training.tasks import Task

KEPT_SHARE = 0.1
"""Of a group's channels, at least one: thinner layers starve what follows and save little."""

MOST_WATCHED = 6000
"""Samples that the guard measures on."""


@dataclass(frozen=True)
class Round:
    """What one round of pruning asked for, reached and cost."""

    asked: int
    """Cost to come down to, in the task's unit."""
    reached: int
    macs: int
    weight_bytes: int
    accuracy: Mapping[str, float]
    """Of each group of training and validation and of everyone, after fine-tuning; an
    autoencoder's is the area under the curve of telling other classes from the first."""
    worst_group: str
    """The one that lost most, of those with enough samples."""
    worst_loss: float
    """What it lost against the unpruned network, 0 to 1."""
    kept: bool
    """Whether pruning went on from here."""
    guard: str
    """What the guard did about it, in words."""


@dataclass(frozen=True)
class Pruned:
    """The smaller network, every round that was tried, and the epochs that led to the network."""

    model: Model
    rounds: tuple[Round, ...]
    history: tuple[Epoch, ...]
    notes: tuple[str, ...]
    """What did not go as the task asked, for a human."""


@dataclass(frozen=True)
class Attempt:
    """One removal with its fine-tuning."""

    model: Model
    history: tuple[Epoch, ...]
    reached: int


def prune(model: Model, task: Task, dataset: DataSet, seed: int, progress: Progress) -> Pruned:
    """A network with (1 - share) of the cost of `model`, or as near as its groups and the floor of
    a tenth of each layer's channels allow.

    The same seed gives the same people for training as `train`, and the same weights every time.
    Raises InputError where nothing can be taken out.
    """
    make_deterministic(seed)
    if not task.pruning.share:
        return Pruned(model, (), (), ())
    return _Pruning(model, task, dataset, seed, progress).run()


def choose_channels(
    channels: Channels,
    scores: Mapping[int, FloatArray],
    floors: Mapping[int, int],
    cost: Callable[[Sequence[int]], int],
    target: int,
) -> dict[int, IndexArray]:
    """For each scored group the channels to keep, ascending.

    The channel of least importance for each unit of cost it saves goes first, until `target` is
    reached or every group is down to its floor.
    """
    widths = list(channels.widths)
    orders = {place: np.argsort(score, kind="stable") for place, score in scores.items()}
    gone = dict.fromkeys(scores, 0)
    left = cost(widths)
    while left > target:
        best: tuple[float, int, int] | None = None
        for place, order in orders.items():
            if widths[place] <= max(1, floors[place]):
                continue
            widths[place] -= 1
            saved = left - cost(widths)
            widths[place] += 1
            price = float(scores[place][order[gone[place]]]) / max(1, saved)
            candidate = (price, place, saved)
            best = candidate if best is None else min(best, candidate)
        if best is None:
            break
        _, place, saved = best
        widths[place] -= 1
        gone[place] += 1
        left -= saved
    return {place: np.sort(order[gone[place] :]) for place, order in orders.items()}


def lost_too_much(
    before: Mapping[str, float],
    after: Mapping[str, float],
    samples: Mapping[str, int],
    limit: float,
) -> list[str]:
    """The groups that lost more than `limit` (0 to 1) of their accuracy, by more than chance.

    Chance is one standard error of the difference of two proportions. Both networks answer the same
    samples, so it is less than that; but neighbouring windows are alike, so there are fewer of them
    than it counts.
    """
    return [
        name
        for name, count in samples.items()
        if before[name] - after[name] > limit + _standard_error(before[name], after[name], count)
    ]


def _standard_error(before: float, after: float, count: int) -> float:
    return float(np.sqrt((before * (1 - before) + after * (1 - after)) / count))


class _Pruning:
    """One call of `prune`: what stays the same over its rounds, and how far it is."""

    def __init__(
        self, model: Model, task: Task, dataset: DataSet, seed: int, progress: Progress
    ) -> None:
        self.task, self.dataset, self.seed, self.progress = task, dataset, seed, progress
        self.teacher = self.model = model
        # A product learns at the head: its features stay. An autoencoder's head only gives back.
        keep = task.pruning.keep_features and is_classifier(model)
        self.keep_inputs_of = ("head",) if keep else ()
        split = split_of(task, dataset, seed)
        self.train = split.train
        if not is_classifier(model):
            self.train = split.train[dataset.y[split.train] == 0]
        seen = np.concatenate([split.train, split.validation])
        self.watched = balanced(dataset, seen, MOST_WATCHED, seed)
        self.samples = watched_groups(dataset, self.watched, task.pruning.min_group_samples)
        self.floors = [max(1, int(w * KEPT_SHARE)) for w in self._channels(model).widths]
        self.before = self._worth(model)
        self.rounds: list[Round] = []
        self.history: list[Epoch] = []
        self.notes: list[str] = []

    def run(self) -> Pruned:
        full = self._cost(self.model)
        final = int(full * (1 - self.task.pruning.share))
        count = self.task.pruning.rounds
        for number in range(1, count + 1):
            now = self._cost(self.model)
            target = max(final, int(now * (final / now) ** (1 / (count - number + 1))))
            if now <= final or not self._round(number, now, target):
                break
        reached = self._cost(self.model)
        if reached > final:
            self.notes.append(
                f"pruning stopped at {reached:,} of {full:,} {self.task.pruning.unit}; "
                f"{final:,} were asked for"
            )
        return Pruned(self.model, tuple(self.rounds), tuple(self.history), tuple(self.notes))

    def _round(self, number: int, now: int, target: int) -> bool:
        """Prune to `target`, or half the way to it; whether there is a point in going on."""
        stage = f"prune {number}/{self.task.pruning.rounds}"
        for asked, name in ((target, stage), ((now + target) // 2, f"{stage}, half")):
            attempt = self._attempt(number, asked, name)
            if attempt is None:
                return False
            if self._judge(attempt, asked, last=asked != target):
                self.model = attempt.model
                self.history += attempt.history
                return True
        return False

    def _attempt(self, number: int, target: int, stage: str) -> Attempt | None:
        """A removal and its fine-tuning; None where there is nothing left to remove."""
        pruning, channels = self.task.pruning, self._channels(self.model)
        scores = importance(
            pruning.criterion, self.model, channels, self.dataset, self.train, self.seed
        )
        floors = dict(enumerate(self.floors))
        kept = choose_channels(channels, scores, floors, self._unit(channels), target)
        if all(len(kept[place]) == channels.groups[place].width for place in kept):
            if not self.rounds:
                raise InputError(
                    f"task {self.task.name!r}: pruning finds no channel to take out; start from a "
                    "wider network, or set pruning.share to 0"
                )
            return None
        smaller = rebuild(self.model, channels, kept)
        if self._cost(smaller) > target:
            self.notes.append(f"{stage}: every layer that may be pruned is down to a tenth")
        epochs, count = pruning.epochs, pruning.rounds
        round_epochs = epochs * number // count - epochs * (number - 1) // count
        schedule = Schedule(stage, round_epochs, pruning.rate)
        taught = pruning.distillation > 0 and is_classifier(smaller)
        history = fit(
            smaller,
            self.task,
            self.dataset,
            self.seed,
            schedule=schedule,
            progress=self.progress,
            teacher=self.teacher if taught else None,
            distillation=pruning.distillation if taught else 0.0,
        )
        return Attempt(smaller, history, self._cost(smaller))

    def _judge(self, attempt: Attempt, asked: int, *, last: bool) -> bool:
        """The guard: record the attempt; whether every group can live with it."""
        after = self._worth(attempt.model)
        limit = self.task.pruning.max_group_loss
        losers = lost_too_much(self.before, after, self.samples, limit)
        losses = {name: self.before[name] - after[name] for name in self.samples}
        worst = max(losses, key=lambda name: losses[name])
        said = "every group within its limit"
        if losers:
            said = f"{', '.join(losers)} lost more than {100 * limit:g} points; "
            said += "stopped at the network before" if last else "backed off to half the removal"
            self.notes.append(f"down to {attempt.reached:,} {self.task.pruning.unit}: {said}")
        channels = self._channels(attempt.model)
        self.rounds.append(
            Round(
                asked=asked,
                reached=attempt.reached,
                macs=channels.macs(channels.widths),
                weight_bytes=channels.weight_bytes(channels.widths),
                accuracy=after,
                worst_group=worst,
                worst_loss=losses[worst],
                kept=not losers,
                guard=said,
            )
        )
        return not losers

    def _channels(self, model: Model) -> Channels:
        return channels_of(model, self.keep_inputs_of)

    def _unit(self, channels: Channels) -> Callable[[Sequence[int]], int]:
        if self.task.pruning.unit == "instructions":
            return partial(instructions, channels)
        return channels.macs if self.task.pruning.unit == "macs" else channels.weight_bytes

    def _cost(self, model: Model) -> int:
        channels = self._channels(model)
        return self._unit(channels)(channels.widths)

    def _worth(self, model: Model) -> dict[str, float]:
        return worth_by_group(model, self.dataset, self.watched)
