"""MEAN, int8: the average over any axes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from tinytrain.arithmetic import quantize_multiplier
from tinytrain.operators.kernel import MAX_ADDENDS, Kernel, Parameters, Reading, check_shift


@dataclass(frozen=True, eq=False)
class Mean(Parameters):
    """The input seen as (outer, reduced, inner): one run of neighbouring axes is averaged."""

    structure: ClassVar[str] = "tt_average"
    function: ClassVar[str] = "tt_mean"
    outer: int
    reduced: int
    inner: int
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int


def lower_mean(reading: Reading) -> Kernel:
    reading.count((2, 2))
    x, tensor, input_ = reading.activation()
    y, result, output = reading.output()
    _, data = reading.constant(1, "int32")
    rank = len(tensor.shape)
    given = [int(axis) for axis in data.reshape(-1)]
    axes = sorted({axis + rank if axis < 0 else axis for axis in given})
    if not axes or axes[0] < 0 or axes[-1] >= rank or axes[-1] - axes[0] + 1 != len(axes):
        raise reading.fail(f"axes {given}; neighbouring axes of a rank-{rank} input are supported")
    if prod(tensor.shape[axis] for axis in axes) > MAX_ADDENDS:
        raise reading.fail(
            f"it averages over {axes} of {tensor.shape}; at most {MAX_ADDENDS} values"
        )
    outer = prod(tensor.shape[: axes[0]])
    reduced = prod(tensor.shape[axis] for axis in axes)
    inner = prod(tensor.shape[axes[-1] + 1 :])
    if result.elements != outer * inner:
        raise reading.fail(f"output of shape {result.shape} for input {tensor.shape} over {axes}")
    multiplier, shift = quantize_multiplier(float(input_.scale[0]) / float(output.scale[0]))
    check_shift(reading, shift)
    multiplier, shift = _divide(multiplier, shift, reduced)
    parameters = Mean(
        outer=outer,
        reduced=reduced,
        inner=inner,
        input_zero_point=int(input_.zero_point[0]),
        output_zero_point=int(output.zero_point[0]),
        multiplier=multiplier,
        shift=shift,
    )
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), (y,))


def _divide(multiplier: int, shift: int, count: int) -> tuple[int, int]:
    """The multiplier with the division by `count` folded in.

    TensorFlow Lite's reduce: raises the multiplier by as many bits as the division takes off,
    within 32 and without leaving the shift's range, then truncates.
    """
    raised = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << raised) // count, shift - raised
