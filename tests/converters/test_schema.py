"""The numbers of converters/tflite_schema.py are those of the schema that TensorFlow ships."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import pytest

from tests.models import Operator, Tensor, build, options_table, schema
from tinytrain.converters import flatbuffer, tflite_schema
from tinytrain.converters.tflite import parse_tflite
from tinytrain.converters.tflite_schema import Field
from tinytrain.operators.table import OPERATORS

TABLES = {
    "ABS": "AbsOptions",
    "ADD": "AddOptions",
    "ASSIGN_VARIABLE": "AssignVariableOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CALL_ONCE": "CallOnceOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "HARD_SWISH": "HardSwishOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "LOGISTIC": "NONE",
    "MAXIMUM": "MaximumMinimumOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "ARG_MAX": "ArgMaxOptions",
    "CONCATENATION": "ConcatenationOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "MUL": "MulOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "PRELU": "NONE",
    "QUANTIZE": "QuantizeOptions",
    "READ_VARIABLE": "ReadVariableOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RELU": "NONE",
    "RELU6": "NONE",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPLIT": "SplitOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "SVDF": "SVDFOptions",
    "TANH": "NONE",
    "TRANSPOSE": "TransposeOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "VAR_HANDLE": "VarHandleOptions",
}
"""The options table of an operator, by its name in the schema; NONE where it has no options."""

NAMES = {
    "activation": "fusedActivationFunction",
    "dilation_height": "dilationHFactor",
    "dilation_width": "dilationWFactor",
    "stride_height": "strideH",
    "stride_width": "strideW",
}
"""Our attribute names that are not the schema's in another spelling."""

ENUMERATIONS = {
    "padding": ("Padding", tflite_schema.PADDING),
    "activation": ("ActivationFunctionType", tflite_schema.ACTIVATION),
    "mode": ("MirrorPadMode", tflite_schema.MIRROR_MODE),
}

WIDE = {"i8": -100, "i32": -70_000}
"""Values that another width or sign would not give back."""

FIELDS = [
    pytest.param(kind, field, id=f"{kind}-{field.name}")
    for kind, options in tflite_schema.OPTIONS.items()
    for field in options.fields
    if field.kind != "text"
]

TEXTS = [
    pytest.param(kind, field, id=f"{kind}-{field.name}")
    for kind, options in tflite_schema.OPTIONS.items()
    for field in options.fields
    if field.kind == "text"
]


def numbers(enumeration: str) -> dict[str, int]:
    members = vars(getattr(schema(), enumeration))
    return {name: value for name, value in members.items() if not name.startswith("_")}


def schema_name(field: Field) -> str:
    """stride_height: strideH; keep_dims: keepDims."""
    first, *others = field.name.split("_")
    return NAMES.get(field.name, first + "".join(word.capitalize() for word in others))


def packed(table: str, values: dict[str, Any]) -> flatbuffer.Table:
    """An options table with `values`, written by TensorFlow's module and read by ours."""
    builder = flatbuffers.Builder()
    # Fields at their default are left out of a file; force them in, so that they are tested too.
    builder.ForceDefaults(bool(values))
    builder.Finish(options_table(table, values).Pack(builder), file_identifier=b"TFL3")
    return flatbuffer.root(bytes(builder.Output()), b"TFL3", table)


def test_every_operator_code_has_the_schemas_name() -> None:
    expected = numbers("BuiltinOperator")
    assert {kind: code for code, kind in enumerate(tflite_schema.OPERATOR_KINDS)} == expected


def test_the_placeholder_is_where_the_schema_has_it() -> None:
    code = numbers("BuiltinOperator")["PLACEHOLDER_FOR_GREATER_OP_CODES"]
    assert code == tflite_schema.PLACEHOLDER_CODE


def test_every_tensor_type_has_the_schemas_number() -> None:
    theirs = {name.lower(): number for name, number in numbers("TensorType").items()}
    ours = {name: number for number, name in enumerate(tflite_schema.TENSOR_TYPES)}
    assert ours.items() <= theirs.items()


