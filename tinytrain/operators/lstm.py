"""UNIDIRECTIONAL_SEQUENCE_LSTM, int8 with an int16 cell state: the standard cell.

Letters: T time steps, D input elements, S units. Gates stand in the order of the operator's
inputs: input, forget, cell, output. Without peephole, projection and layer normalisation, as
TensorFlow Lite Micro has it, and with batch 1, where time-major and batch-major are the same bytes.

Source: TensorFlow Lite Micro's lstm_eval.h, lstm_eval.cc and lstm_eval_common.cc. Gates are int16
in Q3.12 before their sigmoid or tanh and in Q0.15 after it; the cell state's scale is a power of
two.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.arithmetic import quantize_multiplier
from tinytrain.graph import Quantization
from tinytrain.operators.kernel import (
    MAX_SHIFT,
    SCALES_TOO_FAR_APART,
    Kernel,
    Parameters,
    Reading,
    multipliers,
)
from tinytrain.operators.variables import variable
from tinytrain.sigmoid import UNIT_MULTIPLIER

GATES = ("input", "forget", "cell", "output")

GATE_FRACTION_BITS = 12
"""Of a gate's sum: Q3.12."""

ACTIVATED_FRACTION_BITS = 15
"""Of a gate behind its sigmoid or tanh: Q0.15."""

NO_CLIP = 1 << 15
"""A bound that no int16 passes."""

LOWEST_CELL_EXPONENT = -24

MAX_STEPS = 1 << 12
"""Time steps of one inference."""

LEFT_OUT = {
    "peephole": (9, 10, 11),
    "projection": (16, 17),
    "layer normalisation": (20, 21, 22, 23),
}
"""Inputs of variants that are not supported."""


@dataclass(frozen=True, eq=False)
class Lstm(Parameters):
    structure: ClassVar[str] = "tt_lstm"
    function: ClassVar[str] = "tt_lstm_int8"
    time_steps: int
    input_depth: int
    units: int
    input_zero_point: int
    output_zero_point: int
    cell_clip: int
    """The cell state stays within +-cell_clip: 0 to 32767, or 32768 for no limit."""
    tanh_multiplier: int
    tanh_shift: int
    cell_multiplier: int
    cell_shift: int
    output_multiplier: int
    output_shift: int
    weights: npt.NDArray[np.int8]
    """[4, S, D]"""
    recurrent_weights: npt.NDArray[np.int8]
    """[4, S, S]"""
    bias: npt.NDArray[np.int32]
    """[4, S]"""
    multiplier: npt.NDArray[np.int32]
    """[4], as the three below"""
    shift: npt.NDArray[np.int8]
    recurrent_multiplier: npt.NDArray[np.int32]
    recurrent_shift: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class _Matrices:
    """One matrix a gate, and what rescales its sums to Q3.12."""

    weights: npt.NDArray[np.int8]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int8]


def lower_lstm(reading: Reading) -> Kernel:
    reading.count((20, 24))
    _check_variant(reading)
    x, tensor, input_ = reading.activation()
    y = reading.output()[0]
    hidden, _, hidden_quantization = variable(reading, 18, ("int8",))
    cell, _, cell_quantization = variable(reading, 19, ("int16",))
    steps, depth = _sequence(reading, x)
    gates = _matrices(reading, 1, input_)
    recurrent = _matrices(reading, 5, hidden_quantization)
    units = gates.weights.shape[1]
    if gates.weights.shape[2] != depth or recurrent.weights.shape[1:] != (units, units):
        raise reading.fail(
            f"weights of shape {gates.weights.shape[1:]} and {recurrent.weights.shape[1:]} do not "
            f"fit input {tensor.shape}"
        )
    time_major = bool(reading.attribute("time_major"))
    reading.expect_shape(y, (steps, 1, units) if time_major else (1, steps, units))
    for state in (hidden, cell):
        reading.expect_shape(state, (1, units))
    bias = np.stack([reading.bias(position, units) for position in range(12, 16)])
    _check_sums(reading, gates, bias)
    _check_sums(reading, recurrent, np.zeros_like(bias))
    exponent = _cell_exponent(reading, cell, cell_quantization)
    both = 2.0 ** (-2 * ACTIVATED_FRACTION_BITS)
    cell_multiplier, cell_shift = quantize_multiplier(both / 2.0**exponent)
    output_multiplier, output_shift = quantize_multiplier(
        both / float(hidden_quantization.scale[0])
    )
    if output_shift > 0:
        raise reading.fail(f"the scale of {reading.name(hidden)} is below 2^-30")
    # A cell state that has more fraction bits than Q3.12 is shifted down, any other up.
    finer = max(-GATE_FRACTION_BITS - exponent, 0)
    parameters = Lstm(
        time_steps=steps,
        input_depth=depth,
        units=units,
        input_zero_point=int(input_.zero_point[0]),
        output_zero_point=int(hidden_quantization.zero_point[0]),
        cell_clip=_cell_clip(reading, exponent),
        tanh_multiplier=UNIT_MULTIPLIER << max(GATE_FRACTION_BITS + exponent, 0),
        tanh_shift=finer,
        cell_multiplier=cell_multiplier,
        cell_shift=cell_shift,
        output_multiplier=output_multiplier,
        output_shift=output_shift,
        weights=gates.weights,
        recurrent_weights=recurrent.weights,
        bias=bias,
        multiplier=gates.multiplier,
        shift=gates.shift,
        recurrent_multiplier=recurrent.multiplier,
        recurrent_shift=recurrent.shift,
    )
    macs = steps * (gates.weights.size + recurrent.weights.size)
    kind = reading.operator.kind
    return Kernel(reading.index, kind, parameters, (x,), (y,), macs, state=(hidden, cell))


