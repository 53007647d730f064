"""Re-estimated statistics in C, under sanitizers and on Cortex-M, give the bits of the emulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.firmware import statistics_device
from tests.test_cli import classifier, done, windows
from tinytrain import arithmetic as fixed
from tinytrain.emulator import statistics
from tinytrain.emulator.inference import evaluate
from tinytrain.emulator.weighted_kernels import accumulators
from tinytrain.operators.convolution import Conv2D, Convolution, DepthwiseConv2D, window
from tinytrain.project import load_project
from tinytrain.protocol import Status
from tinytrain.statistics import (
    ACCUMULATOR_LIMIT,
    MAX_MAGNITUDE,
    MIN_DEVIATION,
    Guard,
    LayerStatistics,
    StatisticsPlan,
    accumulator_shift,
    renewal_bounds,
)
from tinytrain.variants.fast import FastConvolution, fast_parameters

Program = list[str]


@dataclass(frozen=True)
class Case:
    """A layer, what training people had in it, and one person's samples."""

    height: int
    width: int
    channels: int
    outputs: int
    """Of a depthwise layer the depth multiplier."""
    kernel: int
    stride: int
    padding: str
    depthwise: bool
    samples: int
    share: int
    style: str
    """Of weights and inputs: `random`, `extreme` (largest magnitudes) or `constant` inputs."""
    training: str
    """`near` what the samples give, `far` from it, or at the `limit`."""
    seed: int
    edges: str = "usual"
    """Of biases and shifts: `wide`, up to what conversion accepts; where a fast kernel's end, `far`
    shifts and sums that it cannot `reach`."""


cases = st.builds(
    Case,
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.integers(1, 5),
    outputs=st.integers(1, 4),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.just("SAME"),
    depthwise=st.booleans(),
    samples=st.integers(1, 6),
    share=st.one_of(st.integers(0, 256), st.sampled_from((0, 154, 256))),
    style=st.sampled_from(("random", "extreme", "constant")),
    training=st.sampled_from(("near", "far", "limit")),
    seed=st.integers(0, 2**32 - 1),
    edges=st.sampled_from(("usual", "wide", "far", "reach")),
)

FIXED = [
    Case(9, 9, 5, 4, 3, 1, "SAME", False, 6, 154, "random", "near", 1),
    Case(9, 9, 5, 2, 3, 2, "VALID", True, 6, 154, "random", "near", 2),
    Case(4, 7, 3, 4, 3, 1, "SAME", False, 3, 256, "extreme", "limit", 3),
    Case(5, 5, 2, 1, 2, 1, "SAME", True, 2, 128, "constant", "far", 4),
    Case(9, 9, 5, 4, 3, 1, "SAME", False, 6, 154, "random", "far", 7, "far"),
    Case(9, 9, 5, 1, 3, 1, "SAME", True, 6, 154, "random", "far", 8, "far"),
    Case(9, 9, 5, 4, 3, 1, "SAME", False, 6, 154, "extreme", "limit", 9, "reach"),
    Case(9, 9, 5, 1, 3, 2, "SAME", True, 6, 256, "extreme", "limit", 10, "reach"),
]


