"""TensorFlow Lite files to `Graph`, without TensorFlow.

A .tflite is untrusted input: the flatbuffer reader checks every offset, this module every index,
count, type and length, and `tinytrain.graph.validate` the graph as a whole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinytrain.converters import flatbuffer, tflite_schema
from tinytrain.converters.flatbuffer import Table
from tinytrain.converters.tflite_variables import RESOURCE, resolve_variables
from tinytrain.errors import InputError
from tinytrain.graph import (
    ITEM_BYTES,
    MAX_ELEMENTS,
    Attribute,
    Graph,
    Operator,
    Quantization,
    Tensor,
    validate,
)

MAX_FILE_BYTES = 64 << 20
MAX_TABLES = 1 << 12
"""Tensors, or buffers, in one file."""

MAX_OPERATORS = 1 << 10

MAX_SUBGRAPHS = 16
"""One, and those that give variables their first values."""

MAX_CONSTANT_BYTES = MAX_FILE_BYTES
"""Constants that all operators read together; a file can name one constant many times."""

MAX_NAME = 200
"""Bytes of a name that are read."""


def read_tflite(path: Path) -> Graph:
    """The graph of a file. Raises InputError, one line that names the place."""
    return parse_tflite(read_bytes(path), path.name)


def read_bytes(path: Path) -> bytes:
    """The bytes of a model file, or an InputError that names it."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise InputError(f"{path}: {size} bytes; a model file has at most {MAX_FILE_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the model: {error.strerror}") from error


def parse_tflite(data: bytes, name: str) -> Graph:
    """The graph of a file's bytes; `name` is for messages."""
    model = flatbuffer.root(data, tflite_schema.IDENTIFIER, name)
    version = model.integer(0, "u32")
    if version != tflite_schema.VERSION:
        raise InputError(f"{name}: schema version {version}; {tflite_schema.VERSION} is supported")
    subgraphs = model.tables(2, f"{name}: subgraph", MAX_SUBGRAPHS)
    if not subgraphs:
        raise InputError(f"{name}: the file has no subgraph")
    buffers = model.tables(4, f"{name}: buffer", MAX_TABLES)
    kinds = [_kind(code) for code in model.tables(1, f"{name}: operator code", MAX_TABLES)]
    graph = resolve_variables([_graph(table, name, buffers, kinds) for table in subgraphs])
    return limit_constants(validate(graph))


def _graph(subgraph: Table, name: str, buffers: list[Table], kinds: list[str]) -> Graph:
    tensors = tuple(
        _tensor(table, buffers) for table in subgraph.tables(0, f"{name}: tensor", MAX_TABLES)
    )
    operators = tuple(
        _operator(table, kinds) for table in subgraph.tables(3, f"{name}: operator", MAX_OPERATORS)
    )
    return Graph(name, tensors, operators, _indices(subgraph, 1), _indices(subgraph, 2))


def limit_constants(graph: Graph) -> Graph:
    """The graph itself, once its operators read no more constants than are supported."""
    total = 0
    for operator in graph.operators:
        read = (graph.tensors[index] for index in operator.inputs if index >= 0)
        total += sum(tensor.bytes for tensor in read if tensor.data is not None)
    variables = (graph.tensors[index] for index in graph.variables)
    total += sum(tensor.bytes for tensor in variables if tensor.initial is not None)
    if total > MAX_CONSTANT_BYTES:
        raise InputError(
            f"{graph.name}: its operators read {total} bytes of constants; at most "
            f"{MAX_CONSTANT_BYTES} are supported"
        )
    return graph


def _indices(table: Table, slot: int) -> tuple[int, ...]:
    values = table.array(slot, "i32")
    if values is None:
        return ()
    if values.size > MAX_TABLES:
        raise InputError(f"{table.name}: {values.size} indices are more than {MAX_TABLES}")
    return tuple(int(value) for value in values)


def _kind(code: Table) -> str:
    """The operator's name. Files older than schema 3a keep the code in an 8-bit field."""
    number = max(code.integer(0, "i8"), code.integer(3, "i32"))
    if not 0 <= number < len(tflite_schema.OPERATOR_KINDS):
        return f"UNKNOWN_{number}"
    kind = tflite_schema.OPERATOR_KINDS[number]
    return f"CUSTOM:{code.string(1, MAX_NAME)}" if kind == "CUSTOM" else kind


def _operator(table: Table, kinds: list[str]) -> Operator:
    code = table.integer(0, "u32")
    if code >= len(kinds):
        raise InputError(f"{table.name}: operator code {code} is not below {len(kinds)}")
    kind = kinds[code]
    return Operator(kind, _indices(table, 1), _indices(table, 2), _attributes(table, kind))


def _attributes(table: Table, kind: str) -> dict[str, Attribute]:
    schema = tflite_schema.OPTIONS.get(kind)
    if schema is None or not schema.fields:
        return {}
    union = table.integer(3, "u8")
    options = table.table(4, f"{table.name} options") if union else None
    if options is not None and union != schema.union:
        raise InputError(f"{table.name} ({kind}): options of type {union}, expected {schema.union}")
    return {field.name: _attribute(options, kind, field) for field in schema.fields}


def _attribute(options: Table | None, kind: str, field: tflite_schema.Field) -> Attribute:
    if isinstance(field.default, str):
        return field.default if options is None else options.text(field.slot, MAX_NAME)
    value = (
        field.default if options is None else options.scalar(field.slot, field.kind, field.default)
    )
    if field.kind == "bool":
        return bool(value)
    if not field.names:
        return value
    if not 0 <= value < len(field.names):
        raise InputError(
            f"{options.name if options else kind} ({kind}): {field.name} {value}, "
            f"expected one of {', '.join(field.names)}"
        )
    return field.names[int(value)]


def _tensor(table: Table, buffers: list[Table]) -> Tensor:
    name = table.string(3, MAX_NAME)
    number = table.integer(1, "i8")
    types = tflite_schema.TENSOR_TYPES
    dtype = types[number] if 0 <= number < len(types) else f"number {number}"
    if dtype not in ITEM_BYTES and dtype != RESOURCE:
        raise InputError(
            f"{table.name} '{name}': type {dtype}; supported are {', '.join(ITEM_BYTES)}"
        )
    if table.table(6, f"{table.name} sparsity") is not None:
        raise InputError(f"{table.name} '{name}': sparse tensors are not supported; densify first")
    shape = _indices(table, 0)
    if dtype == RESOURCE:
        return Tensor(name, (1,), dtype)
    return Tensor(
        name,
        shape,
        dtype,
        _quantization(table, dtype),
        _constant(table, name, buffers, shape, dtype),
        bool(table.integer(5, "bool")),
    )


def _quantization(table: Table, dtype: str) -> Quantization | None:
    found = table.table(4, f"{table.name} quantization")
    scale = None if found is None else found.array(2, "f32")
    if found is None or scale is None or scale.size == 0:
        return None
    if found.integer(4, "u8"):
        raise InputError(f"{table.name}: custom quantization is not supported")
    zero_point = found.array(3, "i64")
    if zero_point is None or zero_point.size == 0:
        zero_point = np.zeros(scale.size, np.int64)
    # Published files give biases the axis of their weights; a bias has only one.
    axis = 0 if dtype == "int32" else found.integer(6, "i32")
    return Quantization(scale.astype(np.float32), zero_point.astype(np.int64), axis)


def _constant(
    table: Table, name: str, buffers: list[Table], shape: tuple[int, ...], dtype: str
) -> npt.NDArray[np.generic] | None:
    """The tensor's value where its buffer holds one: a read-only view of the file."""
    index = table.integer(2, "u32")
    if index >= len(buffers):
        raise InputError(f"{table.name} '{name}': buffer {index} is not below {len(buffers)}")
    if buffers[index].integer(1, "u64") > 1:
        raise InputError(f"{table.name} '{name}': data outside the flatbuffer is not supported")
    data = buffers[index].array(0, "u8")
    if index == 0 or data is None or data.size == 0:
        return None
    elements = 1
    for extent in shape:
        elements *= max(extent, 0)
    expected = elements * ITEM_BYTES[dtype]
    if elements > MAX_ELEMENTS or data.size != expected:
        raise InputError(
            f"{table.name} '{name}': buffer of {data.size} bytes, but shape {shape} of {dtype} "
            f"needs {expected}"
        )
    return data.view(np.dtype(dtype).newbyteorder("<")).reshape(shape)
