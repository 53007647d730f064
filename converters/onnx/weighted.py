"""Conv, Gemm and MatMul: constant int8 weights, and a bias in units of the accumulator."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from tinytrain.converters.onnx.builder import Activation
from tinytrain.converters.onnx.layout import channels_last, layout_of, plain_order
from tinytrain.converters.onnx.sliding import sliding
from tinytrain.converters.onnx.values import Call, Clamp, Constant, Pending, real_values, scales_fit
from tinytrain.graph import Attribute, Quantization

SAME_SCALE = 1e-5
"""Relative difference up to which a bias's scale is the product of input and weight scale."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Symmetric int8 data, and one scale or one a slice along `axis`."""

    name: str
    data: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]

    def quantization(self, axis: int) -> Quantization:
        return Quantization(self.scale, np.zeros(self.scale.size, np.int64), axis)


def conv(call: Call) -> Pending:
    """Weights O,I,KH,KW become O,KH,KW,I; depthwise O,1,KH,KW become 1,KH,KW,O."""
    x, weights = call.activation(), _weights(call, 1, channel_axis=0)
    data = weights.data[..., None] if weights.data.ndim == 3 else weights.data
    if data.ndim != 4 or len(x.shape) != weights.data.ndim or x.shape[0] != 1:
        raise call.node.fail(
            f"input of shape {x.shape} and weights of shape {weights.data.shape}; one or two "
            "spatial axes and batch 1 are supported"
        )
    group, channels, filters = call.node.integer("group", 1), x.shape[1], data.shape[0]
    depthwise = group == channels > 1
    if data.shape[1] * group != channels or filters % group or (group > 1 and not depthwise):
        raise call.node.fail(
            f"group {group} with weights of shape {weights.data.shape} on {channels} channels; "
            "groups of 1 or, depthwise, as many as channels are supported"
        )
    slide = sliding(call, x.shape, data.shape[2:])
    stored = data.transpose(1, 2, 3, 0) if depthwise else data.transpose(0, 2, 3, 1)
    bias = None if call.optional(2) is None else call.constant(2)
    shape = (1, filters, *slide.outputs[: len(x.shape) - 2])

    def emit(wanted: Quantization, clamp: Clamp, name: str) -> Activation:
        builder = call.builder
        image, padding = slide.place(call, x)
        attributes = slide.attributes(padding, call.fused(clamp, wanted), dilated=True)
        if depthwise:
            attributes["depth_multiplier"] = filters // channels
        kind, axis = ("DEPTHWISE_CONV_2D", 3) if depthwise else ("CONV_2D", 0)
        kernel = builder.constant(weights.name, stored, weights.quantization(axis))
        inputs = [image, kernel, *_bias(call, bias, image, weights, filters)]
        output = (1, *slide.outputs, filters)
        tensor = builder.operator(kind, inputs, name, output, wanted, attributes)
        return Activation(tensor, shape, layout_of(shape, channels_last(len(shape))), True)

    return Pending(shape, emit)


def gemm(call: Call) -> Pending:
    """Y = A B + C, B constant; A is one row or several."""
    node = call.node
    factors = (node.number("alpha", 1.0), node.number("beta", 1.0), node.integer("transA", 0))
    if factors != (1.0, 1.0, 0):
        raise node.fail(f"alpha, beta, transA are {factors}; 1, 1, 0 are supported")
    transposed = bool(node.integer("transB", 0))
    weights = _weights(call, 1, channel_axis=0 if transposed else 1)
    bias = None if call.optional(2) is None else call.constant(2)
    return _dense(call, weights, transposed, bias)


def matmul(call: Call) -> Pending:
    """A of any rank times a constant matrix B; an Add behind it may bring the bias."""
    weights = _weights(call, 1, channel_axis=1)
    plain = _dense(call, weights, False, None)
    return Pending(
        plain.shape, plain.emit, with_bias=lambda bias: _dense(call, weights, False, bias)
    )


