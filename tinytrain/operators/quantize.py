"""QUANTIZE and DEQUANTIZE: between quantizations, and from and to a model's float32 edges.

Sources: micro/kernels/quantize_common.cc, kernels/internal/reference/quantize.h, requantize.h and
dequantize.h of TensorFlow Lite Micro.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinytrain.graph import Quantization, Tensor
from tinytrain.operators.kernel import Kernel, Parameters, Reading, rescaling
from tinytrain.operators.lookup import lower_requantize


@dataclass(frozen=True, eq=False)
class Rescaling(Parameters):
    structure: ClassVar[str] = "tt_rescaling"
    elements: int
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int


class RescaleInt8ToInt16(Rescaling):
    function: ClassVar[str] = "tt_rescale_int8_to_int16"


class RescaleInt16ToInt8(Rescaling):
    function: ClassVar[str] = "tt_rescale_int16_to_int8"


class RescaleInt16(Rescaling):
    function: ClassVar[str] = "tt_rescale_int16"


@dataclass(frozen=True, eq=False)
class Edge(Parameters):
    """real = scale * (quantized - zero_point), in float32."""

    structure: ClassVar[str] = "tt_edge"
    elements: int
    scale: float
    zero_point: int


class QuantizeInt8(Edge):
    function: ClassVar[str] = "tt_quantize_int8"


class QuantizeInt16(Edge):
    function: ClassVar[str] = "tt_quantize_int16"


class DequantizeInt8(Edge):
    function: ClassVar[str] = "tt_dequantize_int8"


class DequantizeInt16(Edge):
    function: ClassVar[str] = "tt_dequantize_int16"


RESCALINGS: dict[tuple[str, str], type[Rescaling]] = {
    ("int8", "int16"): RescaleInt8ToInt16,
    ("int16", "int8"): RescaleInt16ToInt8,
    ("int16", "int16"): RescaleInt16,
}
BYTES = ("int8", "uint8")


QUANTIZERS: dict[str, type[Edge]] = {"int8": QuantizeInt8, "int16": QuantizeInt16}
DEQUANTIZERS: dict[str, type[Edge]] = {"int8": DequantizeInt8, "int16": DequantizeInt16}


def lower_quantize(reading: Reading) -> Kernel:
    reading.count((1, 1))
    types = _types(reading)
    if types[0] == "float32":
        _, tensor, quantization = reading.output(0, tuple(QUANTIZERS))
        return _edge(reading, QUANTIZERS[types[1]], tensor, quantization)
    if types[0] in BYTES and types[1] in BYTES:
        return lower_requantize(reading)
    if types in RESCALINGS:
        return _rescaling(reading, RESCALINGS[types])
    raise reading.fail(
        f"{types[0]} to {types[1]} is not supported; supported are float32 to int8 and int16, "
        "int8 and uint8 to either, int8 and int16 to either"
    )


def lower_dequantize(reading: Reading) -> Kernel:
    reading.count((1, 1))
    types = _types(reading)
    if types[1] != "float32":
        raise reading.fail(f"{types[0]} to {types[1]} is not supported; float32 outputs are")
    _, tensor, quantization = reading.operand(0, tuple(DEQUANTIZERS))
    return _edge(reading, DEQUANTIZERS[types[0]], tensor, quantization)


def _types(reading: Reading) -> tuple[str, str]:
    """Of the input, which is no constant, and of the output, which has its shape."""
    index, output = reading.input_index(0), reading.operator.outputs[0]
    x = reading.graph.tensors[index]
    if x.data is not None:
        raise reading.fail(f"input {reading.name(index)} is a constant; an activation is supported")
    reading.expect_shape(output, x.shape)
    return x.dtype, reading.graph.tensors[output].dtype


def _edge(reading: Reading, kind: type[Edge], tensor: Tensor, quantization: Quantization) -> Kernel:
    """Between float32 and `tensor`."""
    x, y = reading.input_index(0), reading.operator.outputs[0]
    parameters = kind(
        elements=tensor.elements,
        scale=float(quantization.scale[0]),
        zero_point=int(quantization.zero_point[0]),
    )
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), (y,))


def _rescaling(reading: Reading, kind: type[Rescaling]) -> Kernel:
    x, tensor, input_ = reading.activation(0, ("int8", "int16"))
    y, _, output = reading.output(0, ("int8", "int16"))
    real = float(input_.scale[0]) / float(output.scale[0])
    multiplier, shift = rescaling(reading, real, 255 if tensor.dtype == "int8" else 65535)
    parameters = kind(
        elements=tensor.elements,
        input_zero_point=int(input_.zero_point[0]),
        output_zero_point=int(output.zero_point[0]),
        multiplier=multiplier,
        shift=shift,
    )
    leads = reading.in_place(y, x)
    return Kernel(reading.index, reading.operator.kind, parameters, (x,), (y,), leads=leads)
