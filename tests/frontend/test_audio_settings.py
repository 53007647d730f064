"""A front end's constants are what its settings say, and settings that cannot be are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.frontend.audio_cases import NORMALIZED, SETTINGS
from tinytrain.errors import InputError
from tinytrain.frontend.audio import AudioSettings, audio_constants, cepstral_ranges
from tinytrain.frontend.transform import hann, transform_constants
from tinytrain.training.log_mel import filterbank
from tinytrain.training.tasks import Frontend

DEFAULT = AudioSettings()


def weights(settings: AudioSettings) -> Any:
    """(bands, fft / 2 + 1): the triangles that the constants describe."""
    k = audio_constants(settings)
    made = np.zeros((k.bands + 2, settings.fft // 2 + 1))
    place = 0
    for segment, bins in enumerate(k.segment_bins):
        for _ in range(bins):
            rising = k.rising[place] / 2**15
            made[segment + 1, k.first_bin + place] += rising
            made[segment, k.first_bin + place] += 1 - rising
            place += 1
    assert place == len(k.rising)
    return made[1:-1]


@pytest.mark.parametrize(
    "changes", [{}, {"fft": 1024, "bands": 64}, {"low_hz": 0.0, "high_hz": 8000.0}]
)
def test_triangles_are_those_of_the_features_in_floating_point(changes: Any) -> None:
    exact = filterbank(Frontend("log_mel", **changes))
    assert np.abs(weights(replace(DEFAULT, **changes)) - exact).max() <= 2.0**-16 + 1e-9


def test_defaults_are_those_of_the_features_in_floating_point() -> None:
    theirs, k = Frontend("log_mel"), audio_constants(DEFAULT)
    assert (k.rate, k.bands, k.transform.points) == (theirs.rate, theirs.bands, theirs.fft)
    assert (k.window, k.hop) == (480, 320)


def test_windows_and_twiddles_are_rounded_cosines() -> None:
    assert np.abs(hann(480) / 32767 - np.hanning(480)).max() <= 0.5 / 32767 + 1e-12
    turn = np.exp(2j * np.pi * np.arange(256) / 512)
    exact = 2**15 * np.stack([turn.real, turn.imag], axis=1)
    twiddles = transform_constants(512).twiddles
    assert np.abs(twiddles - exact).max() <= 1
    assert (np.abs(twiddles - exact) > 0.5 + 1e-9).sum() == 2


def test_the_ends_of_a_range_are_the_ends_of_int8() -> None:
    q = audio_constants(DEFAULT, ([65536.0], [655360.0])).quantizer
    ends = (np.array([65536, 655360]) - q.offset) * (q.scale / 2.0**q.shift)
    assert ends == pytest.approx([-128, 127], abs=1e-3)
    assert (q.each, q.scale.dtype, q.offset.dtype) == (0, np.int32, np.int32)


def test_each_output_may_have_a_range_of_its_own() -> None:
    low, high = np.arange(40) * 1000.0, np.arange(40) * 1000.0 + 65536 * np.arange(1, 41)
    q = audio_constants(DEFAULT, (low, high)).quantizer
    assert q.each == 1
    assert (low - q.offset) * (q.scale / 2.0**q.shift) == pytest.approx([-128] * 40, abs=0.01)
    assert (high - q.offset) * (q.scale / 2.0**q.shift) == pytest.approx([127] * 40, abs=0.01)
    assert 1 <= q.shift <= 46


@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
def test_constants_have_the_types_of_the_structs(options: Any) -> None:
    k = audio_constants(AudioSettings(**options))
    assert k.window_function.dtype == np.int16 and k.window_function.shape == (k.window,)
    assert k.segment_bins.dtype == np.uint16 and k.segment_bins.shape == (k.bands + 1,)
    assert k.rising.dtype == np.uint16 and k.rising.max() <= 2**15
    assert k.cosines.dtype == np.int16 and k.cosines.shape == (k.coefficients, k.bands)
    assert k.transform.twiddles.shape == (k.transform.points // 2, 2)
    assert k.first_bin + len(k.rising) <= k.transform.points // 2
    assert 1 <= k.floor < 2**31 and 1 <= k.gain_offset < 2**31


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": 999}, r"frontend.rate = 999; 1000 to 96000 is allowed"),
        ({"fft": 500}, r"frontend.fft = 500; 64, 128, 256, 512 or 1024"),
        ({"fft": 2048}, r"frontend.fft = 2048"),
        ({"frame_ms": 33.0}, r"frontend.frame_ms = 33 is 528 samples at 16000 Hz; 16 to .* 512"),
        ({"frame_ms": 0.5}, r"frontend.frame_ms = 0.5 is 8 samples"),
        ({"hop_ms": 0.01}, r"frontend.hop_ms = 0.01 is 0 samples at 16000 Hz; 1 to 65535"),
        ({"hop_ms": 5000.0}, r"frontend.hop_ms = 5000 is 80000 samples"),
        ({"bands": 0}, r"frontend.bands = 0; 1 to 128"),
        ({"bands": 129}, r"frontend.bands = 129"),
        ({"bands": 128}, r"frontend.bands = 128: \d+ of them hold no frequency"),
        ({"high_hz": 8001.0}, r"frontend.high_hz = 8001; 125 to 8000"),
        ({"low_hz": -1.0}, r"frontend.low_hz = -1; 0 to 8000"),
        ({"low_hz": 7500.0}, r"frontend.high_hz = 7500; more than frontend.low_hz"),
        ({"low_hz": float("nan")}, r"frontend.low_hz = nan"),
        ({"pre_emphasis": 1.1}, r"frontend.pre_emphasis = 1.1; 0 to 1"),
        ({"coefficients": 41}, r"frontend.coefficients = 41; 0 to 40"),
        ({"gain_normalization": True}, r"needs frontend.noise_reduction = true"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        audio_constants(replace(DEFAULT, **changes))


@pytest.mark.parametrize(
    "ranges",
    [
        ([0.0, 1e6], [1e6, 2e6]),
        ([0.0], [0.0]),
        ([1e6], [0.0]),
        ([0.0], [float("inf")]),
        ([0.0], [float("nan")]),
        ([0.0], [1e12]),
    ],
)
def test_ranges_that_cannot_be_are_refused(ranges: Any) -> None:
    with pytest.raises(InputError, match="range"):
        audio_constants(DEFAULT, ranges)


def test_ranges_need_frames_of_as_many_outputs() -> None:
    k = audio_constants(replace(DEFAULT, coefficients=13, **NORMALIZED))
    for shape in ((10, 40), (0, 13)):
        with pytest.raises(InputError, match="ranges from values of shape"):
            cepstral_ranges(k, np.zeros(shape, np.int64))
    low, high = cepstral_ranges(k, np.zeros((4, 5, 13), np.int64))
    assert (low == 0).all() and (high == 4096).all()
