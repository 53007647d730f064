"""What a name of an ONNX graph stands for while it is folded into integer operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, prod

import numpy as np
import numpy.typing as npt

from tinytrain.converters.onnx.builder import NATURAL, Activation, Builder, quantization, same
from tinytrain.converters.onnx.reader import Node
from tinytrain.graph import Quantization

Clamp = tuple[float, float]
"""Real bounds that a Relu or Clip puts on a value."""

FREE: Clamp = (-inf, inf)

FUSED: tuple[tuple[str, Clamp], ...] = (
    ("NONE", FREE),
    ("RELU", (0.0, inf)),
    ("RELU6", (0.0, 6.0)),
    ("RELU_N1_TO_1", (-1.0, 1.0)),
)

Emit = Callable[[Quantization, Clamp, str], Activation]
"""Adds an operator whose output has a quantization, a clamp and a name."""


@dataclass(frozen=True, eq=False)
class Constant:
    """`data` as it is stored; with a quantization it stands for real numbers."""

    name: str
    data: npt.NDArray[np.generic]
    quantization: Quantization | None = None


@dataclass(frozen=True, eq=False)
class Pending:
    """A float result: its operator is added once a QuantizeLinear says how to quantize it."""

    shape: tuple[int, ...]
    emit: Emit
    natural: Quantization | None = None
    """How to quantize it where the graph ends without a QuantizeLinear."""
    with_bias: Callable[[Constant], Pending] | None = None
    """For a MatMul, whose bias comes as an Add."""


Value = Constant | Activation | Pending


@dataclass(frozen=True, eq=False)
class Call:
    """A node with its operands. Every complaint names the node and the operand."""

    node: Node
    builder: Builder
    operands: tuple[Value | None, ...]
    """None for an optional input left out."""
    opset: int

    def given(self, position: int) -> Value:
        if position >= len(self.operands) or (found := self.operands[position]) is None:
            raise self.node.fail(f"input {position} is missing")
        return found

    def optional(self, position: int) -> Value | None:
        return self.operands[position] if position < len(self.operands) else None

    def activation(self, position: int = 0) -> Activation:
        """An operand that is int8 behind a DequantizeLinear."""
        found = self.given(position)
        if isinstance(found, Activation) and found.real:
            return found
        raise self.node.fail(f"{self._name(position)} is {_kind(found)}; {ADVICE}")

    def constant(self, position: int) -> Constant:
        found = self.given(position)
        if isinstance(found, Constant):
            return found
        raise self.node.fail(f"{self._name(position)} is {_kind(found)}; a constant is supported")

    def integers(self, position: int, name: str) -> tuple[int, ...] | None:
        """Integers given by attribute `name` or, in later opsets, by an input; None for neither."""
        if name in self.node.attributes:
            return self.node.integers(name, ())
        if self.optional(position) is None:
            return None
        data = self.constant(position).data
        if data.dtype.kind not in "iu" or data.size > MAX_INTEGERS:
            raise self.node.fail(
                f"{self._name(position)} is {data.dtype} {data.shape}; at most {MAX_INTEGERS} "
                "integers are supported"
            )
        return tuple(int(value) for value in data.reshape(-1))

    def through(
        self, change: Callable[[Activation], Activation], shape: tuple[int, ...]
    ) -> Activation | Pending:
        """The first operand after a change that commutes with quantizing and clamping."""
        found = self.given(0)
        if isinstance(found, Activation):
            return change(found)
        if isinstance(found, Pending):
            inner = found.emit
            return Pending(shape, lambda q, clamp, name: change(inner(q, clamp, name)))
        raise self.node.fail(f"{self._name(0)} is a constant; an activation is supported")

    def shape(self, position: int = 0) -> tuple[int, ...]:
        found = self.given(position)
        return found.data.shape if isinstance(found, Constant) else found.shape

    def fused(self, clamp: Clamp, output: Quantization) -> str:
        """The fused activation that has the effect of `clamp` on an output so quantized."""
        for name, bounds in FUSED:
            if _effect(bounds, output) == _effect(clamp, output):
                return name
        raise self.node.fail(
            f"its output is clamped to {clamp[0]:g} to {clamp[1]:g}; supported are none, Relu, "
            "Clip(0, 6) and Clip(-1, 1)"
        )

    def finish(
        self, value: Activation, wanted: Quantization, clamp: Clamp, name: str
    ) -> Activation:
        """`value` clamped and rescaled, by the fewest operators."""
        kind = self.fused(clamp, wanted)
        held = self.builder.quantization(value.tensor)
        if kind == "RELU":
            return self.builder.unary("RELU", value, name, wanted)
        if kind == "RELU6":
            value = self.builder.unary("RELU6", value, f"{name}/relu6", held)
        elif kind != "NONE":
            raise self.node.fail("Clip(-1, 1) is supported only right behind a Conv, Gemm or Add")
        if same(held, wanted):
            return replace(value, real=True)
        return self.builder.unary("QUANTIZE", value, name, wanted)

    def natural(self, kind: str, value: Activation) -> Pending:
        """An operator whose output has a quantization of its own, rescaled where ONNX differs."""
        own = quantization(*NATURAL[kind])

        def emit(wanted: Quantization, clamp: Clamp, name: str) -> Activation:
            suffix = "" if same(own, wanted) else f"/{kind.lower()}"
            attributes = {"beta": 1.0} if kind == "SOFTMAX" else {}
            found = self.builder.unary(kind, value, f"{name}{suffix}", own, attributes)
            return self.finish(found, wanted, clamp, name)

        return Pending(value.shape, emit, own)

    def _name(self, position: int) -> str:
        return f"input {position} '{self.node.inputs[position][:200]}'"


MAX_INTEGERS = 64
ADVICE = (
    "an int8 activation behind QuantizeLinear and DequantizeLinear is supported (quantize the "
    "model with onnxruntime.quantization.quantize_static, QuantFormat.QDQ)"
)


def _kind(value: Value) -> str:
    if isinstance(value, Constant):
        return "a constant"
    return "an integer" if isinstance(value, Activation) else "float32"


def _effect(clamp: Clamp, output: Quantization) -> Clamp:
    """The bounds, where they are tighter than what the quantized output can hold."""
    scale, zero_point = float(output.scale[0]), int(output.zero_point[0])
    low, high = scale * (-128 - zero_point), scale * (127 - zero_point)
    return (clamp[0] if clamp[0] > low else -inf, clamp[1] if clamp[1] < high else inf)


def real_values(constant: Constant, count: int) -> npt.NDArray[np.float64] | None:
    """A vector's real values, stretched to `count`; None where it does not fit."""
    data = constant.data
    if data.size not in (1, count) or prod(data.shape[:-1]) != 1:
        return None
    values = data.reshape(-1).astype(np.float64)
    if constant.quantization is not None:
        quantized = constant.quantization
        values = (values - quantized.zero_point) * quantized.scale.astype(np.float64)
    return np.broadcast_to(values, (count,))


def scales_fit(node: Node, constant: Constant, axis: int) -> None:
    """Refuses scales along another axis than `axis`."""
    found = constant.quantization
    if found is not None and not found.per_tensor and found.axis != axis:
        raise node.fail(f"'{constant.name}' has scales along axis {found.axis}, not {axis}")