@pytest.mark.parametrize("name", ENUMERATIONS)
def test_every_enumeration_is_the_schemas(name: str) -> None:
    enumeration, ours = ENUMERATIONS[name]
    assert {value: number for number, value in enumerate(ours)} == numbers(enumeration)


def test_every_operator_of_the_table_has_its_options() -> None:
    assert set(OPERATORS) <= set(tflite_schema.OPTIONS)
    assert set(TABLES) == set(tflite_schema.OPTIONS)


@pytest.mark.parametrize("kind", tflite_schema.OPTIONS)
def test_the_options_have_the_schemas_number_in_the_union(kind: str) -> None:
    assert tflite_schema.OPTIONS[kind].union == numbers("BuiltinOptions")[TABLES[kind]]


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_every_attribute_is_read_from_its_field(kind: str, field: Field) -> None:
    for value in (1, 0) if field.kind == "bool" else (3, 1, 0):
        table = packed(TABLES[kind], {schema_name(field): value})
        assert table.scalar(field.slot, field.kind, -1) == value


@pytest.mark.parametrize(("kind", "field"), TEXTS)
def test_every_text_is_read_from_its_field(kind: str, field: Field) -> None:
    table = packed(TABLES[kind], {schema_name(field): "a name, \u00e4nd more"})
    assert table.text(field.slot, 50) == "a name, \u00e4nd more"
    assert packed(TABLES[kind], {}).text(field.slot, 50) == field.default


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_an_attribute_left_out_has_the_schemas_default(kind: str, field: Field) -> None:
    assert getattr(options_table(TABLES[kind], {}), schema_name(field)) == field.default
    table = packed(TABLES[kind], {})
    assert table.scalar(field.slot, field.kind, field.default) == field.default


@pytest.mark.parametrize(
    ("kind", "field"), [param for param in FIELDS if param.values[1].kind in WIDE]
)
def test_every_attribute_has_the_width_and_sign_of_its_field(kind: str, field: Field) -> None:
    value = WIDE[field.kind]
    table = packed(TABLES[kind], {schema_name(field): value})
    assert table.scalar(field.slot, field.kind, 0) == value


def test_a_file_is_read_as_it_was_written() -> None:
    tensors = [
        Tensor((1, 3), scale=0.5, zero_point=-7, name="input"),
        Tensor((2, 3), scale=[0.25, 2.0], axis=0, data=[[1, -2, 3], [-4, 5, -128]], name="w"),
        Tensor((2,), "int32", [0.125, 1.0], data=[1 << 30, -5], name="b"),
        Tensor((1, 2), scale=1.5, zero_point=9, name="output"),
        Tensor((3, 1, 2), "float32", name="unused"),
    ]
    options = {"fusedActivationFunction": "RELU6", "keepNumDims": True}
    operator = Operator("FULLY_CONNECTED", (0, 1, 2), (3,), "FullyConnectedOptions", options)
    graph = parse_tflite(build(tensors, [operator], [0], [3]), "name")
    assert (graph.name, graph.inputs, graph.outputs) == ("name", (0,), (3,))
    (found,) = graph.operators
    assert (found.kind, found.inputs, found.outputs) == ("FULLY_CONNECTED", (0, 1, 2), (3,))
    expected = {"activation": "RELU6", "weights_format": 0, "keep_num_dims": True}
    assert found.attributes == expected
    for written, read in zip(tensors, graph.tensors, strict=True):
        assert (read.name, read.shape, read.dtype) == (written.name, written.shape, written.dtype)
        assert (read.data is None) == (written.data is None)
        if written.data is not None:
            assert read.data is not None
            assert read.data.tolist() == written.data
        if written.scale is None:
            assert read.quantization is None
            continue
        assert read.quantization is not None
        assert read.quantization.scale.tolist() == np.atleast_1d(written.scale).tolist()
        assert set(read.quantization.zero_point.tolist()) == {written.zero_point}
        assert read.quantization.axis == written.axis
