"""SVDF, int8: a recurrent layer that remembers the last M projections of its input.

Letters: U units, R rank, F = U * R filters, D input elements, M memory. Each filter projects the
input to one number, which enters a queue of M; its output is the queue weighted by time, and a unit
sums its R filters.

Source: TensorFlow Lite Micro's svdf_common.cc, as of 2026 with the ratios of scales in double. It
does not compute the fused activation, and neither does this: the output's quantization already cuts
what RELU would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.arithmetic import multiply_by_quantized_multiplier, quantize_multiplier
from tinytrain.graph import Quantization
from tinytrain.operators.kernel import Kernel, Parameters, Reading, check_shift
from tinytrain.operators.variables import variable


@dataclass(frozen=True, eq=False)
class Svdf(Parameters):
    structure: ClassVar[str] = "tt_svdf"
    units: int
    rank: int
    memory: int
    input_depth: int
    input_zero_point: int
    state_zero_point: int
    output_zero_point: int
    state_multiplier: int
    state_shift: int
    output_multiplier: int
    output_shift: int
    weights: npt.NDArray[np.int8]
    """[F, D]"""
    time_weights: npt.NDArray[np.generic]
    """[F, M], of the state's type."""
    bias: npt.NDArray[np.int32]
    """[U]"""


class SvdfInt8(Svdf):
    """State and time weights int8."""

    function: ClassVar[str] = "tt_svdf_int8"


class SvdfInt16(Svdf):
    """State and time weights int16."""

    function: ClassVar[str] = "tt_svdf_int16"


KINDS = {"int8": SvdfInt8, "int16": SvdfInt16}


def lower_svdf(reading: Reading) -> Kernel:
    reading.count((5, 5))
    reading.choice("activation", ("NONE", "RELU"))
    x, _, input_ = reading.activation()
    y, _, output = reading.output()
    weights, weight_scale = reading.weights(1, 2, channel_axis=0)
    if weight_scale.size != 1:
        raise reading.fail("its feature weights need one scale")
    filters, depth = weights.shape
    rank = reading.integer("rank", 1, filters)
    if filters % rank:
        raise reading.fail(f"{filters} filters are no multiple of rank {rank}")
    state, _, queue = variable(reading, 4, tuple(KINDS))
    time_weights, time_scale = _time_weights(reading, state, filters)
    memory = time_weights.shape[1]
    units = filters // rank
    for index, shape in ((x, (1, depth)), (y, (1, units)), (state, (1, filters * memory))):
        reading.expect_shape(index, shape)
    bias = reading.bias(3, units)
    state_multiplier, state_shift = quantize_multiplier(
        float(input_.scale[0]) * float(weight_scale[0]) / float(queue.scale[0])
    )
    check_shift(reading, state_shift)
    no_bias, shifts = np.zeros(filters, np.int32), np.array([state_shift], np.int8)
    reading.check_accumulator(weights, no_bias, shifts)
    projection = (state_multiplier, state_shift)
    state_zero_point = _state_zero_point(reading, state, queue, weights, projection)
    output_multiplier, output_shift = quantize_multiplier(
        float(queue.scale[0]) * time_scale / float(output.scale[0])
    )
    _check_output(reading, time_weights, bias, output_shift)
    parameters = KINDS[time_weights.dtype.name](
        units=units,
        rank=rank,
        memory=memory,
        input_depth=depth,
        input_zero_point=int(input_.zero_point[0]),
        state_zero_point=state_zero_point,
        output_zero_point=int(output.zero_point[0]),
        state_multiplier=state_multiplier,
        state_shift=state_shift,
        output_multiplier=output_multiplier,
        output_shift=output_shift,
        weights=weights,
        time_weights=time_weights,
        bias=bias,
    )
    macs = filters * (depth + memory)
    return Kernel(reading.index, "SVDF", parameters, (x,), (y,), macs, state=(state,))


def _time_weights(
    reading: Reading, state: int, filters: int
) -> tuple[npt.NDArray[np.signedinteger], float]:
    """[F, M] of the state's type, symmetric, and their one scale."""
    dtype = reading.graph.tensors[state].dtype
    index, data = reading.constant(2, dtype)
    quantization = reading.graph.tensors[index].quantization
    if quantization is None or not quantization.per_tensor or quantization.zero_point[0] != 0:
        raise reading.fail(f"time weights {reading.name(index)} need one scale and zero point 0")
    if data.ndim != 2 or len(data) != filters:
        raise reading.fail(
            f"time weights {reading.name(index)} have shape {data.shape}, not ({filters}, memory)"
        )
    return data.astype(dtype), float(quantization.scale[0])


def _state_zero_point(
    reading: Reading,
    state: int,
    queue: Quantization,
    weights: npt.NDArray[np.int8],
    projection: tuple[int, int],
) -> int:
    """The state's zero point: 0 for int16, and for int8 where projections could saturate.

    Versions of the reference differ there: older ones clamp before they add the zero point, and
    wrap; newer ones clamp after it.
    """
    zero_point = int(queue.zero_point[0])
    reach = int(np.abs(weights.astype(np.int64)).sum(axis=1).max()) * 255
    furthest = int(multiply_by_quantized_multiplier(reach, *projection))
    if zero_point != 0 and (
        reading.graph.tensors[state].dtype == "int16" or furthest + abs(zero_point) > 127
    ):
        raise reading.fail(
            f"state {reading.name(state)} has zero point {zero_point}; 0 is supported, and others "
            "for int8 that never saturates"
        )
    return zero_point


def _check_output(
    reading: Reading,
    time_weights: npt.NDArray[np.signedinteger],
    bias: npt.NDArray[np.int32],
    shift: int,
) -> None:
    """Refuses outputs that could overflow behind their sum.

    The sum itself wraps at 32 bits, as in the reference: full-scale int16 weights can always get
    there, and hardly ever do. A ratio of scales below 1/2 keeps what follows within 32 bits.
    """
    check_shift(reading, shift)
    span = 255 if time_weights.dtype == np.int8 else 1 << 15
    by_unit = np.abs(time_weights.astype(np.int64)).reshape(len(bias), -1).sum(axis=1)
    reach = int((by_unit * span + np.abs(bias.astype(np.int64))).max())
    if reach << max(shift, 0) >= (1 << 31) - 256 and shift > -1:
        raise reading.fail(f"its sums can reach {reach}, too much for its ratio of scales")