def layer_of(case: Case, rng: np.random.Generator) -> Convolution:
    """With biases and shifts up to what conversion accepts."""
    rows = window(case.height, case.kernel, case.stride, 1, case.padding)
    columns = window(case.width, case.kernel, case.stride, 1, case.padding)
    outputs = case.channels * case.outputs if case.depthwise else case.outputs
    shape = (case.kernel, case.kernel)
    whole = (1, *shape, outputs) if case.depthwise else (outputs, *shape, case.channels)
    weights = rng.integers(-127, 128, whole)
    if case.style == "extreme":
        weights = np.where(weights < 0, -127, 127)
    largest = case.kernel**2 * case.channels * 127 * 255
    steepest = min(30, (ACCUMULATOR_LIMIT // largest).bit_length() - 1)
    wide = case.edges == "wide"
    low, high = (-31, steepest + 1) if wide and rng.random() < 0.5 else (-9, 0)
    shift = rng.integers(low, high, outputs)
    if case.edges in ("far", "reach"):
        shift = rng.choice([-1, -2, -21, -22], outputs)
    multiplier = rng.integers(1 << 30, 1 << 31, outputs)
    multiplier[rng.random(outputs) < 0.1] = 0
    room = (ACCUMULATOR_LIMIT >> np.maximum(shift, 0)) - largest
    wide = wide and rng.random() < 0.5
    bias = rng.integers(-room, room + 1) if wide else rng.integers(-(1 << 15), 1 << 15, outputs)
    bias = np.clip(bias, -room, room)
    if case.edges == "far":
        # Sums that such a channel takes to the zero point, whatever they are.
        still = rng.random(outputs) < 0.3
        shift, bias = np.where(still, -24, shift), np.where(still, bias >> 6, bias)
    if case.edges == "reach":
        bias = ((1 << 30) - largest // 255 * 256 - 1) * rng.choice([-1, 1], outputs)
    return (DepthwiseConv2D if case.depthwise else Conv2D)(
        case.height, case.width, case.channels, rows.outputs, columns.outputs, outputs,
        *shape, case.stride, case.stride, 1, 1, rows.before, columns.before,
        int(rng.integers(-128, 128)), int(rng.integers(-128, 128)), -128, 127,
        weights.astype(np.int8), bias.astype(np.int32), multiplier.astype(np.int32),
        shift.astype(np.int8),
    )  # fmt: skip


def inputs_of(case: Case, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    size = (case.samples + 1, case.height * case.width * case.channels)
    x = rng.integers(-128, 128, size)
    if case.style == "extreme":
        x = np.where(x < 0, -128, 127)
    if case.style == "constant":
        x[:] = x[0, 0]
    return x.astype(np.int8)


def training_of(
    case: Case, p: Convolution, x: npt.NDArray[np.int8], rng: np.random.Generator
) -> LayerStatistics:
    shift = accumulator_shift(p, case.samples)
    outputs = p.output_channels
    acc = accumulators(p, x) >> shift
    mean, deviation = acc.mean(axis=(0, 1)), acc.std(axis=(0, 1))
    if case.training == "far":
        mean, deviation = mean * rng.uniform(-2, 2, outputs), deviation * rng.uniform(0, 9, outputs)
    if case.training == "limit":
        mean = MAX_MAGNITUDE * rng.choice([-1.0, 1.0], outputs)
        deviation = rng.choice([0.0, MIN_DEVIATION - 1, MIN_DEVIATION, MAX_MAGNITUDE], outputs)
    return LayerStatistics(
        0, int(case.depthwise), shift, renewal_bounds(p),
        np.clip(np.rint(mean), -MAX_MAGNITUDE, MAX_MAGNITUDE).astype(np.int32),
        np.clip(np.rint(deviation), 0, MAX_MAGNITUDE).astype(np.int32),
    )  # fmt: skip


def assert_the_program_gives_the_emulators_bits(program: Program, case: Case) -> None:
    rng = np.random.default_rng(case.seed)
    p, x = layer_of(case, rng), inputs_of(case, rng)
    layer = training_of(case, p, x, rng)
    plan = StatisticsPlan(
        1, case.samples, case.share, Guard.NONE, p.output_channels, p.output_channels
    )
    for fast in dict.fromkeys((None, fast_convolution(p))):
        found = statistics_device.run(program, p, layer, plan, x, fast)
        assert_the_emulators_bits(found, case, p, x, layer, plan)


def fast_convolution(p: Convolution) -> FastConvolution | None:
    found = fast_parameters(p)
    assert found is None or isinstance(found, FastConvolution)
    return found


def assert_the_emulators_bits(
    found: statistics_device.Answer,
    case: Case,
    p: Convolution,
    x: npt.NDArray[np.int8],
    layer: LayerStatistics,
    plan: StatisticsPlan,
) -> None:
    total = square = np.zeros(p.output_channels, np.int64)
    used = p
    for i, theirs in enumerate(found.observed):
        if i < case.samples:
            acc = accumulators(p, x[i : i + 1])[0] >> layer.accumulator_shift
            total, square = total + acc.sum(axis=0), square + (acc**2).sum(axis=0)
        if i == case.samples - 1:
            used = statistics.renew(p, layer, plan, total, square)
            assert fast_parameters(p) is None or fast_parameters(used) is not None
        assert theirs.left == int(i < case.samples - 1)
        assert theirs.trace == statistics.layer_trace(used, total, square)
        assert theirs.output == evaluate(used, x[i : i + 1]).tobytes()
    assert found.undone == (evaluate(p, x[-1:]).tobytes(),) * 3
    assert found.statuses == (Status.NO_STATISTICS, Status.MEMORY, Status.MEMORY)


@pytest.fixture(scope="session")
def host_program(tmp_path_factory: pytest.TempPathFactory, require_host_gcc: None) -> Program:
    return statistics_device.build_program(tmp_path_factory.mktemp("statistics"), "host")


@settings(max_examples=150, deadline=None)
@given(cases)
@example(FIXED[0])
@example(FIXED[1])
@example(FIXED[2])
@example(FIXED[3])
@example(FIXED[4])
@example(FIXED[5])
@example(FIXED[6])
@example(FIXED[7])
def test_the_host_gives_the_emulators_bits(host_program: Program, case: Case) -> None:
    assert_the_program_gives_the_emulators_bits(host_program, case)


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0", "cortex-m55"])
def test_cortex_m_gives_the_emulators_bits(
    target: str, tmp_path: Path, require_target: Callable[[str], None]
) -> None:
    require_target(target)
    program = statistics_device.build_program(tmp_path, target)
    for case in FIXED:
        assert_the_program_gives_the_emulators_bits(program, case)


@pytest.mark.parametrize("depthwise", [False, True])
def test_another_persons_channels_come_back_to_those_of_training(depthwise: bool) -> None:
    """Inputs of another gain and offset give, with share 1, nearly the outputs they had."""
    case = Case(9, 9, 3, 3, 3, 1, "VALID", depthwise, 40, 256, "random", "near", 5)
    rng = np.random.default_rng(case.seed)
    p = layer_of(case, rng)
    ones = np.ones(p.output_channels, np.int32)
    p = replace(p, bias=1000 * ones, multiplier=ones << 30, shift=(-8 * ones).astype(np.int8))
    usual = rng.integers(-60, 60, (case.samples, 243)).astype(np.int8)
    moved = (usual / 2 + 20).astype(np.int8)
    layer = training_of(case, p, usual, rng)
    plan = StatisticsPlan(
        1, case.samples, case.share, Guard.NONE, p.output_channels, p.output_channels
    )
    acc = accumulators(p, moved) >> layer.accumulator_shift
    renewed = statistics.renew(p, layer, plan, acc.sum(axis=(0, 1)), (acc**2).sum(axis=(0, 1)))
    before, wanted, after = (
        fixed.multiply_by_quantized_multiplier(accumulators(q, x), q.multiplier, q.shift)
        for q, x in ((p, moved), (p, usual), (renewed, moved))
    )
    assert np.abs(after - wanted).mean() < 0.05 * np.abs(before - wanted).mean()


def test_samples_seen_at_once_or_one_by_one_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "small.tflite").write_bytes(classifier())
    np.savez(tmp_path / "x.npz", x=windows(30))
    options = ("--samples", tmp_path / "x.npz", "--statistics", "all", "--statistics-samples", 9)
    done("convert", tmp_path / "small.tflite", "--out", tmp_path / "project", *options)
    model = load_project(tmp_path / "project").model
    assert model.statistics is not None
    x = windows(9).reshape(9, -1)
    states = [statistics.start(model.kernels)] * 2
    for parts, i in ((np.split(x, 9), 0), ([x[:4], x[4:]], 1)):
        for part in parts:
            states[i] = statistics.observe(model.graph, model.statistics, states[i], [part])
    assert [state.layer for state in states] == [1, 1]
    first, second = (statistics.trace(model.statistics, state, 0) for state in states)
    assert first == second


def test_a_channel_that_does_not_vary_is_left_alone() -> None:
    case = Case(5, 5, 2, 3, 3, 1, "VALID", False, 4, 154, "constant", "near", 6)
    rng = np.random.default_rng(case.seed)
    p, x = layer_of(case, rng), inputs_of(case, rng)
    layer = training_of(case, p, x, rng)
    plan = StatisticsPlan(1, case.samples, case.share, Guard.NONE, 3, 3)
    acc = accumulators(p, x[:4])
    renewed = statistics.renew(p, layer, plan, acc.sum(axis=(0, 1)), (acc**2).sum(axis=(0, 1)))
    for name in ("bias", "multiplier", "shift"):
        np.testing.assert_array_equal(getattr(renewed, name), getattr(p, name))


def renewed_once(
    shift: int, gain: float, bias: int = 0, moved: int = 0, dilation: int = 1
) -> tuple[Convolution, Convolution]:
    """A layer of one channel before and after a person whose sums vary 1 / `gain` as much, about a
    mean that lies `moved` lower."""
    p = Conv2D(
        4, 4, 1, 2, 2, 1, 3, 3, 1, 1, dilation, dilation, 0, 0, -128, 0, -128, 127,
        np.full((1, 3, 3, 1), 127, np.int8), np.array([bias], np.int32),
        np.array([3 << 29], np.int32), np.array([shift], np.int8),
    )  # fmt: skip
    layer = LayerStatistics(
        0, 0, 0, renewal_bounds(p), np.zeros(1, np.int32), np.full(1, 64, np.int32)
    )
    positions = 2 * 2
    total = np.full(1, -positions * moved)
    square = np.full(1, positions * (moved**2 + round(64 / gain) ** 2))
    plan = StatisticsPlan(1, 1, 256, Guard.NONE, 1, 1)
    return p, statistics.renew(p, layer, plan, total, square)


@pytest.mark.parametrize(
    ("shift", "gain", "expected"),
    [(-21, 0.5, -22), (-22, 0.5, -22), (-23, 2, -22), (-23, 1, -23), (-4, 4, -2), (-2, 4, -2),
     (-2, 2, -1), (-1, 2, -1), (-1, 0.5, -2)],
)  # fmt: skip
def test_shifts_stay_within_those_of_the_fast_kernel(
    shift: int, gain: float, expected: int
) -> None:
    before, after = renewed_once(shift, gain)
    assert fast_parameters(before) is not None
    assert fast_parameters(after) is not None
    assert after.shift == expected
    assert (after.multiplier == before.multiplier).all()


@pytest.mark.parametrize(("shift", "gain", "expected"), [(-22, 0.5, -23), (-1, 2, 0), (0, 2, 1)])
def test_shifts_of_a_layer_that_only_a_plain_kernel_can_compute_go_beyond(
    shift: int, gain: float, expected: int
) -> None:
    before, after = renewed_once(shift, gain, dilation=2)
    assert fast_parameters(before) is None
    assert after.shift == expected


def test_biases_stay_where_the_fast_kernel_reaches() -> None:
    room = (1 << 30) - 1 - 9 * 127 * 256
    for sign in (-1, 1):
        _, there = renewed_once(-9, 1, sign * (room - 1000), sign * 1000)
        _, beyond = renewed_once(-9, 1, sign * (room - 1000), sign * 1001)
        assert there.bias == sign * room
        assert beyond.bias == sign * (room - 1000)
        assert fast_parameters(there) is not None
