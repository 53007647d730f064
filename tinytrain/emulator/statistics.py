"""Statistics without labels, in numpy: the reference of firmware/src/learn/statistics.c, and
firmware/LEARNING.md (section 9) in its words.

Letters: n samples, O output channels, P output pixels of a layer.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator import guard
from tinytrain.emulator.guard import Evidence
from tinytrain.emulator.inference import run
from tinytrain.emulator.kernels import Value
from tinytrain.emulator.weighted_kernels import accumulators
from tinytrain.graph import Graph
from tinytrain.operators.convolution import Convolution
from tinytrain.operators.kernel import Kernel
from tinytrain.statistics import (
    MAX_RATIO,
    MIN_DEVIATION,
    MIN_RATIO,
    RATIO_ONE,
    SHARE_ONE,
    TRIAL,
    Guard,
    LayerStatistics,
    Moments,
    Standing,
    Statistics,
    StatisticsPlan,
    accumulator_shift,
    convolution,
)

Int = npt.NDArray[np.int64]

PART = 64
"""Samples whose accumulators are held at once."""
NOTHING_WEIGHED = Evidence(*np.zeros((3, 1), np.int64))


@dataclass(frozen=True, eq=False)
class StatisticsState:
    """Where one device stands. Values: `observe` gives the next one."""

    kernels: tuple[Kernel, ...]
    """With the renewed arrays: inferences run these once they are taken."""
    layer: int
    """That is looked at; the number of layers when all are renewed."""
    samples: int
    """That it has seen."""
    sum: Int
    """(O,) of the accumulators of the last layer looked at."""
    square: Int
    standing: Standing = Standing.ESTIMATING
    labelled: bool = False
    """Whether what the trial has weighed had labels."""
    trial: Evidence = NOTHING_WEIGHED
    """What the renewed statistics gain over the factory's, (1,)."""


def start(kernels: Sequence[Kernel]) -> StatisticsState:
    """A device that has renewed nothing."""
    nothing = np.zeros(0, np.int64)
    return StatisticsState(tuple(kernels), 0, 0, nothing, nothing)


def observe(
    graph: Graph, statistics: Statistics, state: StatisticsState, inputs: Sequence[Value]
) -> StatisticsState:
    """After n more samples (n, elements) of each input that a layer looks at; no more than it still
    waits for. Nothing changes once all layers are renewed."""
    if state.standing != Standing.ESTIMATING:
        return state
    layer = statistics.layers[state.layer]
    kernel = state.kernels[layer.operator_index]
    values = run(graph, state.kernels, inputs, end=kernel.index)
    acc = accumulators(convolution(kernel), values[kernel.inputs[0]]) >> layer.accumulator_shift
    total, square = acc.sum(axis=(0, 1)), (acc**2).sum(axis=(0, 1))
    if state.samples:
        total, square = total + state.sum, square + state.square
    seen = replace(state, samples=state.samples + len(inputs[0]), sum=total, square=square)
    if seen.samples < statistics.plan.samples:
        return seen
    renewed = replace(
        kernel, parameters=renew(convolution(kernel), layer, statistics.plan, total, square)
    )
    kernels = (*seen.kernels[: kernel.index], renewed, *seen.kernels[kernel.index + 1 :])
    seen = replace(seen, kernels=kernels, layer=seen.layer + 1, samples=0)
    if seen.layer < statistics.plan.layers:
        return seen
    guarded = statistics.plan.guard != Guard.NONE
    return replace(seen, standing=Standing.TRIAL if guarded else Standing.TAKEN)


def weighs(statistics: Statistics, state: StatisticsState, labelled: bool) -> bool:
    """Whether a sample, with a label or without, is one for the trial."""
    asked = labelled or (statistics.plan.guard == Guard.CONFIDENCE and not state.labelled)
    return state.standing == Standing.TRIAL and asked


def weigh(
    statistics: Statistics, state: StatisticsState, before: Int, after: Int, labelled: bool
) -> StatisticsState:
    """After one more sample of the trial, by its loss (1,) under the factory's statistics and under
    the renewed ones."""
    known = state.trial if labelled == state.labelled else NOTHING_WEIGHED
    gain = guard.gains(TRIAL, before, after)
    trial = Evidence(known.gain + gain, known.squares + gain**2, known.samples + 1)
    opposite = replace(trial, gain=-trial.gain)
    better, worse = (
        bool(guard.accepted(TRIAL, seen, np.zeros(1, np.int64))) for seen in (trial, opposite)
    )
    last = TRIAL.samples if labelled else statistics.plan.samples
    ends = bool(trial.samples >= last)
    standing = Standing.TRIAL
    if (labelled or ends) and better:
        standing = Standing.TAKEN
    elif ends or (labelled and worse):
        standing = Standing.REFUSED
    return replace(state, standing=standing, labelled=labelled, trial=trial)


