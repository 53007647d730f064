"""MaxPool, AveragePool, GlobalAveragePool and ReduceMean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinytrain.converters.onnx.builder import Activation
from tinytrain.converters.onnx.layout import channels_last, layout_of, order_of, plain_order
from tinytrain.converters.onnx.sliding import Sliding, sliding
from tinytrain.converters.onnx.values import Call, Clamp, Pending
from tinytrain.graph import Quantization


def max_pool(call: Call) -> Activation | Pending:
    if call.node.integer("storage_order", 0) or len([o for o in call.node.outputs if o]) > 1:
        raise call.node.fail("storage_order and the output of indices are not supported")
    slide = _window(call)
    return call.through(lambda x: _pool(call, "MAX_POOL_2D", slide, x, fill=-128), _shape(call))


def average_pool(call: Call) -> Activation:
    """Windows over valid positions only; padding that counts becomes a PAD of zeros."""
    x, slide = call.activation(), _window(call)
    pads = call.node.integers("pads", ())
    padded = any(pads) or slide.before != (0, 0)
    counted = padded and bool(call.node.integer("count_include_pad", 0))
    if counted and call.node.integer("ceil_mode", 0):
        raise call.node.fail("count_include_pad together with ceil_mode is not supported")
    if slide.padding is None and not counted:
        raise call.node.fail(
            f"pads {pads} with strides {slide.stride} on an input of {slide.size} are neither SAME "
            "nor VALID; use such pads, or count_include_pad=1"
        )
    return _pool(call, "AVERAGE_POOL_2D", replace(slide, counted=counted), x, None)


def _window(call: Call) -> Sliding:
    shape, kernel = call.shape(), call.node.integers("kernel_shape", ())
    if len(shape) not in (3, 4) or len(kernel) != len(shape) - 2 or shape[0] != 1:
        raise call.node.fail(
            f"kernel_shape {kernel} on an input of shape {shape}; one or two spatial axes and "
            "batch 1 are supported"
        )
    slide = sliding(call, shape, kernel)
    if slide.dilation != (1, 1):
        raise call.node.fail(f"dilations {slide.dilation}; 1 is supported")
    return slide


def _shape(call: Call) -> tuple[int, ...]:
    shape = call.shape()
    return (*shape[:2], *_window(call).outputs[: len(shape) - 2])


def _pool(call: Call, kind: str, slide: Sliding, x: Activation, fill: int | None) -> Activation:
    image, padding = slide.place(call, x, fill)
    shape, quantized = _shape(call), call.builder.quantization(x.tensor)
    attributes = slide.attributes(padding, "NONE", dilated=False)
    output = (1, *slide.outputs, shape[1])
    tensor = call.builder.operator(
        kind, [image], call.node.outputs[0], output, quantized, attributes
    )
    return Activation(tensor, shape, layout_of(shape, channels_last(len(shape))), x.real)


def global_average_pool(call: Call) -> Pending:
    axes = tuple(range(2, len(call.activation().shape)))
    return _mean(call, axes, keep=True)


def reduce_mean(call: Call) -> Pending:
    rank = len(call.activation().shape)
    given = call.integers(1, "axes")
    if not given and call.node.integer("noop_with_empty_axes", 0):
        raise call.node.fail("noop_with_empty_axes without axes is not supported")
    axes = plain_order(rank) if not given else tuple(a + rank if a < 0 else a for a in given)
    if any(not 0 <= axis < rank for axis in axes) or len(set(axes)) != len(axes):
        raise call.node.fail(f"axes {given} of an input of rank {rank}")
    return _mean(call, axes, keep=bool(call.node.integer("keepdims", 1)))


def _mean(call: Call, axes: tuple[int, ...], keep: bool) -> Pending:
    x = call.activation()
    order = order_of(x.shape, x.layout) or plain_order(len(x.shape))
    left = [axis for axis in plain_order(len(x.shape)) if keep or axis not in axes]
    shape = tuple(1 if axis in axes else x.shape[axis] for axis in left) or (1,)
    stored = [axis for axis in order if keep or axis not in axes]
    layout = layout_of(shape, [left.index(axis) for axis in stored])

    def emit(wanted: Quantization, clamp: Clamp, name: str) -> Activation:
        image = call.builder.arranged(x, order)
        places = np.array(sorted(order.index(axis) for axis in axes), np.int32)
        over = call.builder.constant(f"{name}/axes", places)
        output = tuple(1 if axis in axes else x.shape[axis] for axis in stored) or (1,)
        tensor = call.builder.operator(
            "MEAN", [image, over], name, output, wanted, {"keep_dims": keep}
        )
        return call.finish(Activation(tensor, shape, layout, True), wanted, clamp, name)

    return Pending(shape, emit)
