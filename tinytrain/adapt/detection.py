"""How well a stream detects: false accepts an hour, misses and delay, for many thresholds.

A long stream is put together from labelled clips at known times, with other sounds and silence in
between, and goes through front end, model and smoother once; thresholds cost nothing then. Letters:
T samples, n inferences, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinytrain.emulator import head as plain
from tinytrain.emulator.inference import run, split_inputs
from tinytrain.emulator.smoother import detections, means
from tinytrain.emulator.stream import frames_of_stream
from tinytrain.errors import InputError
from tinytrain.frontend.constants import StreamPlan
from tinytrain.frontend.timing import inference_end
from tinytrain.model import Model

Int16 = npt.NDArray[np.int16]
Int = npt.NDArray[np.int64]

AT_ONCE = 256
"""Inferences that are computed together."""

THRESHOLDS = tuple(range(0, 1 << 15, 1 << 9))
"""Q15, 64 of them: what is tried without a wish."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Samples (T,) or (T, channels) of one class; `label` None: of nothing to be detected."""

    samples: Int16
    label: int | None


@dataclass(frozen=True)
class Event:
    """A keyword in a stream, in seconds from its beginning."""

    start: float
    end: float
    label: int


@dataclass(frozen=True, eq=False)
class LabelledStream:
    samples: Int16
    """(T, channels)"""
    events: tuple[Event, ...]
    seconds: float


@dataclass(frozen=True)
class Counted:
    """What one threshold brings."""

    threshold: int
    """Q15."""
    false_accepts: int
    hours: float
    missed: int
    events: int
    delay: float | None
    """Median seconds from a keyword's beginning to its detection; None where none was detected."""

    @property
    def false_accepts_an_hour(self) -> float:
        return self.false_accepts / self.hours

    @property
    def most_an_hour(self) -> float:
        """The rate up to which so few false accepts happen with more than 5 % probability: the
        Poisson distribution's exact upper bound. Three in the time listened where there were none.
        """
        count = self.false_accepts
        low, high = 0.0, count + 10 * math.sqrt(count + 1)
        for _ in range(60):
            middle = (low + high) / 2
            if _at_most(count, middle) > 0.05:
                low = middle
            else:
                high = middle
        return high / self.hours

    @property
    def miss_rate(self) -> float:
        return self.missed / self.events if self.events else 0.0


def build_stream(
    clips: Sequence[Clip],
    background: Int16,
    rate: float,
    rng: np.random.Generator,
    gap: tuple[float, float] = (1.0, 4.0),
) -> LabelledStream:
    """Every clip once, in random order, added to the background with gaps of random length.

    `background`: (T0, channels) or (T0,), silence or noise, repeated from a random place on as
    often as it takes; `gap`: least and most seconds before and after a clip. Sums saturate. Raises
    InputError for no clips, or an empty background.
    """
    if not clips or not background.size:
        raise InputError("a stream needs at least one clip and some background")
    floor = background if background.ndim == 2 else background[:, None]
    pieces = [clip.samples.reshape(-1, floor.shape[1]) for clip in clips]
    order = rng.permutation(len(clips))
    gaps = np.rint(rng.uniform(*gap, len(clips) + 1) * rate).astype(int)
    total = int(gaps.sum()) + sum(map(len, pieces))
    start = int(rng.integers(len(floor)))
    whole = floor[np.arange(start, start + total) % len(floor)].astype(np.int32)
    events: list[Event] = []
    position = 0
    for before, index in zip(gaps, order, strict=False):
        position += int(before)
        end = position + len(pieces[index])
        whole[position:end] += pieces[index]
        label = clips[index].label
        if label is not None:
            events.append(Event(position / rate, end / rate, label))
        position = end
    samples = np.clip(whole, -(1 << 15), (1 << 15) - 1).astype(np.int16)
    return LabelledStream(samples, tuple(events), total / rate)


