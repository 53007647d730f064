"""Weights of dense layers in pairs, for the DSP extension: both of a pair in one int16.

Written for int8 activations x and weights w in pairs of a first (even) and a second (odd) one, with
u = x_odd + 128 and z = -(256 x_even + u) - 1, which both fit 16 bits:

    h = 256 w_odd - w_even        (the int16 that is stored; its low byte, signed, is -w_even)
    h u + (-w_even) z = 256 (w_odd x_odd + w_even x_even + 128 w_odd) + w_even

so that a word of four weights takes one SXTB16 and two SMLAD, where plain bytes take two of each.
Sums are 256 times as large; what is beside them is folded into the start.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tinytrain.variants.fast import FastFullyConnected, reach_of

MAX_PAIRED_REACH = 1 << 23
"""Sums stay below it: they are 256 times as large."""
MAX_PAIRED_DEPTH = 4095 // 3
"""Four channels' weights have to lie within reach of an immediate offset of 12 bits."""

Arrays = Mapping[str, npt.NDArray[np.generic]]
"""By the field whose place they take."""


def paired(fast: FastFullyConnected) -> Arrays | None:
    """Weights and channels in pairs; None where the layer's numbers or shape do not allow it."""
    weights = fast.weights.astype(np.int64)
    if (
        fast.input_depth % 4
        or fast.input_depth > MAX_PAIRED_DEPTH
        or weights.min() < -127
        or reach_of(fast.channels["start"], weights) >= MAX_PAIRED_REACH
    ):
        return None
    even, odd = weights[:, ::2], weights[:, 1::2]
    start = 256 * (fast.channels["start"].astype(np.int64) - 128 * odd.sum(axis=1))
    channels = fast.channels.copy()
    # Sums wrap on their way to what fits 32 bits.
    channels["start"] = (start - even.sum(axis=1)).astype(np.uint32).view(np.int32)
    pairs = (256 * odd - even).astype("<i2").view(np.int8)
    return {"weights": pairs.reshape(fast.weights.shape), "channels": channels}
