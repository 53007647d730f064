"""The emulator of motion's front end: the rules once more, the same stream in any pieces, and what
the numbers mean.
"""

from __future__ import annotations

from itertools import pairwise
from math import isqrt

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.frontend.motion_cases import SIGNALS, Case, case, cases, chunks, made
from tinytrain.emulator import motion
from tinytrain.emulator.fixed_log import log2_q16
from tinytrain.emulator.fixed_transform import power
from tinytrain.errors import InputError
from tinytrain.frontend.constants import WINDOWS, MotionConstants
from tinytrain.frontend.motion import MotionSettings, motion_constants

quick = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def by_the_rules(k: MotionConstants, samples: np.ndarray) -> list[list[int]]:
    """firmware/FRONTEND.md, section 3, word for word in whole numbers."""
    x = [[int(v) for v in row] for row in samples]
    outputs: list[list[int]] = []
    m = 0
    while m * k.down // k.up < len(x):
        i, phase = divmod(m * k.down, k.up)
        outputs.append([resampled(k, x, i, phase, c) for c in range(k.channels)])
        m += 1
    found = []
    for start in range(0, len(outputs) - k.length + 1, k.hop):
        window = outputs[start : start + k.length]
        if k.form == WINDOWS:
            numbers = [v for row in window for v in row]
            places = [c for _ in window for c in range(k.channels)]
        else:
            columns = zip(*window, strict=True)
            numbers = [v for column in columns for v in described(k, list(column))]
            places = list(range(len(numbers)))
        found.append([int8(k, v, place) for v, place in zip(numbers, places, strict=True)])
    return found


def resampled(k: MotionConstants, x: list[list[int]], i: int, phase: int, channel: int) -> int:
    if k.up == k.down:
        return x[i][channel]
    taps = [int(h) for h in k.taps_of_phase[phase]]
    total = sum(h * x[max(i - t, 0)][channel] for t, h in enumerate(taps))
    assert abs(total) + 2**14 < 2**31
    return min(max((total + 2**14) >> 15, -32768), 32767)


