"""The reference kernels of operators that hold state: (inputs, state) to (output, new state).

Arrays as in `tinytrain.emulator.kernels`; the state has a row for each of n independent devices.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinytrain import arithmetic as fixed
from tinytrain.emulator.kernels import Int, Int8, Value, evaluate
from tinytrain.operators.lstm import GATES, Lstm
from tinytrain.operators.svdf import Svdf
from tinytrain.sigmoid import sigmoid_q15, tanh_q15


def _weighted_sums(x: Int8, zero_point: int, weights: Int8) -> Int:
    """(x - zero_point) @ weights.T for x (n, k) and weights (channels, k): exact in float64."""
    centred = x.astype(np.float64) - zero_point
    return (centred @ weights.T.astype(np.float64)).astype(np.int64)


@evaluate.register
def svdf(p: Svdf, x: Int8, state: Value) -> tuple[Int8, Value]:
    """TensorFlow Lite Micro's EvalIntegerSvdfReference (svdf_common.cc)."""
    limits = np.iinfo(state.dtype)
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


SATURATE = np.iinfo(np.int16)

HALF_OF_INT16 = (1 << 30, -14)
"""2^-15 as multiplier and shift: what scales the product with a gate in Q0.15 back."""


def _to_int16(sums: Int, multiplier: int, shift: int) -> Int:
    scaled = fixed.multiply_by_quantized_multiplier(sums, multiplier, shift)
    return np.clip(scaled, SATURATE.min, SATURATE.max)


def _gates(p: Lstm, x: Int8, hidden: Int8) -> list[Int]:
    """The four gates in Q3.12, (n, S) each."""
    gates = []
    for i in range(len(GATES)):
        sums = _weighted_sums(x, p.input_zero_point, p.weights[i]) + p.bias[i]
        recurrent = _weighted_sums(hidden, p.output_zero_point, p.recurrent_weights[i])
        total = _to_int16(sums, int(p.multiplier[i]), int(p.shift[i])) + _to_int16(
            recurrent, int(p.recurrent_multiplier[i]), int(p.recurrent_shift[i])
        )
        gates.append(np.clip(total, SATURATE.min, SATURATE.max))
    return gates


@evaluate.register
def lstm(p: Lstm, x: Int8, hidden: Int8, cell: Value) -> tuple[Int8, Int8, Value]:
    """TensorFlow Lite Micro's LstmStep (lstm_eval.h), for each time step."""
    outputs = []
    state = cell.astype(np.int64)
    for step in np.moveaxis(x.reshape(len(x), p.time_steps, p.input_depth), 1, 0):
        in_gate, forget_gate, cell_gate, out_gate = _gates(p, step, hidden)
        kept = _to_int16(sigmoid_q15(forget_gate) * state, *HALF_OF_INT16)
        added = sigmoid_q15(in_gate) * tanh_q15(cell_gate)
        state = kept + _to_int16(added, p.cell_multiplier, p.cell_shift)
        state = np.clip(np.clip(state, SATURATE.min, SATURATE.max), -p.cell_clip, p.cell_clip)
        shown = tanh_q15(state, p.tanh_multiplier, p.tanh_shift) * sigmoid_q15(out_gate)
        scaled = fixed.multiply_by_quantized_multiplier(shown, p.output_multiplier, p.output_shift)
        hidden = np.clip(scaled + p.output_zero_point, -128, 127).astype(np.int8)
        outputs.append(hidden)
    return np.concatenate(outputs, axis=1), hidden, state.astype(np.int16)
