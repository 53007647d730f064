"""Puts a `Graph` together, operator by operator, in the kinds and attributes of .tflite files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from tinytrain.converters.onnx.layout import Layout, layout_of
from tinytrain.converters.tflite import MAX_CONSTANT_BYTES, MAX_NAME, MAX_OPERATORS
from tinytrain.errors import InputError
from tinytrain.graph import Attribute, Graph, Operator, Quantization, Tensor

NATURAL: Mapping[str, tuple[float, int]] = {
    "SOFTMAX": (1 / 256, -128),
    "LOGISTIC": (1 / 256, -128),
    "TANH": (1 / 128, 0),
}
"""Operators whose output has one scale and zero point, whatever they read."""


@dataclass(frozen=True, eq=False)
class Activation:
    """An int8 tensor of the graph, and what it is in ONNX's terms."""

    tensor: int
    shape: tuple[int, ...]
    """As ONNX has it; the graph's tensor may have any shape of as many elements."""
    layout: Layout
    real: bool
    """Whether it stands for the real numbers behind it: it went through a DequantizeLinear."""


def quantization(scale: float, zero_point: int) -> Quantization:
    return Quantization(np.array([scale], np.float32), np.array([zero_point], np.int64))


def same(a: Quantization, b: Quantization) -> bool:
    """Whether two per-tensor quantizations are equal, bit for bit."""
    return bool(a.scale[0] == b.scale[0] and a.zero_point[0] == b.zero_point[0])


