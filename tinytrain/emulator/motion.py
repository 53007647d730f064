"""Motion to windows, or to statistics of them, in numpy: the reference of
firmware/src/frontend/motion.c, and firmware/FRONTEND.md (section 3) in its words.

Letters: T samples, C channels, L samples of a window, n windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator import fixed_transform
from tinytrain.frontend.constants import STATISTICS, WINDOWS, MotionConstants

Int = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
Int16 = npt.NDArray[np.int16]

_PART = 4096
"""Resampled samples whose products are held at once."""
_POWER_SHIFT = 12
"""What the bands leave off a power."""


@dataclass(frozen=True, eq=False)
class MotionState:
    """Where a stream stands. Values: `push` gives the next one."""

    constants: MotionConstants
    history: Int
    """(taps, C) the last input samples, oldest first; before the first sample (0, C)."""
    phase: int
    """Where the next output lies, from the last input sample on, in 1/up input samples; at least
    `up`."""
    window: Int
    """(filled, C) samples since the beginning of the next window."""
    waits: int
    """Resampled samples to pass over before it begins."""


def start(constants: MotionConstants) -> MotionState:
    """The beginning of a stream."""
    none = np.zeros((0, constants.channels), np.int64)
    return MotionState(constants, none, constants.up, none, 0)


def push(state: MotionState, samples: Int16) -> tuple[MotionState, Int8]:
    """The state after more samples (T, C), and the windows that they completed: (n, outputs)."""
    state, made = _push_samples(state, samples)
    return state, _outputs(state.constants, made)


def windows(constants: MotionConstants, samples: Int16) -> Int8:
    """All windows of a recording (T, C): (n, outputs), of form windows in the order [L][C]."""
    return push(start(constants), samples)[1]


def statistics(constants: MotionConstants, samples: Int16) -> Int:
    """The statistics of all windows of a recording (T, C), before int8: (n, C, 4 + bands).

    In the order mean (counts), deviation (counts x L), energy (log2 in Q16), zero crossings, bands
    (log2 in Q16). `constants` may have any quantizer.
    """
    return window_statistics(constants, sample_windows(constants, samples))


def sample_windows(constants: MotionConstants, samples: Int16) -> Int:
    """The windows of a recording (T, C) after resampling, as samples: (n, L, C)."""
    return _push_samples(start(constants), samples)[1]


def window_statistics(constants: MotionConstants, x: Int) -> Int:
    """The statistics of windows (n, L, C): (n, C, 4 + bands), in the order of `statistics`."""
    k = constants
    channels = np.swapaxes(x, 1, 2).astype(np.int64)
    total, square = channels.sum(axis=2), (channels * channels).sum(axis=2)
    mean = fixed.divide_rounded(total, k.length)
    deviation = fixed.isqrt64(k.length * square - total * total)
    above = k.length * channels >= total[:, :, None]
    crossings = (above[:, :, 1:] != above[:, :, :-1]).sum(axis=2)
    found = [mean, deviation, fixed_transform.log2(square + 1), crossings]
    if k.bands:
        level = np.clip(channels - mean[:, :, None], -32768, 32767)
        found += _bands(k, (level * k.window_function.astype(np.int64)) >> 1)
    return np.stack(found, axis=2)


def quantized(constants: MotionConstants, values: Int) -> Int8:
    """To int8, of samples (n, L, C) or statistics (n, C, 4 + bands): (n, outputs)."""
    of = values if constants.form == WINDOWS else values.reshape(len(values), -1)
    made = fixed_transform.to_int8(constants.quantizer, of)
    return made.reshape(len(values), constants.outputs)


def _outputs(constants: MotionConstants, made: Int) -> Int8:
    if constants.form == STATISTICS:
        return quantized(constants, window_statistics(constants, made))
    return quantized(constants, made)


def _push_samples(state: MotionState, samples: Int16) -> tuple[MotionState, Int]:
    """The state after more samples, and the windows that they completed: (n, L, C)."""
    k = state.constants
    if samples.dtype != np.int16 or samples.ndim != 2 or samples.shape[1] != k.channels:
        raise ValueError(f"{samples.dtype} {samples.shape}; int16 (samples, {k.channels}) is taken")
    if not len(samples):
        return state, np.zeros((0, k.length, k.channels), np.int64)
    state, made = _resampled(state, samples.astype(np.int64))
    passed = min(state.waits, len(made))
    found = np.concatenate([state.window, made[passed:]])
    count = max(0, (len(found) - k.length) // k.hop + 1)
    begins = k.hop * np.arange(count)
    whole = found[begins[:, None] + np.arange(k.length)]
    waits = state.waits - passed + max(0, k.hop * count - len(found))
    return replace(state, window=found[k.hop * count :], waits=waits), whole


def _resampled(state: MotionState, x: Int) -> tuple[MotionState, Int]:
    """The state after input samples (T, C), and the samples of the windows' rate: (m, C)."""
    k = state.constants
    if k.up == k.down:
        return state, x
    history = state.history if len(state.history) else np.repeat(x[:1], k.taps, axis=0)
    # Positions count from the first sample of x, which lies one after the history's last.
    first = state.phase - k.up
    count = max(0, -(-(len(x) * k.up - first) // k.down))
    known = np.concatenate([history, x])
    made = [np.zeros((0, k.channels), np.int64)]
    made += _filtered(k, known, first + k.down * np.arange(count))
    phase = first + k.down * count - (len(x) - 1) * k.up
    return replace(state, history=known[len(known) - k.taps :], phase=phase), np.concatenate(made)


def _filtered(k: MotionConstants, known: Int, positions: Int) -> Iterator[Int]:
    """Outputs at positions, counted in 1/up from known[taps] on, in parts of (m, C)."""
    taps = k.taps_of_phase.astype(np.int64)
    for begin in range(0, len(positions), _PART):
        at = positions[begin : begin + _PART]
        places = k.taps + at[:, None] // k.up - np.arange(k.taps)
        sums = np.einsum("mtc,mt->mc", known[places], taps[at % k.up])
        yield np.clip(fixed.round_half_up(sums, 15), -32768, 32767)


def _bands(k: MotionConstants, v: Int) -> list[Int]:
    """Of windows (n, C, L) under the window function, the logarithm of each band: (n, C)."""
    power = fixed_transform.power(k.transform, v) >> np.uint64(_POWER_SHIFT)
    edges = k.edges.astype(int)
    return [
        fixed_transform.log2(power[:, :, low:high].sum(axis=2) + np.uint64(1))
        for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]
