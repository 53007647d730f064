"""The constants of a sound front end from its settings.

What they do stands in firmware/FRONTEND.md, section 2; tinytrain/emulator/audio.py computes with
them, and so does firmware/src/frontend/audio.c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.frontend.constants import AudioConstants, Quantizer
from tinytrain.frontend.transform import hann, q15, transform_constants

Float64Array = npt.NDArray[np.float64]
Ranges = tuple[npt.ArrayLike, npt.ArrayLike]
"""The values, in Q16 of base-2 logarithms, that become -128 and 127: one of each, or one each for
every output."""

Q16 = 1 << 16
POWER_FLOOR = 1e-6
"""Added to the power of audio in [-1, 1] before the logarithm."""
HIGHEST_LN = 11.0
"""The natural logarithm of power that becomes 127; that of POWER_FLOOR becomes -128."""
HIGHEST_FEATURE = 255 * 666 / 256 / 64
"""The same after noise reduction, of ln(8 v): TensorFlow Lite Micro's micro_speech takes 256 steps
of 666 / 256 from features that are 64 ln(8 v)."""

# The microfrontend's defaults, cut to Q14 as it does.
SMOOTH_EVEN, SMOOTH_ODD, LEAST = (int(x * 2**14) for x in (0.025, 0.06, 0.05))
STRENGTH = 0.95
GAIN_OFFSET = 80
SNR_BITS = 12

_PERCENTILES = (0.1, 99.9)
_LARGEST_SHIFT = 46


@dataclass(frozen=True)
class AudioSettings:
    """What a user says of a sound front end; tinytrain.training.frontend has the same defaults."""

    rate: int = 16000
    """Hz, 1,000 to 96,000."""
    frame_ms: float = 30
    """A frame: 16 samples to `fft`."""
    hop_ms: float = 20
    """From frame to frame: 1 to 65,535 samples, more than a frame allowed."""
    fft: int = 512
    """Points: 64, 128, 256, 512 or 1024."""
    bands: int = 40
    """1 to 128 triangles on the HTK mel scale."""
    low_hz: float = 125
    high_hz: float = 7500
    pre_emphasis: float = 0.0
    """0 to 1: the part of the sample before that is taken off."""
    coefficients: int = 0
    """Of the cepstrum, up to `bands`; 0: the bands themselves."""
    noise_reduction: bool = False
    gain_normalization: bool = False
    """Needs noise reduction, whose estimate it divides by."""

    @property
    def window(self) -> int:
        """Samples of a frame."""
        return int(self.rate * self.frame_ms / 1000)

    @property
    def hop(self) -> int:
        """Samples from frame to frame."""
        return int(self.rate * self.hop_ms / 1000)


def audio_constants(settings: AudioSettings, ranges: Ranges | None = None) -> AudioConstants:
    """The front end's constants. May raise InputError.

    Without `ranges`, log-mel has the range of tinytrain.training.frontend, after noise reduction
    that of micro_speech, and the cepstrum a range that nothing real fills: `cepstral_ranges` gives
    a better one from data.
    """
    _check(settings)
    bits = settings.fft.bit_length() - 1
    first_bin, bins, rising = _triangles(settings)
    noise_unit = 15 - bits
    return AudioConstants(
        rate=settings.rate,
        window=settings.window,
        hop=settings.hop,
        pre_emphasis=round(settings.pre_emphasis * 2**15),
        bands=settings.bands,
        first_bin=first_bin,
        coefficients=settings.coefficients,
        noise=int(settings.noise_reduction),
        gain=int(settings.gain_normalization),
        smooth_even=SMOOTH_EVEN,
        smooth_odd=SMOOTH_ODD,
        least=LEAST,
        strength=round(STRENGTH * 2**15),
        gain_offset=GAIN_OFFSET << noise_unit,
        lift=round(Q16 * (SNR_BITS - (1 - STRENGTH) * noise_unit)),
        floor=round(POWER_FLOOR * 2.0 ** power_bits(settings.fft)),
        transform=transform_constants(settings.fft),
        quantizer=_quantizer(settings, ranges if ranges is not None else _default(settings)),
        window_function=hann(settings.window),
        segment_bins=bins,
        rising=rising,
        cosines=_cosines(settings.coefficients, settings.bands),
    )


def power_bits(points: int) -> int:
    """A band's energy is in units of 2^-power_bits, of the power of audio in [-1, 1]."""
    return 61 - 2 * (points.bit_length() - 1)


def cepstral_ranges(
    constants: AudioConstants, raw: npt.NDArray[np.integer[Any]]
) -> tuple[Float64Array, Float64Array]:
    """Ranges of every output from what data gave: raw (..., outputs), as
    tinytrain.emulator.audio.raw_features gives it.

    From the 0.1st to the 99.9th percentile, at least 1/16 of a base-2 logarithm wide.
    """
    if raw.shape[-1:] != (constants.outputs,) or raw.size == 0:
        raise InputError(
            f"frontend: ranges from values of shape {raw.shape}; (..., {constants.outputs}) "
            "and at least one frame are needed"
        )
    low, high = np.percentile(raw.reshape(-1, constants.outputs), _PERCENTILES, axis=0)
    return low, np.maximum(high, low + Q16 / 16)


