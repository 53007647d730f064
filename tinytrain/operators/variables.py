"""Variables: READ_VARIABLE and ASSIGN_VARIABLE, their bytes out and in; operators with state."""

from __future__ import annotations

from collections.abc import Sequence

from tinytrain.graph import Quantization, Tensor
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


def variable(
    reading: Reading, position: int, dtypes: Sequence[str]
) -> tuple[int, Tensor, Quantization]:
    """An input that is a variable of one of `dtypes`, with one scale: an operator's own state."""
    index, tensor, quantization = reading.operand(position, dtypes)
    if not tensor.is_variable:
        raise reading.fail(f"input {reading.name(index)} is no variable; its state has to be one")
    return index, tensor, quantization
