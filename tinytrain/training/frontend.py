"""From waveforms to log-mel features, in floating point.

30 ms frames under a symmetric Hann window, power spectrum, triangular bands spaced evenly on the
HTK mel scale, natural logarithm of (energy + 1e-6); [ln 1e-6, 11] becomes 0 to 255, less 128.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import InputError
from tinytrain.progress import Progress, silent
from tinytrain.training.scaling import Scaled
from tinytrain.training.tasks import Frontend

Float64Array = NDArray[np.float64]
_FLOOR = 1e-6
_LOWEST = float(np.log(_FLOOR))
_HIGHEST = 11.0
_STEP = (_HIGHEST - _LOWEST) / 255
_CLIPS_AT_ONCE = 64


def samples_of_clip(settings: Frontend) -> int:
    """Samples of a clip."""
    return round(settings.seconds * settings.rate)


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
    return (np.clip(np.round((energy - _LOWEST) / _STEP), 0, 255) - 128).astype(np.int8)


def features(
    audio: NDArray[Any], settings: Frontend, where: str, progress: Progress = silent
) -> Scaled:
    """Waveforms (n, samples), int16 or float in [-1, 1], as int8 features with their scale."""
    if audio.ndim != 2 or not (audio.dtype == np.int16 or audio.dtype.kind == "f"):
        raise InputError(
            f"{where}: the waveforms are {audio.dtype} of shape {audio.shape}; int16, or float in "
            "[-1, 1], of shape (n, samples) is needed"
        )
    empty = ~filterbank(settings).any(axis=1)
    if empty.any():
        raise InputError(
            f"{where}: {int(empty.sum())} of {settings.bands} mel bands hold no frequency of the "
            "transform; take a larger frontend.fft or fewer frontend.bands"
        )
    length, unit = samples_of_clip(settings), 32768 if audio.dtype == np.int16 else 1
    parts = []
    for first in range(0, len(audio), _CLIPS_AT_ONCE):
        progress("features", first, len(audio))
        part = audio[first : first + _CLIPS_AT_ONCE, :length].astype(np.float64) / unit
        parts.append(log_mel(np.pad(part, ((0, 0), (0, length - part.shape[1]))), settings))
    progress("features", len(audio), len(audio))
    zero = np.full(1, -128 - _LOWEST / _STEP, np.float32)
    return Scaled(np.concatenate(parts), np.full(1, _STEP, np.float32), zero)


def clips(audio: NDArray[Any], offsets: NDArray[Any], settings: Frontend, where: str) -> Any:
    """Clips that lie one behind the other, each cut or padded at its end: (n, samples)."""
    inside = offsets.ndim == 1 and offsets.dtype.kind in "iu" and len(offsets) > 1
    if not inside or np.any(np.diff(offsets) <= 0) or offsets[0] < 0 or offsets[-1] > len(audio):
        raise InputError(
            f"{where}: data.offsets has to ascend within the {len(audio)} samples of data.x"
        )
    length = samples_of_clip(settings)
    made = np.zeros((len(offsets) - 1, length), audio.dtype)
    for i, (start, end) in enumerate(pairwise(offsets)):
        clip = audio[start : min(end, start + length)]
        made[i, : len(clip)] = clip
    return made


def check_rate(where: Path | str, rate: int, settings: Frontend) -> None:
    """All waveforms of a task have one rate."""
    if rate != settings.rate:
        raise InputError(
            f"{where}: {rate} Hz; the task says frontend.rate = {settings.rate}; resample the file "
            "or change the task: rates are not mixed"
        )


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)
