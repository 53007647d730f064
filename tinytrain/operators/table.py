"""The table of operators: a line an operator, and `lower_graph` over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.operators.activation import lower_softmax
from tinytrain.operators.convolution import lower_conv_2d, lower_depthwise_conv_2d
from tinytrain.operators.dense import lower_fully_connected
from tinytrain.operators.elementwise import (
    lower_add,
    lower_maximum,
    lower_minimum,
    lower_mul,
    lower_sub,
)
from tinytrain.operators.gather import lower_mirror_pad, lower_resize_nearest_neighbor
from tinytrain.operators.kernel import Kernel, Reading, UnsupportedError
from tinytrain.operators.layout import lower_expand_dims, lower_reshape, lower_squeeze
from tinytrain.operators.lookup import (
    lower_abs,
    lower_hard_swish,
    lower_leaky_relu,
    lower_relu,
    lower_relu6,
)
from tinytrain.operators.lstm import lower_lstm
from tinytrain.operators.parametric import lower_prelu
from tinytrain.operators.parts import lower_concatenation, lower_split
from tinytrain.operators.pooling import lower_average_pool_2d, lower_max_pool_2d
from tinytrain.operators.quantize import lower_dequantize, lower_quantize
from tinytrain.operators.rearrange import (
    lower_pad,
    lower_padv2,
    lower_strided_slice,
    lower_transpose,
)
from tinytrain.operators.reduction import lower_arg_max, lower_mean, lower_reduce_max, lower_sum
from tinytrain.operators.sigmoid import lower_logistic, lower_tanh
from tinytrain.operators.svdf import lower_svdf
from tinytrain.operators.transpose_convolution import lower_transpose_conv
from tinytrain.operators.variables import lower_variable_copy

OPERATORS: Mapping[str, Callable[[Reading], Kernel]] = {
    "ABS": lower_abs,
    "ADD": lower_add,
    "ARG_MAX": lower_arg_max,
    "ASSIGN_VARIABLE": lower_variable_copy,
    "AVERAGE_POOL_2D": lower_average_pool_2d,
    "CONCATENATION": lower_concatenation,
    "CONV_2D": lower_conv_2d,
    "DEPTHWISE_CONV_2D": lower_depthwise_conv_2d,
    "DEQUANTIZE": lower_dequantize,
    "EXPAND_DIMS": lower_expand_dims,
    "FULLY_CONNECTED": lower_fully_connected,
    "HARD_SWISH": lower_hard_swish,
    "LEAKY_RELU": lower_leaky_relu,
    "LOGISTIC": lower_logistic,
    "MAXIMUM": lower_maximum,
    "MAX_POOL_2D": lower_max_pool_2d,
    "MEAN": lower_mean,
    "MINIMUM": lower_minimum,
    "MIRROR_PAD": lower_mirror_pad,
    "MUL": lower_mul,
    "PAD": lower_pad,
    "PADV2": lower_padv2,
    "PRELU": lower_prelu,
    "QUANTIZE": lower_quantize,
    "READ_VARIABLE": lower_variable_copy,
    "REDUCE_MAX": lower_reduce_max,
    "RELU": lower_relu,
    "RELU6": lower_relu6,
    "RESHAPE": lower_reshape,
    "RESIZE_NEAREST_NEIGHBOR": lower_resize_nearest_neighbor,
    "SOFTMAX": lower_softmax,
    "SPLIT": lower_split,
    "SQUEEZE": lower_squeeze,
    "STRIDED_SLICE": lower_strided_slice,
    "SUB": lower_sub,
    "SUM": lower_sum,
    "SVDF": lower_svdf,
    "TANH": lower_tanh,
    "TRANSPOSE": lower_transpose,
    "TRANSPOSE_CONV": lower_transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lower_lstm,
}


@dataclass(frozen=True)
class Lowering:
    """Every operator of a graph, lowered or refused."""

    kernels: tuple[Kernel | None, ...]
    """One an operator; None where it was refused."""
    problems: Mapping[int, str]
    """Why, by operator."""


def lower_graph(graph: Graph) -> Lowering:
    """Lowers what can be lowered, and says of the rest why not: all of it in one go."""
    kernels: list[Kernel | None] = []
    problems: dict[int, str] = {}
    for index in range(len(graph.operators)):
        try:
            kernels.append(_lower(Reading(graph, index)))
        except UnsupportedError as error:
            kernels.append(None)
            problems[index] = str(error)
    return Lowering(tuple(kernels), problems)


def require_kernels(graph: Graph) -> tuple[Kernel, ...]:
    """Every operator lowered, or InputError that names all operators that cannot be."""
    lowering = lower_graph(graph)
    if lowering.problems:
        raise InputError(f"{graph.name}: " + "; ".join(refusals(graph, lowering)))
    return tuple(kernel for kernel in lowering.kernels if kernel is not None)


def refusals(graph: Graph, lowering: Lowering) -> list[str]:
    """Why a graph cannot be converted: what concerns all of it, then each operator."""
    found = list(lowering.problems.values())
    given = {graph.tensors[tensor].dtype for tensor in graph.inputs}
    weights = {tensor.dtype for tensor in graph.tensors if tensor.data is not None}
    if given == {"float32"} and "int8" not in weights:
        found.insert(0, "a float32 model: quantize it to full int8 first (docs/own-data.md)")
    if any(graph.operators[index].kind not in OPERATORS for index in lowering.problems):
        found.append(f"supported operators are {', '.join(OPERATORS)}")
    return found


def _lower(reading: Reading) -> Kernel:
    lower = OPERATORS.get(reading.operator.kind)
    if lower is None:
        outputs = ", ".join(reading.name(index) for index in reading.operator.outputs)
        raise reading.fail(f"is not supported (it writes {outputs})")
    return lower(reading)
