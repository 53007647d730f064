"""The reference kernels of operators that hold state: (inputs, state) to (output, new state).

Arrays as in `tinytrain.emulator.kernels`; the state has a row for each of n independent devices.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator.kernels import Int, Int8, Value, evaluate
from tinytrain.operators.svdf import Svdf


def _weighted_sums(x: Int8, zero_point: int, weights: Int8) -> Int:
    """(x - zero_point) @ weights.T for x (n, k) and weights (channels, k): exact in float64."""
    centred = x.astype(np.float64) - zero_point
    return (centred @ weights.T.astype(np.float64)).astype(np.int64)


@evaluate.register
def svdf(p: Svdf, x: Int8, state: Value) -> tuple[Int8, Value]:
    """TensorFlow Lite Micro's EvalIntegerSvdfReference (svdf_common.cc)."""
    limits = np.iinfo(p.time_weights.dtype)
    sums = _weighted_sums(x, p.input_zero_point, p.weights)
    projected = p.state_zero_point + fixed.multiply_by_quantized_multiplier(
        sums, p.state_multiplier, p.state_shift
    )
    newest = np.clip(projected, limits.min, limits.max).astype(state.dtype)
    queue = state.reshape(len(x), -1, p.memory)
    queue = np.concatenate([queue[:, :, 1:], newest[:, :, None]], axis=2)
    centred = queue.astype(np.int64) - p.state_zero_point
    filtered: npt.NDArray[np.int64] = (centred * p.time_weights.astype(np.int64)).sum(axis=2)
    acc = fixed.wrap32(filtered.reshape(len(x), p.units, p.rank).sum(axis=2) + p.bias)
    scaled = fixed.multiply_by_quantized_multiplier(acc, p.output_multiplier, p.output_shift)
    output = np.clip(scaled + p.output_zero_point, -128, 127).astype(np.int8)
    return output, queue.reshape(len(x), -1)