def stream_probabilities(model: Model, samples: Int16) -> Int:
    """Samples (T, channels) to the probabilities (n, C) Q15 of every inference of a stream, by the
    factory head, or the outputs without one: a device's, where its ring never runs full.

    Raises InputError for a model without a front end, or with variables.
    """
    plan = plan_of(model)
    if model.graph.variables:
        raise InputError("a model with variables sees one sample after the other: use a device")
    frames = frames_of_stream(plan.frontend, samples)
    count = max(0, (len(frames) - plan.frames) // plan.stride + 1)
    starts = np.arange(count) * plan.stride
    parts = [np.zeros((0, _classes(model)), np.int64)]
    for first in range(0, count, AT_ONCE):
        rows = starts[first : first + AT_ONCE, None] + np.arange(plan.frames)
        parts.append(_probabilities(model, frames[rows].reshape(len(rows), -1)))
    return np.concatenate(parts)


def plan_of(model: Model) -> StreamPlan:
    """The model's, or InputError."""
    if model.stream is None:
        raise InputError("the model has no front end: it takes features, not samples")
    return model.stream


def count_detections(
    plan: StreamPlan,
    probabilities: Int,
    stream: LabelledStream,
    thresholds: Iterable[int] = THRESHOLDS,
    late: float = 0.75,
) -> tuple[Counted, ...]:
    """What each threshold (Q15) brings on the probabilities (n, C) of a stream.

    A detection is right where a keyword of its class began before it and ended at most `late`
    seconds before it; several of one keyword count as one. Every other one is a false accept: of
    another class while a keyword is spoken, too.
    """
    mean = means(plan.smoother, probabilities)
    return tuple(_count(plan, threshold, mean, stream, late) for threshold in thresholds)


def choose_threshold(counted: Sequence[Counted], false_accepts_an_hour: float) -> Counted:
    """Of those that keep to so many false accepts an hour the one that misses least; of equals the
    one of fewest false accepts, then the highest threshold.

    Choose on validation people, and count on others. Raises InputError where none keeps to it.
    """
    good = [one for one in counted if one.false_accepts_an_hour <= false_accepts_an_hour]
    if not good:
        least = min(one.false_accepts_an_hour for one in counted) if counted else float("inf")
        raise InputError(
            f"no threshold keeps to {false_accepts_an_hour:g} false accepts an hour: at least "
            f"{least:.3g} are found; allow more, or average over more inferences"
        )
    return min(good, key=lambda one: (one.missed, one.false_accepts, -one.threshold))


def _count(
    plan: StreamPlan, threshold: int, mean: Int, stream: LabelledStream, late: float
) -> Counted:
    delays: dict[int, float] = {}
    false = 0
    for inference, label in detections(replace(plan.smoother, threshold=threshold), mean):
        at = inference_end(plan, inference)
        meant = [
            index
            for index, event in enumerate(stream.events)
            if event.label == label and event.start < at <= event.end + late
        ]
        if not meant:
            false += 1
        for index in meant[-1:]:
            delays.setdefault(index, at - stream.events[index].start)
    return Counted(
        threshold,
        false,
        stream.seconds / 3600,
        len(stream.events) - len(delays),
        len(stream.events),
        float(np.median(list(delays.values()))) if delays else None,
    )


def _at_most(count: int, mean: float) -> float:
    """The probability of at most `count` events of a Poisson distribution of this mean."""
    logarithms = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1))
    return math.fsum(map(math.exp, logarithms))


def _classes(model: Model) -> int:
    return model.head.constants.classes if model.head else model.capacity


def _probabilities(model: Model, x: npt.NDArray[np.int8]) -> Int:
    """(n, C) of the model's inputs (n, bytes)."""
    inputs = split_inputs(model.graph, np.ascontiguousarray(x).view(np.uint8))
    values = run(model.graph, model.kernels, inputs, model.head_operator)
    if model.head is None:
        outputs = values[model.graph.outputs[0]].reshape(len(x), -1)
        return (outputs.astype(np.int64) + 128) << 7
    constants = model.head.constants
    features = values[model.head.feature_tensor].reshape(len(x), -1)
    z = plain.logits(
        (constants.units,), plain.factory_rows(constants), plain.centered(constants, features)
    )
    return plain.softmax(z[:, : constants.classes])[0]
