"""SOFTMAX, int8 to int8, over the last axis."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import ClassVar

import numpy as np

from tinytrain.arithmetic import INT32_MAX, quantize_multiplier
from tinytrain.operators.kernel import Kernel, Parameters, Reading

INTEGER_BITS = 5
"""Of the scaled differences, Q5.26."""

MAX_DEPTH = 4095
"""Of a row whose sum of exponentials, each at most 2^19, stays within 32 bits."""


@dataclass(frozen=True, eq=False)
class Softmax(Parameters):
    structure: ClassVar[str] = "tt_normalization"
    function: ClassVar[str] = "tt_softmax"
    rows: int
    depth: int
    multiplier: int
    shift: int
    difference_min: int
    """Differences to the row's maximum below this give probability 0."""


def lower_softmax(reading: Reading) -> Kernel:
    reading.count((1, 1))
    x, tensor, input_ = reading.activation()
    y, result, output = reading.output()
    if output.scale[0] != np.float32(1 / 256) or output.zero_point[0] != -128:
        raise reading.fail("the output needs scale 1/256 and zero point -128")
    if result.elements != tensor.elements or not tensor.shape:
        raise reading.fail(f"output of shape {result.shape} for input {tensor.shape}")
    beta = float(np.float32(float(reading.attribute("beta"))))  # type: ignore[arg-type]
    real = beta * float(input_.scale[0]) * (1 << (31 - INTEGER_BITS))
    if not real > 1.0:
        raise reading.fail(f"beta {beta} times input scale {input_.scale[0]} is too small")
    multiplier, shift = quantize_multiplier(min(real, float(INT32_MAX)))
    depth = tensor.shape[-1]
    if depth > MAX_DEPTH:
        raise reading.fail(f"its rows have {depth} elements; at most {MAX_DEPTH} are supported")
    parameters = Softmax(
        rows=tensor.elements // depth,
        depth=depth,
        multiplier=multiplier,
        shift=shift,
        difference_min=-floor(31 * 2.0 ** (31 - INTEGER_BITS) / 2.0**shift),
    )
    kind = reading.operator.kind
    leads = reading.in_place(y, x)
    return Kernel(reading.index, kind, parameters, (x,), (y,), leads=leads)