def renew(
    p: Convolution, layer: LayerStatistics, plan: StatisticsPlan, total: Int, square: Int
) -> Convolution:
    """The layer with the person's statistics, from its sums (O,)."""
    mean, deviation = _mix(p, layer, plan, total, square)
    divisor = np.maximum(deviation, 1)
    ratio = fixed.divide_rounded(layer.deviation * np.int64(RATIO_ONE), divisor)
    ratio = np.clip(ratio, MIN_RATIO, MAX_RATIO)
    moved = fixed.divide_rounded(layer.mean * np.int64(RATIO_ONE), ratio) - mean
    bias = p.bias + (moved << layer.accumulator_shift)
    multiplier, shift = _scaled(p, ratio)
    bounds = layer.bounds
    room = (bounds.limit >> np.maximum(shift, 0)) - bounds.reach
    changes = (
        (np.minimum(layer.deviation, deviation) >= MIN_DEVIATION)
        & (p.multiplier != 0)
        & (np.abs(bias) <= room)
        & (shift >= bounds.min_shift)
        & (shift <= bounds.max_shift)
    )
    return replace(
        p,
        bias=np.where(changes, bias, p.bias).astype(np.int32),
        multiplier=np.where(changes, multiplier, p.multiplier).astype(np.int32),
        shift=np.where(changes, shift, p.shift).astype(np.int8),
    )


def _mix(
    p: Convolution, layer: LayerStatistics, plan: StatisticsPlan, total: Int, square: Int
) -> tuple[Int, Int]:
    """Mean and deviation (O,): the person's, mixed with those of the training people."""
    own, rest = plan.share, SHARE_ONE - plan.share
    n = plan.samples * p.output_height * p.output_width
    centre = fixed.divide_rounded(total, n)
    spread = square - n * centre**2 - 2 * centre * (total - n * centre)
    moved = centre - layer.mean
    within = own * (spread // n) + rest * layer.deviation.astype(np.int64) ** 2
    between = own * rest * moved**2
    mean = layer.mean + fixed.round_half_up(own * moved, 8)
    return mean, fixed.isqrt64((within * SHARE_ONE + between) >> 16)


def _scaled(p: Convolution, ratio: Int) -> tuple[Int, Int]:
    """Multipliers and shifts (O,) times a ratio in Q16."""
    product = p.multiplier * ratio
    raised = 17 - fixed.count_leading_zeros(product >> 32)
    rounded = fixed.round_half_up(product, np.maximum(16 + raised, 1))
    carried = rounded > fixed.INT32_MAX
    return np.where(carried, rounded >> 1, rounded), p.shift + raised + carried


def trace(statistics: Statistics, state: StatisticsState, layer: int) -> int:
    """CRC-32 of a layer's sums and of the arrays that inferences use (tt_statistics_trace)."""
    p = convolution(state.kernels[statistics.layers[layer].operator_index])
    return layer_trace(p, state.sum, state.square)


def layer_trace(p: Convolution, total: Int, square: Int) -> int:
    """The same of a layer p and its sums (O,)."""
    arrays = (total, square, p.bias, p.multiplier, p.shift)
    return zlib.crc32(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays))


def training_moments(
    graph: Graph,
    kernels: Sequence[Kernel],
    operators: Sequence[int],
    samples: int,
    inputs: Sequence[Value],
) -> list[tuple[int, Moments]]:
    """Of each of `operators`, the moments of its accumulators over inputs (n, elements), in units
    of the 2^e that goes with `samples`."""
    sums = {operator: np.zeros((3, _channels(kernels[operator]))) for operator in operators}
    for part in _parts(inputs):
        values = run(graph, kernels, part, end=max(operators))
        for operator, found in sums.items():
            kernel = kernels[operator]
            p = convolution(kernel)
            acc = accumulators(p, values[kernel.inputs[0]]) >> accumulator_shift(p, samples)
            acc = acc.reshape(-1, acc.shape[2])
            found += [np.full(acc.shape[1], len(acc)), acc.sum(axis=0), (acc**2).sum(axis=0)]
    return [(operator, _moments(*found)) for operator, found in sums.items()]


def _channels(kernel: Kernel) -> int:
    return convolution(kernel).output_channels


def _parts(inputs: Sequence[Value]) -> Iterator[list[Value]]:
    for first in range(0, len(inputs[0]), PART):
        yield [x[first : first + PART] for x in inputs]


def _moments(
    count: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    square: npt.NDArray[np.float64],
) -> Moments:
    mean = total / count
    return mean, np.sqrt(np.maximum(square / count - mean**2, 0))
