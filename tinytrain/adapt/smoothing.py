"""What a smoother is worth: thresholds chosen on some people, counted on others.

Averages and refractory times are tried beside each other on the same probabilities. Letters:
n inferences, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from tinytrain.adapt.detection import (
    THRESHOLDS,
    Counted,
    Int,
    LabelledStream,
    choose_threshold,
    count_detections,
)
from tinytrain.errors import InputError
from tinytrain.frontend.constants import StreamPlan

FINE_THRESHOLDS = (*THRESHOLDS, 32512, 32640, 32704, 32736, 32752, 32760, 32768)
"""Q15; dense at the upper end, where a network that never saw a background needs them."""
AVERAGES = (1, 3, 5, 8)
REFRACTORY_MS = (500.0, 1000.0, 2000.0)


@dataclass(frozen=True, eq=False)
class Heard:
    """A stream, and the probabilities (n, C) Q15 that a model gave."""

    stream: LabelledStream
    probabilities: Int


@dataclass(frozen=True)
class Trial:
    """One smoother, its threshold chosen for at most so many false accepts an hour."""

    average: int
    refractory: int
    """Inferences."""
    refractory_ms: float
    limit: float
    """False accepts an hour that were allowed."""
    chosen: Counted | None
    """On the streams that the threshold was chosen on; None where no threshold keeps to it."""
    measured: Counted | None
    """On the others, with the chosen threshold."""
    kinds: Mapping[str, Counted]
    """The same by kind of stream."""


def try_smoothers(
    plan: StreamPlan,
    inference_seconds: float,
    choosing: Mapping[str, Heard],
    measuring: Mapping[str, Heard],
    limits: Sequence[float],
    averages: Sequence[int] = AVERAGES,
    refractory_ms: Sequence[float] = REFRACTORY_MS,
) -> tuple[Trial, ...]:
    """A trial for each limit, average and refractory time. Streams by their kind, such as noise.

    A limit holds for all streams of `choosing` together. `inference_seconds`: from one to the next.
    """
    made: list[Trial] = []
    for average, milliseconds in product(averages, refractory_ms):
        refractory = math.ceil(milliseconds / 1000 / inference_seconds)
        smoother = replace(plan.smoother, average=average, refractory=refractory)
        tried = replace(plan, smoother=smoother)
        rows = [_count(tried, heard, FINE_THRESHOLDS) for heard in choosing.values()]
        together = [pooled(parts) for parts in zip(*rows, strict=True)]
        for limit in limits:
            try:
                chosen = choose_threshold(together, limit)
            except InputError:
                made.append(Trial(average, refractory, milliseconds, limit, None, None, {}))
                continue
            kinds = {
                kind: _count(tried, heard, [chosen.threshold])[0]
                for kind, heard in measuring.items()
            }
            measured = pooled(list(kinds.values()))
            made.append(Trial(average, refractory, milliseconds, limit, chosen, measured, kinds))
    return tuple(made)


def best(trials: Sequence[Trial], limit: float) -> Trial | None:
    """The trial of a limit that misses least where it was chosen; of equals the one of fewest false
    accepts, then the first. None where no threshold keeps to the limit.
    """
    found = [(one.chosen.missed, one.chosen.false_accepts, place)
             for place, one in enumerate(trials)
             if one.limit == limit and one.chosen is not None]  # fmt: skip
    return trials[min(found)[2]] if found else None


def pooled(counted: Sequence[Counted]) -> Counted:
    """Several streams as one; the delay is the mean of theirs, weighted by keywords found."""
    found = [(one.events - one.missed, one.delay) for one in counted if one.delay is not None]
    weight = sum(number for number, _ in found)
    return Counted(
        counted[0].threshold,
        sum(one.false_accepts for one in counted),
        sum(one.hours for one in counted),
        sum(one.missed for one in counted),
        sum(one.events for one in counted),
        sum(number * delay for number, delay in found) / weight if weight else None,
    )


def _count(plan: StreamPlan, heard: Heard, thresholds: Sequence[int]) -> tuple[Counted, ...]:
    return count_detections(plan, heard.probabilities, heard.stream, thresholds)
