"""Sounds to log-mel or cepstral frames: the reference for firmware/src/frontend/audio.c, which
gives the same bits. Rules: firmware/FRONTEND.md, section 2.

Letters: n clips, T samples, F frames, B bands, K outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.arithmetic import Int, isqrt64, round_half_up
from tinytrain.emulator.fixed_log import exp2_q16, log2_q16
from tinytrain.emulator.fixed_transform import power
from tinytrain.errors import InputError
from tinytrain.frontend.constants import AudioConstants, Quantizer

Samples = npt.NDArray[np.int16]
_FRAMES_AT_ONCE = 64
"""What they need of memory fits into a processor's cache."""
_LARGEST_ROOT = 2**31 - 1


def features(constants: AudioConstants, samples: Samples) -> npt.NDArray[np.int8]:
    """Clips (n, T) int16, each the beginning of a stream, to features (n, F, K)."""
    return quantized(constants.quantizer, raw_features(constants, samples))


def raw_features(constants: AudioConstants, samples: Samples) -> Int:
    """The same before they become int8: (n, F, K), Q16 of base-2 logarithms; 0 frames where clips
    are shorter than a window."""
    if samples.ndim != 2 or samples.dtype != np.int16:
        raise InputError(
            f"sounds are {samples.dtype} of shape {samples.shape}; int16 of shape (n, samples) is "
            "needed"
        )
    before = np.zeros((len(samples), 1), np.int16)
    with_first = np.concatenate([before, samples], axis=1)
    estimate = np.zeros((len(samples), constants.bands), np.int64)
    return _values(constants, energies(constants, with_first), estimate)


def frames_of(constants: AudioConstants, samples: int) -> int:
    """Frames of so many samples from a stream's beginning."""
    return max(0, (samples - constants.window) // constants.hop + 1)


def quantized(quantizer: Quantizer, values: Int) -> npt.NDArray[np.int8]:
    """Values (..., K) as int8."""
    scaled = (values - quantizer.offset.astype(np.int64)) * quantizer.scale.astype(np.int64)
    return np.clip(round_half_up(scaled, quantizer.shift), -128, 127).astype(np.int8)


class AudioStream:
    """One stream in chunks of any length: the frames are those of the whole."""

    def __init__(self, constants: AudioConstants) -> None:
        self._constants = constants
        self.reset()

    def reset(self) -> None:
        """The beginning of a stream."""
        self._samples = np.zeros(1, np.int16)
        """The one before the next frame, and what came since."""
        self._waits = 0
        """Samples to come before the one that is before the next frame."""
        self._estimate = np.zeros((1, self._constants.bands), np.int64)

    def push(self, samples: Samples) -> npt.NDArray[np.int8]:
        """Samples (any number,) to the frames (F, K) that they complete."""
        return quantized(self._constants.quantizer, self.push_raw(samples))

    def push_raw(self, samples: Samples) -> Int:
        """The same before they become int8."""
        k = self._constants
        skipped = min(self._waits, len(samples))
        self._waits -= skipped
        held = np.concatenate([self._samples, samples[skipped:]])
        made = _values(k, energies(k, held[None]), self._estimate)[0]
        done = len(made) * k.hop
        self._waits += max(0, done - len(held))
        self._samples = held[done:]
        return made


def energies(constants: AudioConstants, samples: Samples) -> npt.NDArray[np.uint64]:
    """Samples (n, 1 + T), the first before the first frame, to the bands' energies (n, F, B)."""
    k, clips = constants, len(samples)
    frames = frames_of(k, samples.shape[1] - 1)
    made = np.zeros((clips * frames, k.bands), np.uint64)
    if not made.size:
        return made.reshape(clips, frames, k.bands)
    windows = np.lib.stride_tricks.sliding_window_view(samples, k.window + 1, axis=1)[:, :: k.hop]
    for start in range(0, len(made), _FRAMES_AT_ONCE):
        part = np.arange(start, min(start + _FRAMES_AT_ONCE, len(made)))
        made[part] = _bands(k, windows[part // frames, part % frames])
    return made.reshape(clips, frames, k.bands)


def _bands(k: AudioConstants, x: Samples) -> npt.NDArray[np.uint64]:
    """Frames (F, 1 + window) to energies (F, B)."""
    y = x[:, 1:].astype(np.int64)
    if k.pre_emphasis:
        y -= (k.pre_emphasis * x[:, :-1].astype(np.int64) + 2**14) >> 15
    v = np.zeros((k.transform.points, len(x)), np.int64)
    v[: k.window] = ((y * k.window_function) >> 1).T
    used = slice(k.first_bin, k.first_bin + len(k.rising))
    p = (power(k.transform, v)[used] >> 12).astype(np.uint64)
    # Sums of segments are differences of running sums, which may wrap.
    ends = np.concatenate([[0], np.cumsum(k.segment_bins, dtype=np.int64)])
    running = np.zeros((2, len(p) + 1, len(x)), np.uint64)
    np.cumsum(p, axis=0, out=running[0, 1:])
    np.cumsum(p * k.rising[:, None].astype(np.uint64), axis=0, out=running[1, 1:])
    whole, rising = np.diff(running[:, ends], axis=1)
    falling = (whole << np.uint64(15)) - rising
    return (rising[:-1] + falling[1:]).T


def _values(k: AudioConstants, energy: npt.NDArray[np.uint64], estimate: Int) -> Int:
    """Energies (n, F, B) to what is quantized, (n, F, K). Updates the noise's estimate (n, B)."""
    if k.noise:
        logarithms = log2_q16(_reduced(k, energy, estimate).astype(np.uint64))
    else:
        logarithms = log2_q16(energy + np.uint64(k.floor))
    if not k.coefficients:
        return logarithms
    sums = logarithms @ k.cosines.astype(np.int64).T
    return np.asarray((sums + 2**14) >> 15)


def _reduced(k: AudioConstants, energy: npt.NDArray[np.uint64], estimate: Int) -> Int:
    """Amplitudes without the noise, at least 1, (n, F, B)."""
    signal = np.minimum(isqrt64(energy >> np.uint64(1)), _LARGEST_ROOT)
    smooth = np.where(np.arange(k.bands) & 1, k.smooth_odd, k.smooth_even)
    noise = np.empty_like(signal)
    for frame in range(signal.shape[1]):
        estimate[:] = (signal[:, frame] * smooth + estimate * (2**14 - smooth)) >> 14
        noise[:, frame] = estimate
    left = np.maximum(signal - np.minimum(noise, signal), (signal * k.least) >> 14)
    return np.maximum(_normalized(k, left, noise) if k.gain else left, 1)


def _normalized(k: AudioConstants, signal: Int, noise: Int) -> Int:
    """Amplitudes by the noise's, compressed; times 8."""
    loudness = log2_q16((noise + k.gain_offset).astype(np.uint64))
    exponent = log2_q16(np.maximum(signal, 1).astype(np.uint64)) + k.lift
    ratio = exp2_q16(exponent - ((k.strength * loudness + 2**14) >> 15))
    ratio = np.where(signal == 0, 0, ratio)
    small = np.minimum(ratio, 2**13)
    return np.where(ratio < 2**13, (small * small) >> 20, (ratio >> 6) - 64) << 3


def mixed(values: npt.NDArray[Any], channels: int) -> Samples:
    """Interleaved int16 of 1 to 8 channels to one: the mean of each sample, rounded down."""
    return (values.reshape(-1, channels).astype(np.int64).sum(axis=1) // channels).astype(np.int16)
