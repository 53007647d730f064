"""Constants of motion's front end: what they promise, and what is refused."""

from __future__ import annotations

import re
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytrain.errors import InputError
from tinytrain.frontend.motion import (
    MotionSettings,
    motion_constants,
    resampling,
    resampling_taps,
    statistics_ranges,
)
from tinytrain.training.scaling import to_int8

UNIT = 9.81 / 8192
WINDOWS = MotionSettings(50, 25, 3, 64, 32, UNIT)
STATISTICS = MotionSettings(25, 25, 3, 64, 32, 1.0, "statistics", 4)

ratios = (
    st.tuples(st.integers(1, 64), st.integers(1, 1024))
    .filter(lambda r: gcd(*r) == 1 and r[0] <= 16 * r[1] and r[1] <= 16 * r[0])
    .filter(lambda r: r != (1, 1))
)


@given(ratio=ratios)
def test_a_constant_stays_one_and_no_sum_leaves_32_bits(ratio: tuple[int, int]) -> None:
    taps = resampling_taps(*ratio).astype(np.int64)
    assert len(taps) == ratio[0] and taps.shape[1] <= 224
    assert (taps.sum(axis=1) == 1 << 15).all()
    largest = np.abs(taps).sum(axis=1) * (1 << 15) + (1 << 14)
    assert (largest < 1 << 31).all()


@given(ratio=ratios)
def test_the_resampler_passes_below_and_stops_above_the_lower_nyquist(
    ratio: tuple[int, int],
) -> None:
    """Within 0.1 dB up to 0.7 of it; 55 dB down from 1.3 of it on, which is what folds there."""
    up, down = ratio
    taps = resampling_taps(up, down) / (1 << 15)
    at_up_times_the_rate = taps.T.ravel() / up
    size = 1 << 19
    gain = 20 * np.log10(np.abs(np.fft.rfft(at_up_times_the_rate, size)) + 1e-12)
    nyquist = min(1, up / down) / up / 2
    frequency = np.arange(len(gain)) / size / nyquist
    assert np.abs(gain[frequency <= 0.7]).max() < 0.1
    assert gain[frequency >= 1.3].max() < -55


@pytest.mark.parametrize(
    ("input_rate", "rate", "ratio"),
    [
        (50, 25, (1, 2)),
        (25, 25, (1, 1)),
        (104, 25, (25, 104)),
        (62.5, 50, (4, 5)),
        (20, 100, (5, 1)),
        (119, 20, (20, 119)),
        (33.333333, 100, (3, 1)),
        (100 / 3, 25, (3, 4)),
        (400, 25, (1, 16)),
    ],
)
def test_rates_become_a_fraction(input_rate: float, rate: float, ratio: tuple[int, int]) -> None:
    assert resampling(input_rate, rate) == ratio


def test_rates_without_a_small_fraction_are_refused_and_near_ones_are_named() -> None:
    with pytest.raises(InputError, match="nearest are") as refused:
        resampling(26.3, 25)
    given, rate, near_given, near_rate = map(
        float, re.findall(r"= ([\d.]+) Hz", str(refused.value))
    )
    assert (given, rate) == (26.3, 25.0)
    assert resampling(near_given, 25) == resampling(26.3, near_rate)
    assert abs(near_given / 26.3 - 1) < 0.001
    assert abs(near_rate / 25 - 1) < 0.001


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"input_rate": 500}, "more than 16 times apart"),
        ({"input_rate": 1}, "more than 16 times apart"),
        ({"input_rate": float("nan")}, "input_rate = nan"),
        ({"rate": 0}, "rate = 0 Hz"),
        ({"channels": 33}, "channels = 33; 1 to 32"),
        ({"length": 0}, "length = 0; 1 to 4096"),
        ({"length": 4097}, "length = 4097; 1 to 4096"),
        ({"hop": 0}, "hop = 0; 1 to 65535"),
        ({"form": "spectrum"}, "form = 'spectrum'; allowed are windows, statistics"),
        ({"bands": 3}, "bands = 3 with form = 'windows'"),
        ({"form": "statistics", "bands": -1}, "bands = -1"),
        ({"form": "statistics", "bands": 3, "length": 48}, "a power of two from 16 to 512"),
        ({"form": "statistics", "bands": 3, "length": 8}, "a power of two from 16 to 512"),
        ({"form": "statistics", "bands": 33}, "which hold 32 frequencies"),
        ({"form": "statistics", "bands": 2, "low": 5, "high": 5}, "which hold 1 frequencies"),
        ({"unit": 0}, "a positive unit"),
        ({"unit": 1e20}, "no integers hold them"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed: dict, message: str) -> None:
    settings = {**vars(WINDOWS), **changed}
    with pytest.raises(InputError, match=re.escape(message)):
        motion_constants(MotionSettings(**settings), 0.0, 0.1)


