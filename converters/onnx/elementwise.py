"""Operators that work element by element: Add, Mul, Sub, and functions of one value."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from tinytrain.converters.onnx.builder import Activation
from tinytrain.converters.onnx.layout import layout_of, order_of, plain_order
from tinytrain.converters.onnx.values import ADVICE, Call, Clamp, Constant, Pending, Value
from tinytrain.graph import Attribute, Quantization

KINDS = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL"}


def binary(call: Call) -> Pending:
    """ADD, SUB or MUL, either operand stretched by numpy's rules; an Add behind a MatMul that was
    not quantized in between is its bias.
    """
    operands = [call.given(0), call.given(1)]
    for first, second in (operands, reversed(operands)) if call.node.kind == "Add" else ():
        if isinstance(first, Pending) and first.with_bias and isinstance(second, Constant):
            return first.with_bias(second)
    sides = [_operand(call, position) for position in (0, 1)]
    shapes = [call.shape(0), call.shape(1)]
    try:
        shape = tuple(int(extent) for extent in np.broadcast_shapes(*shapes))
    except ValueError:
        raise call.node.fail(f"shapes {shapes[0]} and {shapes[1]} do not fit") from None
    order = _common_order(sides, shape)

    def emit(wanted: Quantization, clamp: Clamp, name: str) -> Activation:
        tensors = [_arranged(call, side, order) for side in sides]
        output = tuple(shape[axis] for axis in order)
        attributes = {"activation": call.fused(clamp, wanted)}
        kind = KINDS[call.node.kind]
        tensor = call.builder.operator(kind, tensors, name, output, wanted, attributes)
        return Activation(tensor, shape, layout_of(shape, order), True)

    return Pending(shape, emit)


def _operand(call: Call, position: int) -> Activation | Constant:
    found = call.given(position)
    if not isinstance(found, Constant):
        return call.activation(position)
    quantized = found.quantization
    if quantized is None or found.data.dtype != np.int8 or not quantized.per_tensor:
        raise call.node.fail(
            f"constant '{found.name}' is {found.data.dtype}; int8 behind a DequantizeLinear with "
            "one scale is supported"
        )
    return found


def _common_order(sides: list[Activation | Constant], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The order in which an activation already lies, if possible."""
    for side in sides:
        if isinstance(side, Activation) and side.shape == shape:
            found = order_of(side.shape, side.layout)
            if found is not None:
                return found
    return plain_order(len(shape))


def _arranged(call: Call, side: Activation | Constant, order: tuple[int, ...]) -> int:
    """An operand with leading axes of 1 up to the output's rank, and its axes in `order`."""
    given = side.data.shape if isinstance(side, Constant) else side.shape
    shape = (1,) * (len(order) - len(given)) + given
    if isinstance(side, Constant):
        data = side.data.reshape(shape).transpose(order)
        return call.builder.constant(side.name, data, side.quantization)
    return call.builder.arranged(replace(side, shape=shape), order)


def relu(call: Call) -> Pending:
    return _clamped(call, (0.0, inf))


def clip(call: Call) -> Pending:
    """Bounds are constant inputs, each of which may be left out."""
    low, high = (_bound(call, position) for position in (1, 2))
    bounds = (-inf if low is None else low, inf if high is None else high)
    if bounds[0] > bounds[1]:
        raise call.node.fail(f"bounds {bounds[0]:g} to {bounds[1]:g}")
    return _clamped(call, bounds)


def _bound(call: Call, position: int) -> float | None:
    if call.optional(position) is None:
        return None
    constant = call.constant(position)
    data, quantized = constant.data, constant.quantization
    if data.size != 1 or (data.dtype != np.float32 and quantized is None):
        raise call.node.fail(f"bound '{constant.name}' is {data.dtype} {data.shape}; one number")
    value = float(data.reshape(-1)[0])
    if quantized is not None:
        value = (value - float(quantized.zero_point[0])) * float(quantized.scale[0])
    if np.isnan(value):
        raise call.node.fail(f"bound '{constant.name}' is not a number")
    return value


def _clamped(call: Call, bounds: Clamp) -> Pending:
    """Fused into the operator before it where that is not quantized on its own."""
    found = call.given(0)

    def both(clamp: Clamp) -> Clamp:
        return max(bounds[0], clamp[0]), min(bounds[1], clamp[1])

    if isinstance(found, Pending):
        inner = found.emit
        return Pending(found.shape, lambda q, clamp, name: inner(q, both(clamp), name))
    x = call.activation()
    return Pending(x.shape, lambda q, clamp, name: call.finish(x, q, both(clamp), name))


def sigmoid(call: Call) -> Pending:
    return call.natural("LOGISTIC", call.activation())


def tanh(call: Call) -> Pending:
    return call.natural("TANH", call.activation())


def hard_swish(call: Call) -> Pending:
    return _function(call, "HARD_SWISH", {})


def leaky_relu(call: Call) -> Pending:
    return _function(call, "LEAKY_RELU", {"alpha": call.node.number("alpha", 0.01)})


def _function(call: Call, kind: str, attributes: dict[str, Attribute]) -> Pending:
    x = call.activation()

    def emit(wanted: Quantization, clamp: Clamp, name: str) -> Activation:
        found = call.builder.unary(kind, x, name, wanted, attributes)
        return call.finish(found, wanted, clamp, name)

    return Pending(x.shape, emit)


def softmax(call: Call) -> Pending:
    """Over the axis that lies last in memory, as channels do; another one is moved there."""
    x = call.activation()
    rank = len(x.shape)
    axis = call.node.integer("axis", -1 if call.opset >= 13 else 1)
    axis += rank if axis < 0 else 0
    if not 0 <= axis < rank or (call.opset < 13 and axis != rank - 1):
        raise call.node.fail(f"axis {axis} of an input of rank {rank}; the last is supported")
    order = order_of(x.shape, x.layout) or plain_order(rank)
    if order[-1] != axis:
        order = (*(other for other in plain_order(rank) if other != axis), axis)
    tensor = call.builder.arranged(x, order)
    return call.natural("SOFTMAX", Activation(tensor, x.shape, layout_of(x.shape, order), True))


def nothing(call: Call) -> Value:
    """Identity, and Dropout, which does nothing in inference."""
    if len([o for o in call.node.outputs if o]) > 1:
        raise call.node.fail(f"the output of a mask is not supported; {ADVICE}")
    return call.given(0)