def _dense(call: Call, weights: Weights, transposed: bool, bias: Constant | None) -> Pending:
    """Weights become C,D. Features that do not lie in ONNX's order (an image made flat) stay
    where they are: the columns of the weights move instead.
    """
    x = call.activation()
    matrix = weights.data if transposed else weights.data.T
    if matrix.ndim != 2 or not x.shape or x.shape[-1] != matrix.shape[1]:
        raise call.node.fail(f"weights of shape {weights.data.shape} on input {x.shape}")
    filters = matrix.shape[0]
    rows = prod(x.shape[:-1])
    shape = (*x.shape[:-1], filters)

    def emit(wanted: Quantization, clamp: Clamp, name: str) -> Activation:
        builder = call.builder
        features = x.tensor if rows == 1 else builder.arranged(x, plain_order(len(x.shape)))
        builder.spend(matrix.nbytes, weights.name)
        columns = x.layout.arrange(matrix) if rows == 1 else matrix
        kernel = builder.constant(weights.name, columns, weights.quantization(0))
        inputs = [features, kernel, *_bias(call, bias, features, weights, filters)]
        attributes: dict[str, Attribute] = {
            "activation": call.fused(clamp, wanted),
            "weights_format": 0,
            "keep_num_dims": len(shape) > 2,
        }
        tensor = builder.operator("FULLY_CONNECTED", inputs, name, shape, wanted, attributes)
        return Activation(tensor, shape, layout_of(shape, plain_order(len(shape))), True)

    return Pending(shape, emit)


def _weights(call: Call, position: int, channel_axis: int) -> Weights:
    constant = call.constant(position)
    quantized = constant.quantization
    if quantized is None or constant.data.dtype != np.int8:
        raise call.node.fail(
            f"weights '{constant.name}' are {constant.data.dtype} without a DequantizeLinear; int8 "
            "is supported (quantize_static with weight_type=QuantType.QInt8)"
        )
    if bool(np.any(quantized.zero_point != 0)):
        raise call.node.fail(
            f"weights '{constant.name}' have a zero point of "
            f"{quantized.zero_point.reshape(-1)[0]}; 0 is supported "
            "(extra_options={'WeightSymmetric': True})"
        )
    if constant.data.ndim < 2:
        raise call.node.fail(f"weights '{constant.name}' have shape {constant.data.shape}")
    scales_fit(call.node, constant, channel_axis)
    return Weights(constant.name, constant.data.astype(np.int8), quantized.scale)


def _bias(
    call: Call, bias: Constant | None, x: int, weights: Weights, filters: int
) -> tuple[int, ...]:
    """The bias as int32 in units of input scale times weight scale, or none.

    Integers that ONNX gives in these units are taken as they are, others are rounded to them.
    """
    if bias is None:
        return ()
    input_scale = float(call.builder.quantization(x).scale[0])
    units = np.broadcast_to(input_scale * weights.scale.astype(np.float64), (filters,))
    real = real_values(bias, filters)
    if real is None:
        raise call.node.fail(f"bias '{bias.name}' has shape {bias.data.shape}, not ({filters},)")
    found = bias.quantization
    if (
        bias.data.dtype == np.int32
        and found is not None
        and not found.zero_point.any()
        and bool(np.all(np.abs(found.scale / units - 1) < SAME_SCALE))
    ):
        values = np.broadcast_to(bias.data.reshape(-1).astype(np.float64), (filters,))
    else:
        values = np.rint(real / units)
    if not bool(np.all(np.abs(values) < 1 << 31)):
        raise call.node.fail(f"bias '{bias.name}' does not fit 32 bits of its input's scale")
    scale = Quantization(
        (input_scale * weights.scale).astype(np.float32), np.zeros(weights.scale.size, np.int64)
    )
    return (call.builder.constant(bias.name, values.astype(np.int32), scale),)
