"""Layers whose normalization statistics the device re-estimates: which they are, and their
integer constants.

Letters: O output channels, P output pixels of a layer; N forward passes that a layer looks at.
firmware/LEARNING.md ("Statistics without labels") gives the rules; emulator/statistics.py carries
them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.operators.convolution import Conv2D, Convolution, DepthwiseConv2D
from tinytrain.operators.kernel import Kernel, Parameters
from tinytrain.variants.fast import MAX_FAST_REACH, MAX_FAST_SHIFT, fast_parameters

SHARE_ONE = 1 << 8
RATIO_ONE = 1 << 16
MIN_RATIO = RATIO_ONE // 4
MAX_RATIO = RATIO_ONE * 4
MIN_DEVIATION = 16
"""Channels that vary less, in units of 2^e, are left alone."""
ACCUMULATOR_LIMIT = (1 << 31) - 257
"""Sums up to here, raised by their left shift, leave room for the zero point."""
MIN_SHIFT, MAX_SHIFT = -31, 30
"""Of the plain kernels."""
MAX_MAGNITUDE = 1 << 22
"""Of an accumulator in units of 2^e."""
SQUARES_LIMIT = 1 << 62
"""Of a channel's sum of squares."""
MAX_POSITIONS = (1 << 31) - 1
"""Of a channel, N P."""
MAX_SAMPLES = (1 << 16) - 1
ALL = "all"
STATISTICS_FILE = "statistics.bin"
MOST_NAMES, NAME_WIDTH = 3, 30
"""Of layers in a message: converters join the names of everything that they fuse."""


class Guard(IntEnum):
    """What renewed statistics need in order to answer."""

    NONE = 0
    LABELS = 1
    """Labelled samples on which they do better."""
    CONFIDENCE = 2
    """While none of these has come: samples of which the head is surer."""


class Standing(IntEnum):
    """How far renewed statistics are."""

    ESTIMATING = 0
    TRIAL = 1
    TAKEN = 2
    REFUSED = 3


GUARDS = {guard.name.lower(): guard for guard in Guard}


@dataclass(frozen=True)
class TrialRules:
    """The guard's rules in a trial, as a learner's (LearnerConstants)."""

    loss_cap: int = 4096
    """Q10 bits"""
    margin: int = 64
    """Q6 bits"""
    confidence: int = 16
    """Standard errors, in 1/16"""
    samples: int = 255
    """Labelled ones, after which what is not better is refused."""


TRIAL = TrialRules()


@dataclass(frozen=True)
class StatisticsOptions:
    """Which layers renew their statistics, and how; chosen per task."""

    layers: tuple[str, ...] = (ALL,)
    """Names or indices of their output tensors, or `all`."""
    samples: int = 50
    """Forward passes that each layer looks at, N."""
    share: float = 0.6
    """Of the new person in the renewed statistics; the rest is the training people's. 0 to 1."""
    guard: str = "labels"
    """What they need in order to answer: one of GUARDS."""


@dataclass(frozen=True)
class RenewalBounds(Parameters):
    """The twin of the C struct tt_renewal_bounds: within them a renewed channel is one that each
    kernel of the layer can compute."""

    structure: ClassVar[str] = "tt_renewal_bounds"
    reach: int
    limit: int
    min_shift: int
    max_shift: int


@dataclass(frozen=True, eq=False)
class LayerStatistics(Parameters):
    """The twin of the C struct tt_layer_statistics."""

    structure: ClassVar[str] = "tt_layer_statistics"
    operator_index: int
    depthwise: int
    accumulator_shift: int
    bounds: RenewalBounds
    mean: npt.NDArray[np.int32]
    deviation: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class StatisticsPlan(Parameters):
    """The twin of the C struct tt_statistics_plan."""

    structure: ClassVar[str] = "tt_statistics_plan"
    layers: int
    samples: int
    share: int
    guard: int
    channels: int
    widest: int


