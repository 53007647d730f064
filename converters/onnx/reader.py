"""An ONNX file as plain data, every count, type and length checked.

The `onnx` package, imported here alone and late, decodes the protobuf and nothing more: its own
checker and shape inference are C++ that trusts its input. Field names: onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tinytrain.converters.onnx.wire import WireError, count_fields
from tinytrain.converters.tflite import MAX_NAME
from tinytrain.errors import InputError
from tinytrain.graph import MAX_ELEMENTS, MAX_RANK

Array = npt.NDArray[np.generic]
Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | Array

OPSETS = (11, 28)
"""Lowest and highest version of the standard operators; below 11 Clip and Pad differ."""

MAX_FILE_BYTES = 16 << 20
"""Packed numbers take up to eight times their bytes in memory."""

MAX_FIELDS = 1 << 17
"""Fields of all messages in the file. A quantized operator comes with some 200."""

MAX_ENTRIES = 1 << 13
"""Nodes, or initializers. A quantized operator comes with up to five nodes and ten constants."""

MAX_ATTRIBUTE_ENTRIES = 64
MAX_EDGES = 64
"""Inputs, or outputs, of one node."""

DTYPES: Mapping[int, str] = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
}
"""By number in TensorProto.DataType. Others cannot be read."""

_TYPED_FIELDS: Mapping[str, str] = {"float32": "float_data", "int64": "int64_data"}
"""Where elements lie that are not in raw_data; all others are in int32_data."""

T = TypeVar("T", bound=Attribute)


class NodeError(InputError):
    """What keeps a node from being converted."""

    def __init__(self, node: int, message: str) -> None:
        super().__init__(message)
        self.node = node


@dataclass(frozen=True, eq=False)
class Node:
    """One operator of the file. An empty name among `inputs` is an optional input left out."""

    index: int
    kind: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]

    def fail(self, message: str) -> NodeError:
        return NodeError(self.index, f"node {self.index} '{self.name}' ({self.kind}): {message}")

    def integer(self, name: str, default: int) -> int:
        return self._get(name, default, int)

    def number(self, name: str, default: float) -> float:
        return self._get(name, default, float)

    def text(self, name: str, default: str) -> str:
        return self._get(name, default, str)

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        values = self._get(name, default, tuple)
        if any(not isinstance(value, int) for value in values):
            raise self.fail(f"attribute {name} is {values}; integers are expected")
        return tuple(int(value) for value in values)

    def _get(self, name: str, default: T, kind: type[T]) -> T:
        value = self.attributes.get(name, default)
        if not isinstance(value, kind):
            found = type(value).__name__
            raise self.fail(f"attribute {name} is of type {found}; {kind.__name__} is expected")
        return value


@dataclass(frozen=True)
class Edge:
    """An input of the graph. The batch, where it is left open, is 1."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class File:
    name: str
    opset: int
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    inputs: tuple[Edge, ...]
    outputs: tuple[str, ...]


def read_file(data: bytes, name: str) -> File:
    """The file's graph. Raises InputError, one line that names the place."""
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{name}: {len(data)} bytes; an ONNX file has at most {MAX_FILE_BYTES}")
    model = _decode(data, name)
    graph = model.graph
    opset = _opset(model, name)
    for what, entries in (("nodes", graph.node), ("initializers", graph.initializer)):
        if len(entries) > MAX_ENTRIES:
            raise InputError(f"{name}: {len(entries)} {what}; at most {MAX_ENTRIES} are supported")
    if graph.sparse_initializer:
        raise InputError(f"{name}: sparse initializers are not supported; store them densely")
    constants = {
        _text(entry.name): _array(entry, f"{name}: initializer '{printable(entry.name)}'")
        for entry in graph.initializer
    }
    nodes = tuple(_node(entry, index, name) for index, entry in enumerate(graph.node))
    # Files of the first IR versions list initializers among the inputs.
    inputs = tuple(
        _edge(entry, name) for entry in graph.input if _text(entry.name) not in constants
    )
    outputs = tuple(_text(entry.name) for entry in graph.output)
    if not outputs:
        raise InputError(f"{name}: the graph has no output")
    return File(name, opset, nodes, constants, inputs, outputs)


def _decode(data: bytes, name: str) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise InputError(
            f"{name}: reading ONNX needs the package onnx, which is not installed: "
            "pip install 'tinytrain[onnx]'"
        ) from error
    model = onnx.ModelProto()
    try:
        if count_fields(data, model.DESCRIPTOR, MAX_FIELDS) > MAX_FIELDS:
            raise InputError(f"{name}: more than {MAX_FIELDS} fields; not a model of this size")
        model.ParseFromString(data)
    except (DecodeError, RuntimeError, WireError) as error:
        raise InputError(f"{name}: not an ONNX file, or a damaged one") from error
    if not model.graph.node:
        raise InputError(f"{name}: not an ONNX file (it has no nodes)")
    return model


