"""READ_VARIABLE and ASSIGN_VARIABLE: a variable's bytes out and in, whatever they mean."""

from __future__ import annotations

from tinytrain.operators.kernel import Kernel, Reading
from tinytrain.operators.layout import Copy

STORABLE = ("int8", "uint8", "int16", "int32", "float32")


def lower_variable_copy(reading: Reading) -> Kernel:
    """A copy, never in place: the value read outlives the next assignment of the variable."""
    reading.count((1, 1))
    x, y = reading.input_index(0), reading.operator.outputs[0]
    source, target = reading.graph.tensors[x], reading.graph.tensors[y]
    if source.dtype not in STORABLE:
        raise reading.fail(
            f"{reading.name(x)} is {source.dtype}; supported here: {', '.join(STORABLE)}"
        )
    if (source.dtype, source.elements) != (target.dtype, target.elements):
        raise reading.fail(
            f"{reading.name(y)} is {target.dtype} of shape {target.shape} for {source.dtype} of "
            f"shape {source.shape}"
        )
    return Kernel(reading.index, reading.operator.kind, Copy(source.bytes), (x,), (y,))