def _check_variant(reading: Reading) -> None:
    reading.choice("activation", ("TANH",))
    if reading.attribute("diagonal_recurrent_tensors"):
        raise reading.fail("diagonal recurrent weights are not supported")
    inputs = reading.operator.inputs
    for name, positions in LEFT_OUT.items():
        given = [i for i in positions if i < len(inputs) and inputs[i] != -1]
        if given:
            raise reading.fail(
                f"input {reading.name(inputs[given[0]])} is for {name}, which is not supported"
            )


def _sequence(reading: Reading, x: int) -> tuple[int, int]:
    """Time steps and elements of a step."""
    shape = reading.graph.tensors[x].shape
    time_major = bool(reading.attribute("time_major"))
    if len(shape) != 3 or shape[1 if time_major else 0] != 1:
        order = "(steps, 1, elements)" if time_major else "(1, steps, elements)"
        raise reading.fail(f"{reading.name(x)} has shape {shape}; {order} is supported")
    steps = shape[0 if time_major else 1]
    if steps > MAX_STEPS:
        raise reading.fail(f"{steps} time steps; at most {MAX_STEPS} are supported")
    return steps, shape[2]


def _matrices(reading: Reading, first: int, input_: Quantization) -> _Matrices:
    """The four matrices [S, k] from input `first` on, which multiply what `input_` quantizes."""
    found = [reading.weights(first + gate, 2, channel_axis=0) for gate in range(len(GATES))]
    for gate, (weights, scale) in zip(GATES, found, strict=True):
        if weights.shape != found[0][0].shape or scale.size != 1:
            raise reading.fail(
                f"weights of the {gate} gate have shape {weights.shape} and {scale.size} scales; "
                f"{found[0][0].shape} and one are supported"
            )
    reals = [
        float(input_.scale[0]) * float(scale[0]) * 2.0**GATE_FRACTION_BITS for _, scale in found
    ]
    if max(reals) >= 2.0**MAX_SHIFT:
        raise reading.fail(SCALES_TOO_FAR_APART)
    multiplier, shift = multipliers(reals)
    return _Matrices(np.stack([weights for weights, _ in found]), multiplier, shift)


def _check_sums(reading: Reading, matrices: _Matrices, bias: npt.NDArray[np.int32]) -> None:
    for gate in range(len(GATES)):
        reading.check_accumulator(
            matrices.weights[gate], bias[gate], matrices.shift[gate : gate + 1]
        )


def _cell_exponent(reading: Reading, cell: int, quantization: Quantization) -> int:
    """log2 of the cell state's scale."""
    fraction, exponent = frexp(float(quantization.scale[0]))
    if fraction != 0.5 or not LOWEST_CELL_EXPONENT <= exponent - 1 <= 0:
        raise reading.fail(
            f"cell state {reading.name(cell)} has scale {quantization.scale[0]}; a power of two "
            f"from 2^{LOWEST_CELL_EXPONENT} to 1 is supported"
        )
    if quantization.zero_point[0] != 0:
        raise reading.fail(f"cell state {reading.name(cell)} needs zero point 0")
    return exponent - 1


def _cell_clip(reading: Reading, exponent: int) -> int:
    """The bound in units of the cell state, truncated; NO_CLIP where there is none."""
    clip = float(reading.attribute("cell_clip"))  # type: ignore[arg-type]
    if clip < 0:
        raise reading.fail(f"cell_clip is {clip}; 0 or more is supported")
    return NO_CLIP if clip == 0 else int(min(clip / 2.0**exponent, 32767.0))