def _check(s: AudioSettings) -> None:
    _within("rate", s.rate, 1000, 96000)
    if s.fft not in (64, 128, 256, 512, 1024):
        raise InputError(f"frontend.fft = {s.fft}; 64, 128, 256, 512 or 1024 is needed")
    _within("frame_ms", s.frame_ms, 0.1, 1000)
    if not 16 <= s.window <= s.fft:
        raise InputError(
            f"frontend.frame_ms = {s.frame_ms:g} is {s.window} samples at {s.rate} Hz; 16 to "
            f"frontend.fft = {s.fft} are needed"
        )
    _within("hop_ms", s.hop_ms, 0, 65535)
    if not 1 <= s.hop <= 65535:
        raise InputError(
            f"frontend.hop_ms = {s.hop_ms:g} is {s.hop} samples at {s.rate} Hz; 1 to 65535 are "
            "needed"
        )
    _within("bands", s.bands, 1, 128)
    _within("low_hz", s.low_hz, 0, s.rate / 2)
    _within("high_hz", s.high_hz, s.low_hz, s.rate / 2)
    if s.high_hz == s.low_hz:
        raise InputError(f"frontend.high_hz = {s.high_hz:g}; more than frontend.low_hz is needed")
    _within("pre_emphasis", s.pre_emphasis, 0, 1)
    _within("coefficients", s.coefficients, 0, s.bands)
    if s.gain_normalization and not s.noise_reduction:
        raise InputError(
            "frontend.gain_normalization = true needs frontend.noise_reduction = true, whose "
            "estimate it divides by"
        )


def _within(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"frontend.{key} = {value:g}; {low:g} to {high:g} is allowed")


def _triangles(s: AudioSettings) -> tuple[int, npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """The first frequency, the number in each segment, and the weights of the rising sides.

    Edges are evenly spaced on the HTK mel scale, the sides straight over Hz.
    """
    lowest, highest = (2595 * math.log10(1 + hz / 700) for hz in (s.low_hz, s.high_hz))
    mel = np.linspace(lowest, highest, s.bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    edges[[0, -1]] = s.low_hz, s.high_hz
    edges = np.maximum.accumulate(edges)
    hertz = np.arange(s.fft // 2) * s.rate / s.fft
    first, *inner, end = np.searchsorted(hertz, edges)
    places = np.array([first, *inner, end])
    segment = np.repeat(np.arange(s.bands + 1), np.diff(places))
    rise = (hertz[first:end] - edges[segment]) / np.diff(edges)[segment]
    rising = np.round(np.clip(rise, 0, 1) * 2**15).astype(np.uint16)
    weight = np.zeros(s.bands + 2)
    np.add.at(weight, segment + 1, rising)
    np.add.at(weight, segment, 2**15 - rising.astype(np.float64))
    empty = int(np.sum(weight[1:-1] == 0))
    if empty:
        raise InputError(
            f"frontend.bands = {s.bands}: {empty} of them hold no frequency of the transform; take "
            f"fewer, or a larger frontend.fft than {s.fft}"
        )
    return int(first), np.diff(places).astype(np.uint16), rising


def _cosines(coefficients: int, bands: int) -> npt.NDArray[np.int16]:
    """(coefficients, bands) Q15: rows of the orthonormal discrete cosine transform (DCT-II)."""
    k, b = np.arange(coefficients)[:, None], np.arange(bands)
    norm = np.where(k == 0, math.sqrt(1 / bands), math.sqrt(2 / bands))
    rows = norm * np.cos(np.pi * k * (2 * b + 1) / (2 * bands))
    return q15(rows)


def _default(s: AudioSettings) -> tuple[Float64Array, Float64Array]:
    bits = s.fft.bit_length() - 1
    if s.noise_reduction:
        start = 0.0 if s.gain_normalization else 15.0 - bits
        low, high = start, start + HIGHEST_FEATURE / math.log(2)
    else:
        low, high = (
            power_bits(s.fft) + ln / math.log(2) for ln in (math.log(POWER_FLOOR), HIGHEST_LN)
        )
    if not s.coefficients:
        return np.array([low]) * Q16, np.array([high]) * Q16
    # The first is the mean times sqrt(B); of the others none exceeds half the range times sqrt(B).
    root, half = math.sqrt(s.bands), (high - low) / 2
    lows = np.array([low] + [-half] * (s.coefficients - 1))
    highs = np.array([high] + [half] * (s.coefficients - 1))
    return lows * root * Q16, highs * root * Q16


def _quantizer(s: AudioSettings, ranges: Ranges) -> Quantizer:
    low, high = (np.atleast_1d(np.asarray(r, np.float64)) for r in ranges)
    outputs = s.coefficients or s.bands
    if low.shape != high.shape or low.shape not in ((1,), (outputs,)):
        raise InputError(
            f"frontend: ranges of shapes {low.shape} and {high.shape}; one of each or {outputs} "
            "are needed"
        )
    # A logarithm of 64 bits stays below 2^22, a coefficient below sqrt(128) times that.
    sane = np.isfinite(low) & np.isfinite(high) & (np.abs(low) < 2**28) & (np.abs(high) < 2**28)
    if not np.all(sane & (high - low >= 255 / 2**8)):
        raise InputError(
            "frontend: every range has to be finite, below 2^28, and of a length from 1 on"
        )
    step = (high - low) / 255
    shift = min(_LARGEST_SHIFT, 30 + math.floor(math.log2(step.min())))
    return Quantizer(
        each=int(len(low) > 1),
        shift=shift,
        offset=np.round(low + 128 * step).astype(np.int32),
        scale=np.round(2.0**shift / step).astype(np.int32),
    )
