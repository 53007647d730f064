"""Resource variables of a .tflite file become variable tensors of the graph.

In the file, VAR_HANDLE gives a handle to a variable named `shared_name`; READ_VARIABLE and
ASSIGN_VARIABLE copy its value out and in by that handle, and CALL_ONCE runs another subgraph once,
before anything else, which assigns the first values. In the graph a variable is a tensor:
VAR_HANDLE and CALL_ONCE are gone, READ_VARIABLE reads the variable, ASSIGN_VARIABLE writes it.

Source of the rules: TensorFlow Lite Micro's var_handle.cc, read_variable.cc, assign_variable.cc,
call_once.cc and micro_resource_variable.cc. Values are copied as bytes, whatever their shape or
quantization; type and number of elements must agree. A variable that is never assigned has no size
there, and is refused here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.graph import Graph, Operator, Tensor

RESOURCE = "resource"
"""The type of a handle's tensor."""


@dataclass
class _Variable:
    """What the operators that name one variable say of it."""

    name: str
    container: str
    handles: list[int] = field(default_factory=list)
    """Tensors of the main subgraph."""
    assigned: list[Tensor] = field(default_factory=list)
    read: list[Tensor] = field(default_factory=list)
    initial: Tensor | None = None
    """The constant that CALL_ONCE assigns."""


def resolve_variables(subgraphs: Sequence[Graph]) -> Graph:
    """The first subgraph, with variables as tensors in the places of their first handles.

    Graphs as they stand in the file, not validated. Raises InputError that names all problems.
    """
    main = subgraphs[0]
    kinds = {operator.kind for operator in main.operators}
    if len(subgraphs) == 1 and not kinds & {"VAR_HANDLE", "CALL_ONCE"}:
        return _without_handles(main)
    return _Resolution(subgraphs).graph()


