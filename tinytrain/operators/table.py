"""The table of operators: a line an operator, and `lower_graph` over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.operators.activation import lower_softmax
from tinytrain.operators.convolution import lower_conv_2d, lower_depthwise_conv_2d
from tinytrain.operators.dense import lower_fully_connected
from tinytrain.operators.elementwise import lower_add
from tinytrain.operators.kernel import Kernel, Reading, UnsupportedError
from tinytrain.operators.layout import lower_reshape
from tinytrain.operators.lstm import lower_lstm
from tinytrain.operators.pooling import lower_average_pool_2d, lower_max_pool_2d
from tinytrain.operators.reduction import lower_mean
from tinytrain.operators.svdf import lower_svdf
from tinytrain.operators.variables import lower_variable_copy

OPERATORS: Mapping[str, Callable[[Reading], Kernel]] = {
    "ADD": lower_add,
    "ASSIGN_VARIABLE": lower_variable_copy,
    "AVERAGE_POOL_2D": lower_average_pool_2d,
    "CONV_2D": lower_conv_2d,
    "DEPTHWISE_CONV_2D": lower_depthwise_conv_2d,
    "FULLY_CONNECTED": lower_fully_connected,
    "MAX_POOL_2D": lower_max_pool_2d,
    "MEAN": lower_mean,
    "READ_VARIABLE": lower_variable_copy,
    "RESHAPE": lower_reshape,
    "SOFTMAX": lower_softmax,
    "SVDF": lower_svdf,
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
        raise InputError(f"{graph.name}: " + "; ".join(lowering.problems.values()))
    return tuple(kernel for kernel in lowering.kernels if kernel is not None)


def _lower(reading: Reading) -> Kernel:
    lower = OPERATORS.get(reading.operator.kind)
    if lower is None:
        outputs = ", ".join(reading.name(index) for index in reading.operator.outputs)
        raise reading.fail(
            f"is not supported (it writes {outputs}); supported are {', '.join(OPERATORS)}"
        )
    return lower(reading)