@dataclass(frozen=True, eq=False)
class Statistics:
    """A model's layers with re-estimated statistics, in the order of the network."""

    options: StatisticsOptions
    plan: StatisticsPlan
    layers: tuple[LayerStatistics, ...]

    @property
    def stored(self) -> bytes:
        """What a project keeps of the training people in STATISTICS_FILE: means, then deviations,
        of one layer after the other, int32."""
        arrays = (array for layer in self.layers for array in (layer.mean, layer.deviation))
        return b"".join(array.astype("<i4").tobytes() for array in arrays)


Moments = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Mean and deviation (O,) of a layer's accumulators."""


def find_layers(
    graph: Graph, kernels: Sequence[Kernel], options: StatisticsOptions, has_head: bool
) -> tuple[int, ...]:
    """The operators that `options` names. Raises InputError where one cannot renew itself, or the
    model has no head to judge by."""
    problem = _bad_option(options)
    if problem:
        raise _fail(graph, problem)
    if graph.variables:
        raise _fail(graph, "the model has variables; only models without them are supported")
    convolutions = [k for k in kernels if isinstance(k.parameters, Conv2D | DepthwiseConv2D)]
    if not convolutions:
        raise _fail(graph, "no layer is an int8 CONV_2D or DEPTHWISE_CONV_2D")
    if options.layers == (ALL,):
        problems = [_unfit(graph, kernel, options.samples) for kernel in convolutions]
        fit = {k.index for k, found in zip(convolutions, problems, strict=True) if found is None}
        if not fit:
            raise _fail(graph, problems[0] or "")
    else:
        fit = {_find_layer(graph, kernels, name, options.samples) for name in options.layers}
    if options.guard != Guard.NONE.name.lower() and not has_head:
        raise _fail(
            graph,
            "no learning head judges them; with a guard of none (--statistics-guard none) they "
            "answer at once",
        )
    return tuple(sorted(fit))


def _bad_option(options: StatisticsOptions) -> str | None:
    if not 1 <= options.samples <= MAX_SAMPLES:
        return f"{options.samples} samples: 1 to {MAX_SAMPLES}"
    if not 0 <= options.share <= 1:
        return f"a share of {options.share}: 0 to 1"
    if options.guard not in GUARDS:
        return f"guard {options.guard!r}: one of {', '.join(GUARDS)}"
    if ALL in options.layers and options.layers != (ALL,):
        return f"'{','.join(options.layers)}': {ALL} stands alone"
    if not all(options.layers):
        return f"'{','.join(options.layers)}': a name is empty"
    return None


def _fail(graph: Graph, problem: str) -> InputError:
    return InputError(f"{graph.name}: statistics: {problem}")


def _find_layer(graph: Graph, kernels: Sequence[Kernel], name: str, samples: int) -> int:
    for kernel in kernels:
        tensor = kernel.outputs[0]
        if name in (str(tensor), graph.tensors[tensor].name):
            problem = _unfit(graph, kernel, samples)
            if problem:
                raise _fail(graph, f"{name}: {problem}")
            return kernel.index
    fit = [k.outputs[0] for k in kernels if _unfit(graph, k, samples) is None]
    named = [f"{tensor} ({_short(graph.tensors[tensor].name)})" for tensor in fit[:MOST_NAMES]]
    choice = ", ".join((*named, *map(str, fit[MOST_NAMES:])))
    raise _fail(
        graph,
        f"{name}: no operator writes a tensor of that name or index; give {ALL}, or names or "
        f"indices among {choice or 'no tensor'}",
    )


def _short(name: str) -> str:
    return name if len(name) <= NAME_WIDTH else name[: NAME_WIDTH - 3] + "..."


def _unfit(graph: Graph, kernel: Kernel, samples: int) -> str | None:
    """Why a layer cannot renew its statistics, or None."""
    p = kernel.parameters
    where = f"operator {kernel.index}"
    if not isinstance(p, Conv2D | DepthwiseConv2D):
        return f"{where} is {kernel.kind}; only int8 CONV_2D and DEPTHWISE_CONV_2D can"
    if graph.tensors[kernel.inputs[0]].data is not None:
        return f"{where} reads a constant"
    if samples * _pixels(p) > MAX_POSITIONS:
        return f"{where} has {_pixels(p)} pixels; with {samples} samples that is more than 2^31"
    return None


