"""Builds .tflite files from plain data, with the schema module that TensorFlow ships.

Nothing here uses our own reader, so that the tests have a second opinion on the file format. The
schema module is loaded alone by its path: importing TensorFlow itself would take seconds.

    x = Tensor((1, 4), scale=0.5)
    y = Tensor((1, 4), scale=1 / 256, zero_point=-128)
    softmax = Operator("SOFTMAX", (0,), (1,), "SoftmaxOptions", {"beta": 1.0})
    data = build([x, y], [softmax], [0], [1])
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt

BUFFER_ALIGNMENT = 16
"""The schema's force_align of a buffer's data, which the Python schema module leaves out."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """`data` makes it a constant. One scale, or one a slice along `axis`; None: no quantization."""

    shape: tuple[int, ...]
    dtype: str = "int8"
    scale: float | Sequence[float] | None = None
    zero_point: int | Sequence[int] = 0
    axis: int = 0
    data: npt.ArrayLike | None = None
    name: str | None = None
    is_variable: bool = False


@dataclass(frozen=True)
class Operator:
    """`kind`: the name in BuiltinOperator. `inputs`, `outputs`: tensor indices, -1 for none.

    `table`: the name of the options table, of either union, such as "Conv2DOptions"; None: no
    options. `options`: its fields by the schema module's names (strideW, ...); enumerations are
    given by name ("SAME", "RELU6").
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


ENUMERATIONS = {
    "padding": "Padding",
    "fusedActivationFunction": "ActivationFunctionType",
    "weightsFormat": "FullyConnectedOptionsWeightsFormat",
    "quantizedBiasType": "TensorType",
    "inDataType": "TensorType",
    "outDataType": "TensorType",
    "outputType": "TensorType",
    "mode": "MirrorPadMode",
    "kernelType": "LSTMKernelType",
}
"""The enumeration of an options field."""


@cache
def schema() -> ModuleType:
    """TensorFlow's schema_py_generated, without TensorFlow."""
    tensorflow = importlib.util.find_spec("tensorflow")
    assert tensorflow is not None, "tensorflow is missing: pip install tinytrain[train]"
    assert tensorflow.origin is not None
    path = Path(tensorflow.origin).parent / "lite" / "python" / "schema_py_generated.py"
    spec = importlib.util.spec_from_file_location("schema_py_generated", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, eq=False)
class Subgraph:
    """A subgraph without inputs and outputs, such as CALL_ONCE calls."""

    tensors: Sequence[Tensor]
    operators: Sequence[Operator]


def build(
    tensors: Sequence[Tensor],
    operators: Sequence[Operator],
    inputs: Sequence[int],
    outputs: Sequence[int],
    others: Sequence[Subgraph] = (),
) -> bytes:
    """The bytes of a file whose first subgraph is given by the first four, and the `others`.

    Constants get a buffer each, in order of tensors.
    """
    fb = schema()
    buffers: list[_Buffer] = [_Buffer(b"")]
    parts = [Subgraph(tensors, operators), *others]
    kinds = list(dict.fromkeys(operator.kind for part in parts for operator in part.operators))
    model = fb.ModelT()
    model.version = 3
    model.operatorCodes = [_operator_code(kind) for kind in kinds]
    model.subgraphs = [_subgraph(part, kinds, buffers) for part in parts]
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = list(inputs), list(outputs)
    model.buffers = buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def options_table(name: str, values: Mapping[str, Any]) -> Any:
    """An options object of the schema module with `values` set."""
    fb = schema()
    table = getattr(fb, f"{name}T")()
    for key, value in values.items():
        assert hasattr(table, key), f"{name} has no field {key}; it has {', '.join(vars(table))}"
        by_name = isinstance(value, str) and key in ENUMERATIONS
        setattr(table, key, getattr(getattr(fb, ENUMERATIONS[key]), value) if by_name else value)
    return table


@dataclass(frozen=True)
class _Buffer:
    """In place of the schema module's BufferT: its data is aligned as in published files."""

    data: bytes

    def Pack(self, builder: flatbuffers.Builder) -> int:
        fb = schema()
        vector = None
        if self.data:
            builder.StartVector(1, len(self.data), BUFFER_ALIGNMENT)
            builder.head -= len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
            vector = builder.EndVector()
        fb.BufferStart(builder)
        if vector is not None:
            fb.BufferAddData(builder, vector)
        return int(fb.BufferEnd(builder))


def _subgraph(part: Subgraph, kinds: list[str], buffers: list[_Buffer]) -> Any:
    subgraph = schema().SubGraphT()
    subgraph.tensors = [_tensor(tensor, i, buffers) for i, tensor in enumerate(part.tensors)]
    subgraph.operators = [_operator(operator, kinds) for operator in part.operators]
    subgraph.inputs, subgraph.outputs = [], []
    return subgraph


def _tensor(tensor: Tensor, index: int, buffers: list[_Buffer]) -> Any:
    fb = schema()
    packed = fb.TensorT()
    packed.shape = list(tensor.shape)
    packed.type = getattr(fb.TensorType, tensor.dtype.upper())
    packed.name = f"tensor_{index}" if tensor.name is None else tensor.name
    packed.isVariable = tensor.is_variable
    if tensor.data is not None:
        packed.buffer = len(buffers)
        stored = np.asarray(tensor.data).astype(np.dtype(tensor.dtype).newbyteorder("<"))
        buffers.append(_Buffer(stored.reshape(tensor.shape).tobytes()))
    if tensor.scale is not None:
        packed.quantization = fb.QuantizationParametersT()
        packed.quantization.scale = np.atleast_1d(np.asarray(tensor.scale, np.float32))
        zero_points = np.asarray(tensor.zero_point, np.int64)
        packed.quantization.zeroPoint = np.broadcast_to(
            zero_points, packed.quantization.scale.shape
        ).copy()
        packed.quantization.quantizedDimension = tensor.axis
    return packed


def _operator(operator: Operator, kinds: list[str]) -> Any:
    fb = schema()
    packed = fb.OperatorT()
    packed.opcodeIndex = kinds.index(operator.kind)
    packed.inputs, packed.outputs = list(operator.inputs), list(operator.outputs)
    if operator.table is not None:
        options = options_table(operator.table, operator.options)
        if hasattr(fb.BuiltinOptions, operator.table):
            packed.builtinOptionsType = getattr(fb.BuiltinOptions, operator.table)
            packed.builtinOptions = options
        else:
            packed.builtinOptions2Type = getattr(fb.BuiltinOptions2, operator.table)
            packed.builtinOptions2 = options
    return packed


def _operator_code(kind: str) -> Any:
    fb = schema()
    code = fb.OperatorCodeT()
    code.builtinCode = getattr(fb.BuiltinOperator, kind)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    return code