def _opset(model: Any, name: str) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    low, high = OPSETS
    if len(versions) != 1 or not low <= versions[0] <= high:
        found = ", ".join(map(str, versions[:4])) or "none"
        raise InputError(
            f"{name}: opset {found}; {low} to {high} are supported (onnx.version_converter)"
        )
    return int(versions[0])


def _text(value: str | bytes) -> str:
    """A name; protobuf gives bytes where it is not UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def printable(value: str | bytes) -> str:
    """A name as messages have it: of bounded length, and nothing that moves a cursor."""
    text = _text(value)
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_NAME])


def _node(entry: Any, index: int, file: str) -> Node:
    kind = printable(entry.op_type)
    name = printable(entry.name or (entry.output[0] if entry.output else ""))
    where = f"{file}: node {index} '{name}' ({kind})"
    if len(entry.input) > MAX_EDGES or len(entry.output) > MAX_EDGES:
        raise InputError(f"{where}: more than {MAX_EDGES} inputs or outputs")
    if len(entry.attribute) > MAX_ATTRIBUTE_ENTRIES:
        raise InputError(f"{where}: more than {MAX_ATTRIBUTE_ENTRIES} attributes")
    attributes: dict[str, Attribute] = {}
    for attribute in entry.attribute:
        value = _attribute(attribute, where)
        if value is not None:
            attributes[_text(attribute.name)] = value
    return Node(
        index,
        kind,
        "" if entry.domain == "ai.onnx" else printable(entry.domain),
        name,
        tuple(_text(edge) for edge in entry.input),
        tuple(_text(edge) for edge in entry.output),
        attributes,
    )


def _attribute(attribute: Any, where: str) -> Attribute | None:
    """The value; None for types that no supported operator has, such as graphs."""
    place = f"{where}: attribute {printable(attribute.name)}"
    many = {6: attribute.floats, 7: attribute.ints}.get(attribute.type)
    if many is not None and len(many) > MAX_ATTRIBUTE_ENTRIES:
        raise InputError(f"{place} has {len(many)} entries, more than {MAX_ATTRIBUTE_ENTRIES}")
    if attribute.type == 1:
        value: Attribute = float(attribute.f)
        if not isfinite(attribute.f):
            raise InputError(f"{place} is {attribute.f}; a finite number is expected")
        return value
    if attribute.type == 2:
        return int(attribute.i)
    if attribute.type == 3:
        return printable(attribute.s[:MAX_NAME].decode("utf-8", "replace"))
    if attribute.type == 4:
        return _array(attribute.t, place)
    return None if many is None else tuple(many)


def _array(entry: Any, where: str) -> Array:
    """A TensorProto's value."""
    dtype = DTYPES.get(entry.data_type)
    if dtype is None:
        raise InputError(
            f"{where} is of type number {entry.data_type}; supported are "
            + ", ".join(DTYPES.values())
        )
    if entry.data_location or entry.external_data:
        raise InputError(
            f"{where} lies in another file; save the model as one file "
            "(onnx.save with save_as_external_data=False)"
        )
    shape = tuple(entry.dims)
    if len(shape) > MAX_RANK or any(not 0 <= extent <= MAX_ELEMENTS for extent in shape):
        raise InputError(f"{where} has shape {shape[: MAX_RANK + 1]}; at most rank {MAX_RANK}")
    elements = prod(shape)
    stored = np.dtype(dtype).newbyteorder("<")
    if entry.raw_data:
        found = len(entry.raw_data) / stored.itemsize
    else:
        values = getattr(entry, _TYPED_FIELDS.get(dtype, "int32_data"))
        found = len(values)
    if elements > MAX_ELEMENTS or found != elements:
        raise InputError(f"{where} has {found:g} elements of data for shape {shape}")
    if entry.raw_data:
        return np.frombuffer(entry.raw_data, stored).astype(dtype).reshape(shape)
    wide = np.array(values, np.float32 if dtype == "float32" else np.int64)
    narrow = wide.astype(dtype)
    if dtype != "float32" and not np.array_equal(wide, narrow):
        raise InputError(f"{where} holds values that are no {dtype}")
    return narrow.reshape(shape)


def _edge(entry: Any, file: str) -> Edge:
    where = f"{file}: input '{printable(entry.name)}'"
    kind = entry.type.tensor_type
    dtype = DTYPES.get(kind.elem_type, f"number {kind.elem_type}")
    dimensions = list(kind.shape.dim)
    if not 1 <= len(dimensions) <= MAX_RANK:
        raise InputError(f"{where} has {len(dimensions)} dimensions; 1 to {MAX_RANK} are supported")
    shape = [int(dimension.dim_value) for dimension in dimensions]
    if shape[0] == 0:
        shape[0] = 1
    for axis, extent in enumerate(shape):
        if not 1 <= extent <= MAX_ELEMENTS:
            raise InputError(
                f"{where}: dimension {axis} is open or out of range; give it a number "
                "(python -m onnxruntime.tools.make_dynamic_shape_fixed)"
            )
    return Edge(_text(entry.name), dtype, tuple(shape))
