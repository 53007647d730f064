"""Motion to windows, or to statistics of them, in numpy: the reference of
firmware/src/frontend/motion.c, and firmware/FRONTEND.md (section 3) in its words.

Letters: T samples, C channels, L samples of a window, n windows.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator import audio, fixed_transform
from tinytrain.emulator.fixed_log import log2_q16
from tinytrain.errors import InputError
from tinytrain.frontend.constants import STATISTICS, WINDOWS, MotionConstants
from tinytrain.frontend.motion import KINDS

Int = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
Int16 = npt.NDArray[np.int16]

_PART = 4096
"""Resampled samples whose products are held at once."""
_POWER_SHIFT = 12
"""What the bands leave off a power."""


class MotionStream:
    """One stream in chunks of any length: the windows are those of the whole."""

    def __init__(self, constants: MotionConstants) -> None:
        self._constants = constants
        self.reset()

    def reset(self) -> None:
        """The beginning of a stream."""
        k = self._constants
        self._history = np.zeros((0, k.channels), np.int64)
        """(taps, C) the last input samples, oldest first; none before the first."""
        self._phase = k.up
        """Where the next output lies, from the last input sample on, in 1/up of one; >= up."""
        self._window = np.zeros((0, k.channels), np.int64)
        """(filled, C) samples since the beginning of the next window."""
        self._waits = 0
        """Resampled samples to pass over before it begins."""

    def push(self, samples: Int16) -> Int8:
        """Samples (T, C), any number, to the windows that they complete: (n, outputs)."""
        return quantized(self._constants, self.push_raw(samples))

    def push_raw(self, samples: Int16) -> Int:
        """The same before they become int8: samples (n, L, C), or statistics (n, C, 4 + bands)."""
        made = self.push_samples(samples)
        if self._constants.form == WINDOWS:
            return made
        return window_statistics(self._constants, made)

    def push_samples(self, samples: Int16) -> Int:
        """Windows as resampled samples, of either form: (n, L, C)."""
        k = self._constants
        if samples.dtype != np.int16 or samples.ndim != 2 or samples.shape[1] != k.channels:
            raise InputError(
                f"motion is {samples.dtype} of shape {samples.shape}; int16 of shape (samples, "
                f"{k.channels}) is needed"
            )
        made = self._resampled(samples.astype(np.int64)) if len(samples) else self._window[:0]
        passed = min(self._waits, len(made))
        found = np.concatenate([self._window, made[passed:]])
        count = max(0, (len(found) - k.length) // k.hop + 1)
        done = k.hop * count
        self._waits += max(0, done - len(found)) - passed
        self._window = found[done:]
        return found[np.arange(0, done, k.hop)[:, None] + np.arange(k.length)]

    def _resampled(self, x: Int) -> Int:
        """Input samples (T, C) to those of the windows' rate: (m, C)."""
        k = self._constants
        if k.up == k.down:
            return x
        history = self._history if len(self._history) else np.repeat(x[:1], k.taps, axis=0)
        known = np.concatenate([history, x])
        # Positions count from the first sample of x, which lies one after the history's last.
        first = self._phase - k.up
        count = max(0, -(-(len(x) * k.up - first) // k.down))
        self._phase = first + k.down * count - (len(x) - 1) * k.up
        self._history = known[len(known) - k.taps :]
        return _filtered(k, known, first + k.down * np.arange(count))


def windows(constants: MotionConstants, samples: Int16) -> Int8:
    """All windows of a recording (T, C): (n, outputs), of form windows in the order [L][C]."""
    return MotionStream(constants).push(samples)


def statistics(constants: MotionConstants, samples: Int16) -> Int:
    """The statistics of all windows of a recording (T, C), before int8: (n, C, 4 + bands).

    In the order mean and deviation (counts x L), energy (log2 in Q16), zero crossings (Q16), bands
    (log2 in Q16). The constants' quantizer is not looked at, nor is their form.
    """
    return window_statistics(constants, MotionStream(constants).push_samples(samples))


def window_statistics(constants: MotionConstants, x: Int) -> Int:
    """The statistics of windows (n, L, C): (n, C, 4 + bands), in the order of `statistics`."""
    k = constants
    if not len(x):
        return np.zeros((0, k.channels, len(KINDS) + k.bands), np.int64)
    channels = np.swapaxes(x, 1, 2).astype(np.int64)
    total, square = channels.sum(axis=2), (channels * channels).sum(axis=2)
    mean = fixed.divide_rounded(total, k.length)
    deviation = fixed.isqrt64(k.length * square - total * total)
    above = k.length * channels >= total[:, :, None]
    crossings = (above[:, :, 1:] != above[:, :, :-1]).sum(axis=2)
    energy = log2_q16((square + 1).astype(np.uint64))
    found = [total, deviation, energy, crossings << 16]
    if k.bands:
        level = np.clip(channels - mean[:, :, None], -32768, 32767)
        found += _bands(k, (level * k.window_function.astype(np.int64)) >> 1)
    return np.stack(found, axis=2)


def quantized(constants: MotionConstants, values: Int) -> Int8:
    """To int8, of samples (n, L, C) or statistics (n, C, 4 + bands): (n, outputs)."""
    shape = (len(values), constants.outputs)
    if constants.form == STATISTICS:
        values = values.reshape(shape)
    return audio.quantized(constants.quantizer, values).reshape(shape)


def _filtered(k: MotionConstants, known: Int, positions: Int) -> Int:
    """Outputs (m, C) at positions, counted in 1/up from known[taps] on."""
    taps = k.taps_of_phase.astype(np.int64)
    made = np.zeros((len(positions), k.channels), np.int64)
    for begin in range(0, len(positions), _PART):
        at = positions[begin : begin + _PART]
        places = k.taps + at[:, None] // k.up - np.arange(k.taps)
        sums = np.einsum("mtc,mt->mc", known[places], taps[at % k.up])
        made[begin : begin + _PART] = np.clip(fixed.round_half_up(sums, 15), -32768, 32767)
    return made


def _bands(k: MotionConstants, v: Int) -> list[Int]:
    """Of windows (n, C, L) under the window function, the logarithm of each band: (n, C)."""
    shape = v.shape[:2]
    power = fixed_transform.power(k.transform, v.reshape(-1, k.length).T) >> _POWER_SHIFT
    sums = [power[low:high].sum(axis=0) for low, high in pairwise(k.edges.astype(int))]
    return [log2_q16((one + 1).astype(np.uint64)).reshape(shape) for one in sums]