class Builder:
    """The graph so far."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self._constant_bytes = 0
        self._reshaped: dict[tuple[int, tuple[int, ...]], int] = {}

    def input(self, name: str, shape: tuple[int, ...], quantized: Quantization) -> int:
        return self._add(name, shape, quantized)

    def spend(self, size: int, name: str) -> None:
        """Counts bytes of constants before they are made: a file can name one many times."""
        self._constant_bytes += size
        if self._constant_bytes > MAX_CONSTANT_BYTES:
            raise InputError(
                f"'{_short(name)}' brings the constants to {self._constant_bytes} bytes; at most "
                f"{MAX_CONSTANT_BYTES} are supported"
            )

    def constant(
        self, name: str, data: npt.NDArray[np.generic], quantized: Quantization | None = None
    ) -> int:
        self.spend(data.nbytes, name)
        held = np.ascontiguousarray(data)
        self.tensors.append(
            Tensor(_short(name), data.shape, str(data.dtype), quantized, held.reshape(data.shape))
        )
        return len(self.tensors) - 1

    def operator(
        self,
        kind: str,
        inputs: Sequence[int],
        name: str,
        shape: Sequence[int],
        quantized: Quantization,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> int:
        """Adds an operator with one int8 output of `shape`; gives the output's index."""
        if len(self.operators) >= MAX_OPERATORS:
            raise InputError(f"more than {MAX_OPERATORS} operators, at '{_short(name)}'")
        output = self._add(name, tuple(shape), quantized)
        self.operators.append(Operator(kind, tuple(inputs), (output,), attributes or {}))
        return output

    def quantization(self, tensor: int) -> Quantization:
        found = self.tensors[tensor].quantization
        assert found is not None
        return found

    def shaped(self, tensor: int, shape: Sequence[int]) -> int:
        """The tensor under another shape; a RESHAPE in place is no code at all."""
        wanted = tuple(shape)
        held = self.tensors[tensor]
        if held.shape == wanted:
            return tensor
        assert prod(held.shape) == prod(wanted)
        key = (tensor, wanted)
        if key not in self._reshaped:
            self._reshaped[key] = self.operator(
                "RESHAPE", [tensor], f"{held.name}/shape", wanted, self.quantization(tensor)
            )
        return self._reshaped[key]

    def arranged(self, value: Activation, order: Sequence[int]) -> int:
        """A tensor that holds `value` with its ONNX axes in `order`; moved only where it has to."""
        wanted = layout_of(value.shape, order)
        tensor = value.tensor
        if value.layout != wanted:
            tensor = self._from_plain(self._to_plain(tensor, value.layout), wanted)
        return self.shaped(tensor, tuple(value.shape[axis] for axis in order))

    def _to_plain(self, tensor: int, layout: Layout) -> int:
        if layout.plain:
            return tensor
        back = tuple(int(axis) for axis in np.argsort(layout.order))
        return self._transposed(self.shaped(tensor, layout.stored_extents), back)

    def _from_plain(self, tensor: int, layout: Layout) -> int:
        if layout.plain:
            return tensor
        return self._transposed(self.shaped(tensor, layout.extents), layout.order)

    def _transposed(self, tensor: int, order: tuple[int, ...]) -> int:
        held = self.tensors[tensor]
        axes = self.constant(f"{held.name}/order", np.array(order, np.int32))
        shape = tuple(held.shape[axis] for axis in order)
        return self.operator(
            "TRANSPOSE", [tensor, axes], f"{held.name}/moved", shape, self.quantization(tensor)
        )

    def padded(self, tensor: int, pads: Sequence[tuple[int, int]], value: int | None = None) -> int:
        """`pads` (before, after) of each stored axis; `value`: int8 to fill with, for None zero."""
        held, quantized = self.tensors[tensor], self.quantization(tensor)
        shape = [size + sum(pair) for size, pair in zip(held.shape, pads, strict=True)]
        inputs = [tensor, self.constant(f"{held.name}/pads", np.array(pads, np.int32))]
        if value is not None:
            fill = np.array([value], np.int8)
            inputs.append(self.constant(f"{held.name}/fill", fill, quantized))
        kind = "PAD" if value is None else "PADV2"
        return self.operator(kind, inputs, f"{held.name}/padded", shape, quantized)

    def unary(
        self,
        kind: str,
        value: Activation,
        name: str,
        quantized: Quantization,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> Activation:
        """An operator that works element by element: shape and layout stay."""
        shape = self.tensors[value.tensor].shape
        tensor = self.operator(kind, [value.tensor], name, shape, quantized, attributes)
        return replace(value, tensor=tensor, real=True)

    def before_rescaling(self, tensor: int) -> int:
        """What an operator of NATURAL gives, where `tensor` is that rescaled; else `tensor`."""
        writers = {operator.outputs[0]: operator for operator in self.operators}
        writer = writers.get(tensor)
        if writer is None or writer.kind != "QUANTIZE":
            return tensor
        source = writers.get(writer.inputs[0])
        return tensor if source is None or source.kind not in NATURAL else writer.inputs[0]

    def graph(
        self, name: str, inputs: Sequence[int], outputs: Sequence[int], notes: tuple[str, ...]
    ) -> Graph:
        """The graph, without operators and tensors that no output needs."""
        needed = set(outputs)
        kept: list[Operator] = []
        for operator in reversed(self.operators):
            if needed.intersection(operator.outputs):
                kept.append(operator)
                needed.update(operator.inputs)
        needed.update(inputs)
        numbers = {old: new for new, old in enumerate(sorted(needed - {-1}))}
        numbers[-1] = -1
        return Graph(
            name,
            tuple(self.tensors[old] for old in sorted(needed - {-1})),
            tuple(_renumbered(operator, numbers) for operator in reversed(kept)),
            tuple(numbers[tensor] for tensor in inputs),
            tuple(numbers[tensor] for tensor in outputs),
            notes,
        )

    def _add(self, name: str, shape: tuple[int, ...], quantized: Quantization) -> int:
        self.tensors.append(Tensor(_short(name), shape, "int8", quantized))
        return len(self.tensors) - 1


def _renumbered(operator: Operator, numbers: Mapping[int, int]) -> Operator:
    inputs = tuple(numbers[tensor] for tensor in operator.inputs)
    outputs = tuple(numbers[tensor] for tensor in operator.outputs)
    return replace(operator, inputs=inputs, outputs=outputs)


def _short(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name[:MAX_NAME])
