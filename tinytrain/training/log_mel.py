"""Log-mel features in floating point: what the device's integers are compared with.

30 ms frames under a symmetric Hann window, power spectrum, triangular bands spaced evenly on the
HTK mel scale, natural logarithm of (energy + 1e-6); [ln 1e-6, 11] becomes 0 to 255, less 128.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.training.tasks import Frontend

Float64Array = NDArray[np.float64]
_FLOOR = 1e-6
_LOWEST = float(np.log(_FLOOR))
_HIGHEST = 11.0
STEP = (_HIGHEST - _LOWEST) / 255
"""ln energy in a step of a feature."""
ZERO = -128 - _LOWEST / STEP
"""The feature of an energy of 1."""


def filterbank(settings: Frontend) -> Float64Array:
    """(bands, fft / 2 + 1): the weight of each frequency in each band; peaks are 1."""
    edges = np.linspace(_mel(settings.low_hz), _mel(settings.high_hz), settings.bands + 2)
    hertz = 700 * (10 ** (edges / 2595) - 1)
    low, peak, high = (hertz[i : i + settings.bands, None] for i in range(3))
    frequency = np.arange(settings.fft // 2 + 1) * settings.rate / settings.fft
    rising, falling = (frequency - low) / (peak - low), (high - frequency) / (high - peak)
    return np.maximum(0, np.minimum(rising, falling))


def log_mel(audio: NDArray[Any], settings: Frontend) -> NDArray[np.int8]:
    """Clips (n, samples) in [-1, 1] to features (n, frames, bands)."""
    frame = int(settings.rate * settings.frame_ms / 1000)
    hop = int(settings.rate * settings.hop_ms / 1000)
    frames = np.lib.stride_tricks.sliding_window_view(audio, frame, axis=1)[:, ::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(frame), settings.fft)) ** 2
    energy = np.log(power @ filterbank(settings).T + _FLOOR)
    return (np.clip(np.round((energy - _LOWEST) / STEP), 0, 255) - 128).astype(np.int8)


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)