class _Resolution:
    """Collects what is known of each variable, and every problem, before the graph is made."""

    def __init__(self, subgraphs: Sequence[Graph]) -> None:
        self.subgraphs = subgraphs
        self.main = subgraphs[0]
        self.variables: dict[str, _Variable] = {}
        self.problems: list[str] = []

    def graph(self) -> Graph:
        handles = self._handles(self.main)
        called = self._initialize()
        for index in sorted(set(range(1, len(self.subgraphs))) - called):
            self.problems.append(f"subgraph {index} is called by no CALL_ONCE; not supported")
        self._collect_uses(handles)
        tensors = list(self.main.tensors)
        for variable in self.variables.values():
            resolved = self._tensor(variable)
            for handle in variable.handles:
                tensors[handle] = resolved
        if self.problems:
            raise InputError(f"{self.main.name}: " + "; ".join(self.problems))
        places = {tensor: self.variables[key].handles[0] for tensor, key in handles.items()}
        operators = tuple(
            _rewired(operator, places)
            for operator in self.main.operators
            if operator.kind not in ("VAR_HANDLE", "CALL_ONCE")
        )
        return _without_handles(replace(self.main, tensors=tuple(tensors), operators=operators))

    def _handles(self, graph: Graph) -> dict[int, str]:
        """The variable's name by the tensor that holds a handle to it."""
        handles: dict[int, str] = {}
        for position, operator in enumerate(graph.operators):
            if operator.kind != "VAR_HANDLE":
                continue
            where = f"operator {position} (VAR_HANDLE)"
            tensor = _one_tensor(graph, operator.outputs)
            if tensor is None or operator.inputs:
                self.problems.append(f"{where} needs no input and one output")
                continue
            name = str(operator.attributes["shared_name"])
            container = str(operator.attributes["container"])
            variable = self.variables.setdefault(name, _Variable(name, container))
            if container != variable.container:
                self.problems.append(
                    f"{where}: '{name}' is in container '{container}' and in "
                    f"'{variable.container}'; one is supported"
                )
            handles[tensor] = name
            if graph is self.main:
                variable.handles.append(tensor)
        return handles

    def _initialize(self) -> set[int]:
        """Takes first values from the subgraphs that CALL_ONCE names; gives their indices."""
        called: set[int] = set()
        started = False
        for position, operator in enumerate(self.main.operators):
            if operator.kind in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
                started = True
            if operator.kind != "CALL_ONCE":
                continue
            where = f"operator {position} (CALL_ONCE)"
            index = int(operator.attributes["init_subgraph_index"])  # type: ignore[arg-type]
            if not 1 <= index < len(self.subgraphs) or operator.inputs or operator.outputs:
                self.problems.append(
                    f"{where}: subgraph {index} of {len(self.subgraphs)}, {len(operator.inputs)} "
                    f"inputs and {len(operator.outputs)} outputs; a later subgraph and none are "
                    "supported"
                )
            elif started:
                self.problems.append(f"{where} comes after a variable is read or assigned")
            else:
                called.add(index)
                self._initialize_from(index)
        return called

    def _initialize_from(self, index: int) -> None:
        graph = self.subgraphs[index]
        handles = self._handles(graph)
        for position, operator in enumerate(graph.operators):
            if operator.kind == "VAR_HANDLE":
                continue
            name, value = self._assignment(graph, operator, handles)
            if name is None or value is None or value.data is None:
                self.problems.append(
                    f"subgraph {index}, operator {position} ({operator.kind}): in a subgraph for "
                    "CALL_ONCE, only assignments of constants to variables are supported"
                )
                continue
            self.variables[name].initial = value

    def _collect_uses(self, handles: dict[int, str]) -> None:
        for position, operator in enumerate(self.main.operators):
            where = f"operator {position} ({operator.kind})"
            if operator.kind == "ASSIGN_VARIABLE":
                name, value = self._assignment(self.main, operator, handles)
                if name is None or value is None:
                    self.problems.append(f"{where} needs a VAR_HANDLE's handle and a value")
                else:
                    self.variables[name].assigned.append(value)
            elif operator.kind == "READ_VARIABLE":
                handle = _one_tensor(self.main, operator.inputs)
                value_tensor = _one_tensor(self.main, operator.outputs)
                name = None if handle is None else handles.get(handle)
                if name is None or value_tensor is None:
                    self.problems.append(f"{where} needs a VAR_HANDLE's handle and one output")
                else:
                    self.variables[name].read.append(self.main.tensors[value_tensor])

    def _assignment(
        self, graph: Graph, operator: Operator, handles: dict[int, str]
    ) -> tuple[str | None, Tensor | None]:
        """The variable and the value of a well-formed ASSIGN_VARIABLE."""
        if operator.kind != "ASSIGN_VARIABLE" or len(operator.inputs) != 2 or operator.outputs:
            return None, None
        value = _one_tensor(graph, operator.inputs[1:])
        return handles.get(operator.inputs[0]), None if value is None else graph.tensors[value]

    def _tensor(self, variable: _Variable) -> Tensor:
        """The variable as a tensor: of the type and quantization of what is first assigned."""
        first = [] if variable.initial is None else [variable.initial]
        values = [*variable.assigned, *first]
        if not values:
            if variable.read:
                self.problems.append(f"variable '{variable.name}' is read, but never assigned")
            return Tensor(variable.name, (1,), "int8", is_variable=True)
        value = values[0]
        for other in (*values, *variable.read):
            if (other.dtype, other.elements) != (value.dtype, value.elements):
                self.problems.append(
                    f"variable '{variable.name}' holds {_describe(value)} and {_describe(other)}"
                )
        if value.dtype == RESOURCE:
            self.problems.append(f"variable '{variable.name}' holds a handle; not supported")
        return Tensor(
            variable.name,
            value.shape,
            value.dtype,
            value.quantization,
            is_variable=True,
            initial=_initial(variable.initial, value.shape),
        )


def _initial(tensor: Tensor | None, shape: tuple[int, ...]) -> npt.NDArray[np.generic] | None:
    if tensor is None or tensor.data is None:
        return None
    return tensor.data.reshape(shape) if tensor.data.size == np.prod(shape) else tensor.data


def _describe(tensor: Tensor) -> str:
    return f"{tensor.dtype} of shape {tensor.shape} ('{tensor.name}')"


def _one_tensor(graph: Graph, indices: tuple[int, ...]) -> int | None:
    """The index that stands alone in `indices`, where it is a tensor's."""
    if len(indices) == 1 and 0 <= indices[0] < len(graph.tensors):
        return indices[0]
    return None


def _rewired(operator: Operator, places: dict[int, int]) -> Operator:
    """The operator with variables in the place of handles; an assignment writes its variable."""
    inputs = tuple(places.get(tensor, tensor) for tensor in operator.inputs)
    if operator.kind == "ASSIGN_VARIABLE":
        return replace(operator, inputs=inputs[1:], outputs=inputs[:1])
    return replace(operator, inputs=inputs)


def _without_handles(graph: Graph) -> Graph:
    """The graph itself, once nothing in it uses a handle."""
    for position, operator in enumerate(graph.operators):
        for tensor in (*operator.inputs, *operator.outputs):
            if 0 <= tensor < len(graph.tensors) and graph.tensors[tensor].dtype == RESOURCE:
                raise InputError(
                    f"{graph.name}: operator {position} ({operator.kind}) uses tensor "
                    f"{graph.describe(tensor)} of type resource; only the handles of VAR_HANDLE in "
                    "READ_VARIABLE and ASSIGN_VARIABLE are supported"
                )
    return graph
