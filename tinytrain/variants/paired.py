"""Weights of dense layers and convolutions in pairs, for the DSP extension: a pair is one int16.

Written for int8 activations x and weights w in pairs of a first (even) and a second (odd) one, with
u = x_odd + 128 and z = -(256 x_even + u) - 1, which both fit 16 bits:

    h = 256 w_odd - w_even        (the int16 that is stored; its low byte, signed, is -w_even)
    h u + (-w_even) z = 256 (w_odd x_odd + w_even x_even + 128 w_odd) + w_even

so that a word of four weights takes one SXTB16 and two SMLAD, where plain bytes take two of each.
Sums are 256 times as large; what is beside them is folded into the start. So is what the very last
u lacks: its sign tells the loop that it is at the end, which saves a register or a load.

Where an activation begins at the zero point (ReLU), it does not matter how ties below zero are
rounded, and the last shift takes the sum's 256 off, too: of a multiplier m, a rounding r and a
shift e, an output is (((sum m) >> 32) + 128 r + 64) >> (e + 7), two instructions less.

Channels go in groups, of a convolution by twos. A group's words of the same four weights lie side
by side, so that one instruction loads two of them. Of a dense layer a group's starts lie before its
other constants, and are one load, too; where all channels have the same other constants, these are
there once, before all starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.variants.fast import (
    CHANNEL,
    Channels,
    Fast,
    FastConv2D,
    FastConvolution,
    FastDense,
    reach_of,
)

MAX_PAIRED_REACH = 1 << 23
"""Sums stay below it: they are 256 times as large."""
TOGETHER = (8, 4, 2, 1)
"""Channels of a group: as many eights as there are, and at most one each of the others."""
END = 1 << 15
"""So much less is the last u, whose sign ends the loop."""
MAX_RELU_SHIFT = 15
"""So that a rounding that is 128 times as large fits 32 bits, with what is added to it."""
MIN_CHANNELS = 6
"""Of a convolution: fewer save less than widening activations for pairs takes more."""
WAY = ["multiplier", "rounding", "shift"]
"""Of a channel, from a sum to an output."""


class PairedFullyConnected(FastDense):
    """The plain constants, which all but the DSP extension read."""

    function: ClassVar[str] = "tt_fast_fully_connected_paired"

    @property
    def groups(self) -> int:
        """The sum of the groups of channels that it has, eights counted once."""
        return min(self.output_depth, 8 + self.output_depth % 8)

    @property
    def uniform(self) -> bool:
        """Whether all channels go from a sum to an output alike."""
        return len(np.unique(self.channels[WAY])) == 1


class PairedConv2D(FastConvolution):
    """The plain constants, as well."""

    function: ClassVar[str] = "tt_fast_conv_2d_paired"


Paired = PairedFullyConnected | PairedConv2D
Arrays = Mapping[str, npt.NDArray[np.generic]]
"""By the field whose place they take."""


def paired(fast: Fast) -> tuple[Paired, Arrays] | None:
    """The layer, and its weights and channels in pairs; None where its kind, its numbers or its
    shape do not allow it."""
    if not isinstance(fast, FastDense | FastConv2D):
        return None
    rows = fast.weights.reshape(len(fast.channels), -1).astype(np.int64)
    if rows.min() < -127 or reach_of(fast.channels["start"], rows) >= MAX_PAIRED_REACH:
        return None
    if isinstance(fast, FastConv2D):
        return _paired_convolution(fast, rows) if fast.output_channels >= MIN_CHANNELS else None
    return _paired_dense(fast, rows) if fast.input_depth % 4 == 0 else None


def _paired_dense(fast: FastDense, rows: npt.NDArray[np.int64]) -> tuple[Paired, Arrays]:
    layer = PairedFullyConnected(**vars(fast))
    words, channels = _in_pairs(fast, rows)
    ordered = _once(channels) if layer.uniform else _starts_first(channels)
    return layer, {"weights": _side_by_side(words), "channels": ordered}


def _paired_convolution(fast: FastConv2D, rows: npt.NDArray[np.int64]) -> tuple[Paired, Arrays]:
    """With weights of 0 up to a whole word."""
    whole = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
    words, channels = _in_pairs(fast, whole)
    return PairedConv2D(**vars(fast)), {"weights": _two_by_two(words), "channels": channels}


def is_relu(fast: Fast) -> bool:
    """Whether all sums below zero give one output, for the activation begins at the zero point."""
    shift = fast.channels["shift"]
    zero_points = fast.channels["rounding"] >> shift
    return bool((zero_points <= fast.activation_min).all() and shift.max() <= MAX_RELU_SHIFT)


def _in_pairs(fast: Fast, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int32], Channels]:
    """Of weights (O, depth): (O, words), and the channels whose starts belong to them."""
    even, odd = rows[:, ::2], rows[:, 1::2]
    pairs = 256 * odd - even
    start = 256 * (fast.channels["start"].astype(np.int64) - 128 * odd.sum(axis=1))
    start += END * pairs[:, -1] - even.sum(axis=1)
    found = fast.channels.copy()
    # Sums wrap on their way to what fits 32 bits.
    found["start"] = start.astype(np.uint32).view(np.int32)
    if is_relu(fast):
        found["rounding"] = 128 * found["rounding"] + 64
        found["shift"] += 7
    return pairs.astype("<i2").view("<i4"), found


def _two_by_two(words: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """Of (O, words): of each pair of channels (words, 2); the last of an odd number has the one
    before once more."""
    odd = len(words) % 2
    pairs = words[: len(words) - odd].reshape(-1, 2, words.shape[1])
    found = np.concatenate([pairs, words[None, -2:]]) if odd else pairs
    return found.transpose(0, 2, 1).reshape(-1).view(np.int8)


def _groups(channels: int) -> Iterator[slice]:
    """Which channels go together."""
    first = 0
    for together in TOGETHER:
        while channels - first >= together:
            yield slice(first, first + together)
            first += together


def _side_by_side(words: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """Of (O, words): of each group (words, channels)."""
    parts = [words[group].T.reshape(-1) for group in _groups(len(words))]
    return np.concatenate(parts).view(np.int8)


def _starts_first(channels: Channels) -> Channels:
    """Of each group all starts, then the rest channel by channel."""
    numbers = np.array(channels.tolist(), "<i4")
    parts = [
        part.reshape(-1)
        for group in _groups(len(channels))
        for part in (numbers[group, 0], numbers[group, 1:])
    ]
    return np.concatenate(parts).view(CHANNEL)


def _once(channels: Channels) -> Channels:
    """An entry of what the channels have in common, without a start; then starts, four an entry."""
    first = channels[:1].copy()
    first["start"] = 0
    starts = np.zeros(-(-len(channels) // 4) * 4, "<i4")
    starts[: len(channels)] = channels["start"]
    return np.concatenate([first, starts.view(CHANNEL)])