def _pixels(p: Convolution) -> int:
    return p.output_height * p.output_width


def convolution(kernel: Kernel) -> Convolution:
    """The parameters of a layer that `find_layers` found."""
    p = kernel.parameters
    assert isinstance(p, Convolution)
    return p


def accumulator_shift(p: Convolution, samples: int) -> int:
    """e: the least with which a channel's sums are exact in 64 bits."""
    largest = layer_reach(p) + int(np.abs(p.bias.astype(np.int64)).max())
    shift = 0
    while True:
        magnitude = (largest >> shift) + 1
        squares = samples * _pixels(p) * magnitude**2
        if magnitude <= MAX_MAGNITUDE and squares <= SQUARES_LIMIT:
            return shift
        shift += 1


def layer_reach(p: Convolution) -> int:
    """A bound on sums without the bias, for any input."""
    axis = 3 if isinstance(p, DepthwiseConv2D) else 0
    rows = np.moveaxis(np.abs(p.weights.astype(np.int64)), axis, 0).reshape(p.output_channels, -1)
    return int(rows.sum(axis=1).max()) * 255


def renewal_bounds(p: Convolution) -> RenewalBounds:
    """Those of a layer that can have a fast kernel are this kernel's whether it has it or not, so
    that what a device learns depends neither on its target nor on what it was optimized for."""
    reach = layer_reach(p)
    if fast_parameters(p) is None:
        return RenewalBounds(reach, ACCUMULATOR_LIMIT, MIN_SHIFT, MAX_SHIFT)
    # There the input's zero point, 128 at most, is in the start, and inputs are up to 128.
    return RenewalBounds(reach // 255 * 256, MAX_FAST_REACH - 1, -MAX_FAST_SHIFT, -1)


def build_statistics(
    kernels: Sequence[Kernel], options: StatisticsOptions, training: Sequence[tuple[int, Moments]]
) -> Statistics:
    """The integer constants; `training`: of each named operator, the training people's moments in
    units of its 2^e."""
    layers = tuple(
        _layer(kernels[operator], options.samples, moments) for operator, moments in training
    )
    widths = [len(layer.mean) for layer in layers]
    plan = StatisticsPlan(
        layers=len(layers),
        samples=options.samples,
        share=round(options.share * SHARE_ONE),
        guard=GUARDS[options.guard],
        channels=sum(widths),
        widest=max(widths),
    )
    return Statistics(options, plan, layers)


def stored_moments(
    kernels: Sequence[Kernel], operators: Sequence[int], data: bytes
) -> list[tuple[int, Moments]]:
    """What `Statistics.stored` gave. Raises ValueError where `data` cannot be that."""
    widths = [convolution(kernels[operator]).output_channels for operator in operators]
    values = np.frombuffer(data, "<i4").astype(np.float64)
    if len(values) != 2 * sum(widths) or np.abs(values).max(initial=0) > MAX_MAGNITUDE:
        raise ValueError("wrong length, or a number that is too large")
    layers = np.split(values, 2 * np.cumsum(widths)[:-1])
    found = [np.split(layer, 2) for layer in layers]
    if any(bool(np.any(deviation < 0)) for _, deviation in found):
        raise ValueError("a negative deviation")
    return [(op, (mean, dev)) for op, (mean, dev) in zip(operators, found, strict=True)]


def _layer(kernel: Kernel, samples: int, moments: Moments) -> LayerStatistics:
    p = convolution(kernel)
    mean, deviation = (np.rint(values).astype(np.int32) for values in moments)
    return LayerStatistics(
        operator_index=kernel.index,
        depthwise=int(isinstance(p, DepthwiseConv2D)),
        accumulator_shift=accumulator_shift(p, samples),
        bounds=renewal_bounds(p),
        mean=mean,
        deviation=deviation,
    )