def test_zero_and_scale_of_another_number_than_the_channels_are_refused() -> None:
    with pytest.raises(InputError, match="1 or 3 numbers"):
        motion_constants(WINDOWS, np.zeros(2), np.ones(2))
    with pytest.raises(InputError, match="no integers hold them"):
        motion_constants(WINDOWS, 0.0, np.array([1.0, 0.0, 1.0]))


def quantized(constants, values: np.ndarray) -> np.ndarray:
    q = constants.quantizer
    made = [
        (int(v) - int(offset)) * int(scale) + (1 << (q.shift - 1)) >> q.shift
        for row in values
        for v, offset, scale in zip(
            row,
            np.broadcast_to(q.offset, len(row)),
            np.broadcast_to(q.scale, len(row)),
            strict=True,
        )
    ]
    return np.clip(made, -128, 127).reshape(values.shape)


@pytest.mark.parametrize("triples", [True, False])
def test_windows_are_the_int8_of_training(triples: bool) -> None:
    rng = np.random.default_rng(0)
    counts = np.round(rng.normal(0, [300, 2000, 8000], (2000, 3))).clip(-32768, 32767)
    trained = to_int8(counts[None] * UNIT, "motion", triples, np.ones(1, np.float32), str)
    constants = motion_constants(WINDOWS, trained.zero, trained.scale)
    ours = quantized(constants, counts)
    # The scale of training passes through float32, so that a tie may fall to the other side.
    assert np.abs(ours - trained.x[0]).max() <= 1
    assert (ours != trained.x[0]).mean() < 1e-3


def test_int8_with_a_zero_point_agrees_with_its_physical_value() -> None:
    zero, scale = -100.0, 0.37
    constants = motion_constants(WINDOWS, zero, scale)
    counts = np.arange(-32768, 32768, 17)[:, None]
    expected = np.clip(np.round(counts * UNIT / scale + zero), -128, 127)
    assert np.abs(quantized(constants, counts) - expected).max() <= 1


def test_ranges_of_statistics_use_all_of_int8() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(-1, 1, (4000, 3, 8)) * 10.0 ** np.linspace(2.5, 8, 8)
    values[:, 2, 3] = 77
    ranges = statistics_ranges(values.astype(np.int64))
    constants = motion_constants(STATISTICS, *ranges)
    given = values.astype(np.int64).reshape(-1, 24)[:300]
    made = quantized(constants, given)
    varies = np.arange(24) != 19
    assert np.abs(made[:, ~varies]).max() <= 1
    assert (made[:, varies].min(axis=0) <= -120).all()
    assert (made[:, varies].max(axis=0) >= 120).all()
    zero, scale = ranges
    error = np.abs((made - zero) * scale - given) / scale
    # Half a step, and at most half a count of the offset, which is whole; beyond lies what is cut.
    inside = np.abs(made) < 127
    assert inside.mean() > 0.9
    assert (error[inside] <= 0.55 + np.broadcast_to(0.5 / scale, error.shape)[inside]).all()


def test_ranges_need_a_window() -> None:
    with pytest.raises(InputError, match="at least one window"):
        statistics_ranges(np.zeros((0, 3, 8), np.int64))


@given(
    length=st.sampled_from([16, 64, 512]),
    bands=st.integers(1, 30),
    ends=st.tuples(*2 * [st.floats(0, 12.5)]),
)
def test_bands_lie_side_by_side_within_their_ends(
    length: int, bands: int, ends: tuple[float, float]
) -> None:
    low, high = sorted(ends)
    settings = MotionSettings(25, 25, 1, length, 1, 1.0, "statistics", bands, low, high)
    try:
        edges = motion_constants(settings, 0.0, 1.0).edges.astype(int)
    except InputError as refused:
        assert "fewer bands" in str(refused)
        return
    step = 25 / length
    assert len(edges) == bands + 1 and (np.diff(edges) > 0).all()
    assert edges[0] == max(1, round(low / step))
    assert edges[-1] == min(round((high or 12.5) / step), length // 2) + 1


def test_without_ends_all_frequencies_but_none_are_in_a_band() -> None:
    assert motion_constants(STATISTICS, 0.0, 1.0).edges.tolist() == [1, 2, 6, 14, 33]