def described(k: MotionConstants, x: list[int]) -> list[int]:
    n, total, square = len(x), sum(x), sum(v * v for v in x)
    mean = (abs(total) + n // 2) // n * (1 if total >= 0 else -1)
    sides = [n * v >= total for v in x]
    crossings = sum(a != b for a, b in pairwise(sides))
    found = [total, isqrt(n * square - total**2), logarithm(square + 1), crossings << 16]
    if k.bands:
        level = [min(max(v - mean, -32768), 32767) for v in x]
        v = [a * int(w) >> 1 for a, w in zip(level, k.window_function, strict=True)]
        spectrum = [int(p) for p in power(k.transform, np.array(v)[:, None])[:, 0]]
        for j in range(k.bands):
            bins = range(k.edges[j], k.edges[j + 1])
            found.append(logarithm(sum(spectrum[b] >> 12 for b in bins) + 1))
    return found


def logarithm(v: int) -> int:
    return int(log2_q16(np.array([v], np.uint64))[0])


def int8(k: MotionConstants, v: int, place: int) -> int:
    q = k.quantizer
    i = place if q.each else 0
    assert abs(v - int(q.offset[i])) < 2**31
    product = (v - int(q.offset[i])) * int(q.scale[i])
    return min(max((product + (1 << (q.shift - 1))) >> q.shift, -128), 127)


@quick
@given(one=cases())
@example(case(MotionSettings(20, 50, 1, 1, 1, 0.01), "noise", 0, 0))
def test_the_emulator_follows_the_rules(one: Case) -> None:
    samples = one.samples[:700]
    found = motion.windows(one.constants, samples)
    assert found.shape[1] == one.constants.outputs
    assert found.tolist() == by_the_rules(one.constants, samples)


@quick
@given(one=cases(), seed=st.integers(0, 999))
def test_a_stream_in_any_pieces_gives_the_windows_of_the_whole(one: Case, seed: int) -> None:
    stream = motion.MotionStream(one.constants)
    for _ in range(2):
        parts = [stream.push(chunk) for chunk in chunks(one.samples, seed)]
        expected = motion.windows(one.constants, one.samples)
        np.testing.assert_array_equal(np.concatenate(parts), expected)
        stream.reset()


def at(input_rate: float, rate: float, **others: object) -> MotionConstants:
    """One channel, windows of one sample as they are."""
    one = MotionSettings(input_rate, rate, 1, 1, 1, 1.0, **others)
    return motion_constants(one, 0.0, 1.0)


def stream_of(constants: MotionConstants, samples: np.ndarray) -> np.ndarray:
    return motion.MotionStream(constants).push_samples(samples[:, None])[:, 0, 0]


RATIOS = [(50, 25), (104, 25), (400, 25), (20, 50), (26, 25), (25, 400), (100, 62.5)]


@pytest.mark.parametrize(("input_rate", "rate"), RATIOS)
@pytest.mark.parametrize("value", [-32768, -1, 0, 1, 77, 32767])
def test_a_constant_is_exactly_that(input_rate: float, rate: float, value: int) -> None:
    samples = np.full(2000, value, np.int16)
    assert (stream_of(at(input_rate, rate), samples) == value).all()


def left_of(signal: np.ndarray, frequency: float) -> tuple[float, float]:
    """The amplitude of a frequency (in turns a sample), and the root mean square of the rest."""
    turn = 2 * np.pi * frequency * np.arange(len(signal))
    basis = np.stack([np.cos(turn), np.sin(turn), np.ones(len(signal))], axis=1)
    parts, *_ = np.linalg.lstsq(basis, signal, rcond=None)
    return float(np.hypot(*parts[:2])), float(np.sqrt(np.mean((signal - basis @ parts) ** 2)))


@pytest.mark.parametrize(("input_rate", "rate"), RATIOS)
@pytest.mark.parametrize("part", [0.01, 0.3, 0.69])
def test_a_sine_stays_one(input_rate: float, rate: float, part: float) -> None:
    """Up to 0.7 of the lower Nyquist: its amplitude within 0.1 dB, all else 55 dB below it."""
    hertz = part * min(input_rate, rate) / 2
    count = round(40 * input_rate / min(input_rate, rate) / min(part, 0.2))
    sine = 20000 * np.sin(2 * np.pi * hertz / input_rate * np.arange(count) + 0.3)
    constants = at(input_rate, rate)
    found = stream_of(constants, np.round(sine).astype(np.int16))
    begun = constants.taps * constants.up // constants.down + 1
    amplitude, rest = left_of(found[begun:], hertz / rate)
    assert abs(20 * np.log10(amplitude / 20000)) < 0.1
    assert 20 * np.log10(amplitude / np.sqrt(2) / max(rest, 1e-9)) > 55


@pytest.mark.parametrize(("input_rate", "rate"), [r for r in RATIOS if r[0] > 1.5 * r[1]])
def test_what_is_above_the_windows_rate_is_not_folded_into_it(
    input_rate: float, rate: float
) -> None:
    """What would come out below 0.7 of the Nyquist is 55 dB down."""
    for part in (1.31, 1.6, 1.99, 2.0):
        hertz = part * rate / 2
        if hertz > 0.98 * input_rate / 2:
            continue
        count = round(60 * input_rate / rate)
        sine = 20000 * np.sin(2 * np.pi * hertz / input_rate * np.arange(count) + 0.3)
        found = stream_of(at(input_rate, rate), np.round(sine).astype(np.int16))[20:]
        assert 20 * np.log10(max(np.abs(found).max(), 1) / 20000) < -55


def test_statistics_mean_what_they_are_called() -> None:
    rng = np.random.default_rng(0)
    settings_ = MotionSettings(25, 25, 3, 64, 40, 1.0, "statistics", 4)
    constants = motion_constants(settings_, 0.0, 1.0)
    drawn = rng.normal([0, 500, -9000], [40, 3000, 5000], (4000, 3))
    samples = np.clip(np.round(drawn), -32768, 32767).astype(np.int16)
    found = motion.statistics(constants, samples)
    windows = np.lib.stride_tricks.sliding_window_view(samples, 64, axis=0)[::40].astype(float)
    assert len(found) == len(windows) == 99
    np.testing.assert_allclose(found[..., 0] / 64, windows.mean(axis=2))
    np.testing.assert_allclose(found[..., 1] / 64, windows.std(axis=2), atol=1 / 64)
    energy = np.log2((windows**2).sum(axis=2) + 1)
    np.testing.assert_allclose(found[..., 2] / 65536, energy, atol=2e-5)
    mean = windows.mean(axis=2, keepdims=True)
    crossings = (np.diff(windows >= mean, axis=2) != 0).sum(axis=2)
    np.testing.assert_array_equal(found[..., 3], crossings << 16)
    level = windows - np.sign(mean) * np.floor(np.abs(mean) + 0.5)
    # The transform's result is divided by N, its input was multiplied by 2^14.
    spectrum = np.abs(np.fft.rfft(level * np.hanning(64)) * 2**14 / 64) ** 2 / 2**12
    for j, (low, high) in enumerate([(1, 2), (2, 6), (6, 14), (14, 33)]):
        band = np.log2(spectrum[..., low:high].sum(axis=2) + 1)
        np.testing.assert_allclose(found[..., 4 + j] / 65536, band, atol=0.01)


def test_a_band_rises_where_its_frequency_is() -> None:
    settings_ = MotionSettings(25, 25, 1, 64, 64, 1.0, "statistics", 4)
    constants = motion_constants(settings_, 0.0, 1.0)
    for band, bin_ in enumerate((1, 4, 10, 25)):
        sine = np.round(1000 * np.sin(2 * np.pi * bin_ / 64 * np.arange(64))).astype(np.int16)
        found = motion.statistics(constants, sine[:, None])[0, 0, 4:]
        assert int(np.argmax(found)) == band


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("length", [1, 512, 4096])
def test_no_statistic_of_any_signal_leaves_31_bits(signal: str, length: int) -> None:
    bands = 8 if length == 512 else 0
    one = MotionSettings(25, 25, 2, length, length, 1.0, "statistics", bands)
    found = motion.statistics(motion_constants(one, 0.0, 1.0), made(signal, 1, 2 * length, 2))
    assert len(found) == 2
    assert np.abs(found).max() < 2**30
    assert (found[..., 1:] >= 0).all()


def test_samples_of_another_kind_are_refused() -> None:
    constants = at(25, 25)
    for samples in (np.zeros((4, 2), np.int16), np.zeros((4, 1)), np.zeros(4, np.int16)):
        with pytest.raises(InputError, match=r"int16 of shape \(samples, 1\) is needed"):
            motion.windows(constants, samples)
    assert motion.windows(constants, np.zeros((0, 1), np.int16)).shape == (0, 1)
