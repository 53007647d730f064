"""The one representation of a model between the front ends and everything after them.

A `Graph` is data: tensors, operators in order of execution, inputs and outputs. It knows nothing of
file formats, numpy kernels or C. `validate` checks what every later room relies on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError

Attribute = int | float | bool | str | tuple[int, ...]

ITEM_BYTES: Mapping[str, int] = {
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "int16": 2,
    "int32": 4,
    "float32": 4,
    "int64": 8,
}

MAX_RANK = 6
MAX_ELEMENTS = 1 << 26
"""Elements of one tensor. A microcontroller's models stay far below; a forged file does not."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """real = scale * (quantized - zero_point), for a tensor or for each slice along `axis`."""

    scale: npt.NDArray[np.float32]
    """One scale, or one a slice along `axis`. Finite and positive."""
    zero_point: npt.NDArray[np.int64]
    """As many as scales."""
    axis: int = 0

    @property
    def per_tensor(self) -> bool:
        return self.scale.size == 1


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value of the graph. `data` holds a constant's value, shaped; None for activations."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    data: npt.NDArray[np.generic] | None = None
    is_variable: bool = False
    """State: known from the start, may be written by several operators, outlives an inference."""
    initial: npt.NDArray[np.generic] | None = None
    """A variable's value at the start, shaped; None: its zero point, or 0 where it is not int8."""

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * ITEM_BYTES[self.dtype]

    @property
    def initial_value(self) -> npt.NDArray[np.generic]:
        """A variable's elements [elements] at the start.

        TensorFlow Lite Micro's MicroInterpreterGraph::ResetVariableTensors: an int8 variable starts
        at its zero point, any other at 0.
        """
        if self.initial is not None:
            return self.initial.reshape(-1)
        start = 0
        if self.dtype == "int8" and self.quantization is not None:
            start = int(self.quantization.zero_point[0])
        return np.full(self.elements, start, self.dtype)


@dataclass(frozen=True)
class Operator:
    """One step. `inputs` and `outputs` index tensors; -1 is an optional input left out."""

    kind: str
    """The field's name, as in TensorFlow Lite's schema: CONV_2D, ADD, ..."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Graph:
    name: str
    """Where it came from, for messages: a file name."""
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    notes: tuple[str, ...] = ()
    """What a front end changed that its user has to know, a sentence each."""

    @property
    def variables(self) -> tuple[int, ...]:
        """The variables that an operator reads or writes, in order of tensors."""
        used = {i for operator in self.operators for i in (*operator.inputs, *operator.outputs)}
        return tuple(i for i, t in enumerate(self.tensors) if t.is_variable and i in used)

    def describe(self, tensor: int) -> str:
        """A tensor as messages name it."""
        return f"{tensor} '{self.tensors[tensor].name}'"


def validate(graph: Graph) -> Graph:
    """The graph itself, once every index, shape and order holds.

    Raises InputError naming the first operator or tensor that breaks a rule.
    """
    if not graph.operators:
        raise InputError(f"{graph.name}: the graph has no operators")
    for index, tensor in enumerate(graph.tensors):
        _validate_tensor(graph, index, tensor)
    constants = {i for i, tensor in enumerate(graph.tensors) if tensor.data is not None}
    variables = {i for i, tensor in enumerate(graph.tensors) if tensor.is_variable}
    known = constants | variables | _validate_inputs(graph, constants | variables)
    for position, operator in enumerate(graph.operators):
        _validate_operator(graph, position, operator, known)
    _require_some(graph, graph.outputs, "output")
    idle = variables - set(graph.variables)
    for index in graph.outputs:
        if index not in known - constants - idle:
            raise InputError(
                f"{graph.name}: graph output {graph.describe(index)} is produced by no operator"
            )
    return graph


def _validate_inputs(graph: Graph, taken: set[int]) -> set[int]:
    """The graph's inputs, each given once and no constant or variable, which are `taken`."""
    _require_some(graph, graph.inputs, "input")
    given: set[int] = set()
    for index in graph.inputs:
        if index in taken | given:
            raise InputError(
                f"{graph.name}: graph input {graph.describe(index)} is a constant, a variable or "
                "given twice"
            )
        given.add(index)
    return given


def _require_some(graph: Graph, indices: tuple[int, ...], what: str) -> None:
    if not indices:
        raise InputError(f"{graph.name}: the graph has no {what}")
    for index in indices:
        _require_tensor(graph, index, f"graph {what}")


def _require_tensor(graph: Graph, index: int, where: str) -> None:
    if not 0 <= index < len(graph.tensors):
        raise InputError(
            f"{graph.name}: {where}: tensor index {index} is not below {len(graph.tensors)}"
        )


def _validate_operator(graph: Graph, position: int, operator: Operator, known: set[int]) -> None:
    where = f"operator {position} ({operator.kind})"
    if not operator.outputs:
        raise InputError(f"{graph.name}: {where} has no output")
    for index in operator.inputs:
        if index == -1:
            continue
        _require_tensor(graph, index, where)
        if index not in known:
            raise InputError(
                f"{graph.name}: {where} reads tensor {graph.describe(index)} before it is written"
            )
    for index in operator.outputs:
        _require_tensor(graph, index, where)
        if index in known and not graph.tensors[index].is_variable:
            raise InputError(
                f"{graph.name}: {where} writes tensor {graph.describe(index)}, a constant, "
                "a graph input or the output of another"
            )
        known.add(index)


def _validate_tensor(graph: Graph, index: int, tensor: Tensor) -> None:
    where = f"{graph.name}: tensor {index} '{tensor.name}'"
    if len(tensor.shape) > MAX_RANK or any(extent < 1 for extent in tensor.shape):
        raise InputError(
            f"{where}: shape {tensor.shape} needs at most {MAX_RANK} dimensions, each at least 1"
        )
    if tensor.elements > MAX_ELEMENTS:
        raise InputError(f"{where}: {tensor.elements} elements are more than {MAX_ELEMENTS}")
    if tensor.data is not None and tensor.data.shape != tensor.shape:
        raise InputError(f"{where}: data of shape {tensor.data.shape} for shape {tensor.shape}")
    if tensor.data is not None and tensor.is_variable:
        raise InputError(f"{where}: is a variable, and has a constant's data")
    if tensor.quantization is not None:
        _validate_quantization(where, tensor, tensor.quantization)


def _validate_quantization(where: str, tensor: Tensor, quantization: Quantization) -> None:
    scale = quantization.scale
    if scale.size != quantization.zero_point.size or scale.size == 0:
        raise InputError(
            f"{where}: {scale.size} scales for {quantization.zero_point.size} zero points"
        )
    if not bool(np.all(np.isfinite(scale) & (scale > 0))):
        raise InputError(f"{where}: scales must be finite and positive")
    dtype = np.dtype(tensor.dtype if tensor.dtype in ("int8", "uint8", "int16") else "int32")
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    if int(quantization.zero_point.min()) < low or int(quantization.zero_point.max()) > high:
        raise InputError(f"{where}: zero points must lie between {low} and {high}")
    if scale.size > 1:
        axis = quantization.axis
        if not 0 <= axis < len(tensor.shape) or tensor.shape[axis] != scale.size:
            raise InputError(
                f"{where}: {scale.size} scales along axis {axis} do not fit shape {tensor.shape}"
            )
