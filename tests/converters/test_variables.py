"""Resource variables of a file become variable tensors, or one line says why not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.models import Operator, Subgraph, Tensor, build
from tests.operators.strategies_state import (
    HANDLE,
    assign,
    call_once,
    handle,
    initialization,
    read,
)
from tinytrain.converters.tflite import parse_tflite
from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.head import find_head
from tinytrain.operators.table import require_kernels

VALUE = Tensor((1, 4), scale=0.5, zero_point=-3)


def delay(
    operators: Sequence[Operator],
    others: Sequence[Subgraph] = (),
    value: Tensor = VALUE,
    outputs: tuple[int, ...] = (1,),
) -> Graph:
    """Tensors: 0 the input, 1 a value like it, 2 and 3 handles."""
    tensors = [VALUE, value, HANDLE, HANDLE]
    return parse_tflite(build(tensors, operators, [0], outputs, others), "delay")


def test_a_variable_is_a_tensor_that_is_read_and_written() -> None:
    graph = delay([handle("v", 2), read(2, 1), handle("v", 3), assign(3, 0)])
    assert graph.variables == (2,)
    variable = graph.tensors[2]
    assert (variable.name, variable.shape, variable.dtype) == ("v", (1, 4), "int8")
    assert variable.initial_value.tolist() == [-3] * 4
    found = [(operator.kind, operator.inputs, operator.outputs) for operator in graph.operators]
    assert found == [("READ_VARIABLE", (2,), (1,)), ("ASSIGN_VARIABLE", (0,), (2,))]


def test_call_once_gives_the_first_value() -> None:
    first = np.array([[5, -6, 7, -8]])
    steps = [call_once(), handle("v", 2), read(2, 1), assign(2, 0)]
    graph = delay(steps, [initialization("v", Tensor((1, 4), data=first))])
    assert graph.tensors[2].initial_value.tolist() == [5, -6, 7, -8]


def test_names_that_differ_anywhere_are_different_variables() -> None:
    names = ["v" * 199 + "a", "v" * 199 + "b"]
    graph = delay(
        [handle(names[0], 2), handle(names[1], 3), assign(2, 0), assign(3, 0), read(2, 1)]
    )
    assert graph.variables == (2, 3)


SUM = Operator("ADD", (1, 1), (1,), "AddOptions")
CONSTANT = Tensor((1, 4), data=np.ones((1, 4)))

BAD = {
    "read but never assigned": (
        [handle("v", 2), read(2, 1)],
        [],
        "'v' is read, but never assigned",
    ),
    "handle of another operator": (
        [read(0, 1), assign(2, 0)],
        [],
        "operator 1 (ASSIGN_VARIABLE) uses tensor 2",
    ),
    "no handle": (
        [handle("v", 2), assign(2, 0), read(0, 1)],
        [],
        "operator 2 (READ_VARIABLE) needs a VAR_HANDLE's handle",
    ),
    "handle as a value": (
        [handle("v", 2), handle("w", 3), assign(2, 3), read(2, 1)],
        [],
        "'v' holds a handle",
    ),
    "handle in another operator": (
        [handle("v", 2), assign(2, 0), Operator("ADD", (3, 0), (1,), "AddOptions")],
        [],
        "uses tensor 3 'tensor_3' of type resource",
    ),
    "no such tensor": ([handle("v", 2), assign(2, 9), read(2, 1)], [], "and a value"),
    "no such handle": ([handle("v", 77), read(2, 1)], [], "needs no input and one output"),
    "assignment without a value": (
        [handle("v", 2), Operator("ASSIGN_VARIABLE", (2,), ()), read(2, 1)],
        [],
        "operator 1 (ASSIGN_VARIABLE) needs",
    ),
    "a name too long": ([handle("v" * 201, 2), read(2, 1)], [], "201 bytes, more than 200"),
    "a name of control characters": ([handle("a\nb", 2), read(2, 1)], [], "no printable text"),
    "two containers": (
        [handle("v", 2, "a"), handle("v", 3, "b"), assign(2, 0), read(3, 1)],
        [],
        "in container 'b' and in 'a'",
    ),
    "a subgraph nobody calls": (
        [handle("v", 2), assign(2, 0), read(2, 1)],
        [initialization("v", CONSTANT)],
        "subgraph 1 is called by no CALL_ONCE",
    ),
    "a call of the main subgraph": (
        [call_once(0), handle("v", 2), assign(2, 0), read(2, 1)],
        [],
        "subgraph 0 of 1",
    ),
    "a call of no subgraph": (
        [call_once(-1), handle("v", 2), assign(2, 0), read(2, 1)],
        [initialization("v", CONSTANT)],
        "subgraph -1 of 2",
    ),
    "first values too late": (
        [handle("v", 2), assign(2, 0), call_once(), read(2, 1)],
        [initialization("v", CONSTANT)],
        "comes after a variable is read or assigned",
    ),
    "first values of another size": (
        [call_once(), handle("v", 2), assign(2, 0), read(2, 1)],
        [initialization("v", Tensor((1, 3), data=np.ones((1, 3))))],
        "int8 of shape (1, 4) ('tensor_0') and int8 of shape (1, 3)",
    ),
    "first values of another type": (
        [call_once(), handle("v", 2), assign(2, 0), read(2, 1)],
        [initialization("v", Tensor((1, 4), "int16", data=np.ones((1, 4))))],
        "and int16 of shape (1, 4)",
    ),
    "first values that are computed": (
        [call_once(), handle("v", 2), assign(2, 0), read(2, 1)],
        [Subgraph([HANDLE, CONSTANT, VALUE], [SUM, handle("v", 0), assign(0, 2)])],
        "subgraph 1, operator 0 (ADD)",
    ),
    "a first value without data": (
        [call_once(), handle("v", 2), assign(2, 0), read(2, 1)],
        [initialization("v", VALUE)],
        "only assignments of constants",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_variables_are_refused_in_one_line(name: str) -> None:
    operators, others, message = BAD[name]
    with pytest.raises(InputError) as caught:
        delay(operators, others)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Tensor((1, 4), "int16", scale=0.5), "int8 of shape (1, 4) ('tensor_0') and int16"),
        (Tensor((1, 5), scale=0.5), "and int8 of shape (1, 5) ('tensor_1')"),
    ],
)
def test_a_value_read_as_another_type_or_size_is_refused(value: Tensor, message: str) -> None:
    with pytest.raises(InputError) as caught:
        delay([handle("v", 2), read(2, 1), assign(2, 0)], value=value)
    assert message in str(caught.value)


def test_all_problems_come_in_one_line() -> None:
    operators = [call_once(7), handle("v", 2), read(2, 1), handle("w", 3), assign(3, 9)]
    with pytest.raises(InputError) as caught:
        delay(operators)
    text = str(caught.value)
    assert all(part in text for part in ("subgraph 7 of 1", "'v' is read", "ASSIGN_VARIABLE"))


@pytest.mark.parametrize(
    ("tensors", "inputs", "outputs", "message"),
    [
        ([Tensor((1, 4), scale=1.0, is_variable=True)], [0], [1], "a constant, a variable or"),
        ([VALUE, Tensor((4,), data=[1] * 4, is_variable=True)], [0], [2], "and has a constant's"),
        ([VALUE, Tensor((1, 4), scale=1.0, is_variable=True)], [0], [1], "produced by no operator"),
    ],
)
def test_variables_out_of_place_are_refused(
    tensors: list[Tensor], inputs: list[int], outputs: list[int], message: str
) -> None:
    result = Tensor((1, 4), scale=1 / 256, zero_point=-128)
    softmax = Operator("SOFTMAX", (0,), (len(tensors),), "SoftmaxOptions", {"beta": 1.0})
    with pytest.raises(InputError, match=message):
        parse_tflite(build([*tensors, result], [softmax], inputs, outputs), "model")


def test_a_head_before_an_assignment_is_refused() -> None:
    """Learning runs the operators before the head: the state would stand still."""
    weights = Tensor((3, 4), scale=0.1, data=np.ones((3, 4)))
    tensors = [VALUE, VALUE, HANDLE, weights, Tensor((1, 3), scale=1.0, name="logits")]
    dense = Operator("FULLY_CONNECTED", (1, 3, -1), (4,), "FullyConnectedOptions")
    steps = [handle("v", 2), read(2, 1), dense, assign(2, 0)]
    graph = parse_tflite(build(tensors, steps, [0], [4]), "model")
    kernels = require_kernels(graph)
    assert find_head(graph, kernels, "auto") is None
    with pytest.raises(InputError, match="writes a variable, and would not run"):
        find_head(graph, kernels, "logits")
