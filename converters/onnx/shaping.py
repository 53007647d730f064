"""Operators that move or join elements: Reshape and its kin, Transpose, Concat and Pad."""

from __future__ import annotations

from dataclasses import replace
from math import inf, prod

import numpy as np

from tinytrain.converters.onnx.builder import Activation
from tinytrain.converters.onnx.layout import layout_of, order_of, plain_order
from tinytrain.converters.onnx.values import FREE, Call, Clamp, Pending
from tinytrain.graph import MAX_ELEMENTS, MAX_RANK, Attribute, Quantization

Moved = Activation | Pending


def _under(call: Call, shape: tuple[int, ...]) -> Moved:
    """The operand under another shape: no operator, its elements stay where they are."""
    if prod(shape) != prod(call.shape()) or len(shape) > MAX_RANK:
        raise call.node.fail(f"shape {shape} for an input of {call.shape()}")
    return call.through(lambda x: replace(x, shape=shape), shape)


def reshape(call: Call) -> Moved:
    given = call.integers(1, "shape")
    held = call.shape()
    if given is None:
        raise call.node.fail("input 1, the shape, is missing")
    copied = not call.node.integer("allowzero", 0)
    shape = [
        held[axis] if extent == 0 and copied and axis < len(held) else extent
        for axis, extent in enumerate(given)
    ]
    if shape.count(-1) == 1:
        rest = prod(extent for extent in shape if extent != -1)
        shape[shape.index(-1)] = prod(held) // rest if rest > 0 else 0
    if any(extent < 1 for extent in shape):
        raise call.node.fail(f"shape {given} for an input of {held}")
    return _under(call, tuple(shape))


def flatten(call: Call) -> Moved:
    held = call.shape()
    axis = call.node.integer("axis", 1)
    if not -len(held) <= axis <= len(held):
        raise call.node.fail(f"axis {axis} of an input of rank {len(held)}")
    axis += len(held) if axis < 0 else 0
    return _under(call, (prod(held[:axis]), prod(held[axis:])))


def squeeze(call: Call) -> Moved:
    held = call.shape()
    given = call.integers(1, "axes")
    if given is None:
        given = tuple(axis for axis, extent in enumerate(held) if extent == 1)
    axes = _axes(call, given, len(held))
    if any(held[axis] != 1 for axis in axes):
        raise call.node.fail(f"axes {given} of an input of {held} are not all 1")
    return _under(call, tuple(held[axis] for axis in range(len(held)) if axis not in axes))


def unsqueeze(call: Call) -> Moved:
    held = call.shape()
    given = call.integers(1, "axes") or ()
    axes = _axes(call, given, len(held) + len(given))
    rest = iter(held)
    rank = len(held) + len(axes)
    return _under(call, tuple(1 if axis in axes else next(rest) for axis in range(rank)))


def _axes(call: Call, given: tuple[int, ...], rank: int) -> tuple[int, ...]:
    axes = tuple(axis + rank if axis < 0 else axis for axis in given)
    if any(not 0 <= axis < rank for axis in axes) or len(set(axes)) != len(axes):
        raise call.node.fail(f"axes {given} for rank {rank}")
    return axes


def transpose(call: Call) -> Moved:
    """Where the axes lie in another order already, nothing moves."""
    held = call.shape()
    order = call.node.integers("perm", plain_order(len(held))[::-1])
    if sorted(order) != list(range(len(held))):
        raise call.node.fail(f"perm {order} for an input of rank {len(held)}")
    shape = tuple(held[axis] for axis in order)

    def change(x: Activation) -> Activation:
        stored = order_of(x.shape, x.layout)
        if stored is None:
            stored = plain_order(len(x.shape))
            tensor = call.builder.arranged(x, stored)
        else:
            tensor = x.tensor
        layout = layout_of(shape, [order.index(axis) for axis in stored])
        return Activation(tensor, shape, layout, x.real)

    return call.through(change, shape)


def concat(call: Call) -> Pending:
    """All parts take the output's scale and zero point."""
    parts = [call.activation(position) for position in range(len(call.operands))]
    rank = len(parts[0].shape)
    (axis,) = _axes(call, (call.node.integer("axis", rank),), rank)
    rests = {part.shape[:axis] + part.shape[axis + 1 :] for part in parts}
    if len(rests) > 1 or any(len(part.shape) != rank for part in parts):
        raise call.node.fail(f"shapes {[part.shape for part in parts]} along axis {axis}")
    total = sum(part.shape[axis] for part in parts)
    shape = (*parts[0].shape[:axis], total, *parts[0].shape[axis + 1 :])
    orders = [order_of(part.shape, part.layout) for part in parts if not part.layout.plain]
    order = next((found for found in orders if found), plain_order(rank))

    def emit(wanted: Quantization, clamp: Clamp, name: str) -> Activation:
        tensors = []
        for number, part in enumerate(parts):
            same_scale = call.finish(part, wanted, FREE, f"{name}/part{number}")
            tensors.append(call.builder.arranged(same_scale, order))
        attributes: dict[str, Attribute] = {"axis": order.index(axis), "activation": "NONE"}
        output = tuple(shape[axis] for axis in order)
        tensor = call.builder.operator("CONCATENATION", tensors, name, output, wanted, attributes)
        joined = Activation(tensor, shape, layout_of(shape, order), True)
        return call.finish(joined, wanted, clamp, name)

    return Pending(shape, emit)


def pad(call: Call) -> Activation:
    """PAD where it fills with 0, PADV2 where with another constant."""
    x = call.activation()
    held, rank = x.shape, len(x.shape)
    if call.node.text("mode", "constant") != "constant":
        raise call.node.fail(f"mode {call.node.text('mode', '')}; constant is supported")
    given = call.integers(1, "pads") or ()
    axes = plain_order(rank)
    if call.optional(3) is not None:
        axes = _axes(call, call.integers(3, "axes") or (), rank)
    if len(given) != 2 * len(axes) or any(not 0 <= extent <= MAX_ELEMENTS for extent in given):
        raise call.node.fail(f"pads {given} for axes {axes}; none may be negative")
    pads = {axis: (given[i], given[len(axes) + i]) for i, axis in enumerate(axes)}
    shape = tuple(size + sum(pads.get(axis, (0, 0))) for axis, size in enumerate(held))
    order = order_of(held, x.layout) or plain_order(rank)
    tensor = call.builder.arranged(x, order)
    stored = [pads.get(axis, (0, 0)) for axis in order]
    moved = call.builder.padded(tensor, stored, _fill(call, call.builder.quantization(tensor)))
    return Activation(moved, shape, layout_of(shape, order), True)


def _fill(call: Call, output: Quantization) -> int | None:
    """What Pad fills with, quantized as its input is; None for 0."""
    if call.optional(2) is None:
        return None
    constant = call.constant(2)
    quantized = constant.quantization
    if constant.data.size != 1 or (quantized is None and constant.data.dtype != np.float32):
        raise call.node.fail(f"'{constant.name}' is {constant.data.dtype}; one float is supported")
    value = float(constant.data.reshape(-1)[0])
    if quantized is not None:
        value = (value - float(quantized.zero_point[0])) * float(quantized.scale[0])
    if not -inf < value < inf:
        raise call.node.fail(f"'{constant.name}' is {value}; a finite number is supported")
    level = round(value / float(output.scale[0])) + int(output.zero_point[0])
    return None if value == 0 else min(max(level, -128), 127)
