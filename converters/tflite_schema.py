"""The part of TensorFlow Lite's schema that the reader needs, as data.

Source of the numbers: tensorflow/compiler/mlir/lite/schema/schema.fbs. tests/converters checks
them against the schema module that TensorFlow ships.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

IDENTIFIER = b"TFL3"
VERSION = 3

TENSOR_TYPES = (
    "float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 "
    "resource variant uint32 uint16 int4"
).split()

# The index in this list is the operator's code.
OPERATOR_KINDS = (
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE "
    "EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D "
    "LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU "
    "RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH "
    "CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD "
    "UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB "
    "DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP "
    "TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX "
    "MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV "
    "SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN "
    "FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK "
    "REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE "
    "RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL "
    "REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE "
    "MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 "
    "SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES "
    "CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE "
    "HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE "
    "READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE "
    "RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD "
    "UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST "
    "BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE "
    "STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP "
    "STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE "
    "STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE "
    "STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE "
    "STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT "
    "STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT "
    "STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA "
    "STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE "
    "STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW "
    "STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE "
).split()

PLACEHOLDER_CODE = 127
"""The old 8-bit code field holds this where the code did not fit."""

PADDING = ("SAME", "VALID")
ACTIVATION = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
MIRROR_MODE = ("REFLECT", "SYMMETRIC")


@dataclass(frozen=True)
class Field:
    """One attribute: its name in `Operator.attributes`, its slot, type and default."""

    name: str
    slot: int
    kind: str
    """A scalar of `converters.flatbuffer`, or "text"."""
    default: int | float | str = 0
    names: tuple[str, ...] = ()
    """For an enumeration: the names of its values."""


@dataclass(frozen=True)
class Options:
    """The options table of an operator: its number in the union, and its fields."""

    union: int
    fields: tuple[Field, ...] = ()


def _padding(slot: int = 0) -> Field:
    return Field("padding", slot, "i8", 0, PADDING)


def _activation(slot: int) -> Field:
    return Field("activation", slot, "i8", 0, ACTIVATION)


_POOL = Options(
    5,
    (
        _padding(),
        Field("stride_width", 1, "i32"),
        Field("stride_height", 2, "i32"),
        Field("filter_width", 3, "i32"),
        Field("filter_height", 4, "i32"),
        _activation(5),
    ),
)
_NO_TABLE = Options(0)
_REDUCER = Options(27, (Field("keep_dims", 0, "bool"),))

OPTIONS: Mapping[str, Options] = {
    "ASSIGN_VARIABLE": Options(113),
    "CALL_ONCE": Options(103, (Field("init_subgraph_index", 0, "i32"),)),
    "READ_VARIABLE": Options(112),
    "SVDF": Options(
        6,
        (
            Field("rank", 0, "i32"),
            _activation(1),
            Field("asymmetric_quantize_inputs", 2, "bool"),
        ),
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Options(
        71,
        (
            _activation(0),
            Field("cell_clip", 1, "f32"),
            Field("proj_clip", 2, "f32"),
            Field("time_major", 3, "bool"),
            Field("asymmetric_quantize_inputs", 4, "bool"),
            Field("diagonal_recurrent_tensors", 5, "bool"),
        ),
    ),
    "VAR_HANDLE": Options(
        111, (Field("container", 0, "text", ""), Field("shared_name", 1, "text", ""))
    ),
    "CONV_2D": Options(
        1,
        (
            _padding(),
            Field("stride_width", 1, "i32"),
            Field("stride_height", 2, "i32"),
            _activation(3),
            Field("dilation_width", 4, "i32", 1),
            Field("dilation_height", 5, "i32", 1),
        ),
    ),
    "DEPTHWISE_CONV_2D": Options(
        2,
        (
            _padding(),
            Field("stride_width", 1, "i32"),
            Field("stride_height", 2, "i32"),
            Field("depth_multiplier", 3, "i32"),
            _activation(4),
            Field("dilation_width", 5, "i32", 1),
            Field("dilation_height", 6, "i32", 1),
        ),
    ),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "FULLY_CONNECTED": Options(
        8, (_activation(0), Field("weights_format", 1, "i8"), Field("keep_num_dims", 2, "bool"))
    ),
    "SOFTMAX": Options(9, (Field("beta", 0, "f32"),)),
    "ADD": Options(11, (_activation(0),)),
    "ABS": Options(78),
    "DEQUANTIZE": Options(38),
    "HARD_SWISH": Options(91),
    "LEAKY_RELU": Options(75, (Field("alpha", 0, "f32"),)),
    "LOGISTIC": _NO_TABLE,
    "MAXIMUM": Options(39),
    "MINIMUM": Options(39),
    "MUL": Options(21, (_activation(0),)),
    "PRELU": _NO_TABLE,
    "QUANTIZE": Options(89),
    "RELU": _NO_TABLE,
    "RELU6": _NO_TABLE,
    "SUB": Options(28, (_activation(0),)),
    "TANH": _NO_TABLE,
    "MEAN": _REDUCER,
    "RESHAPE": Options(17),
    "ARG_MAX": Options(40, (Field("output_type", 0, "i8", 0, tuple(TENSOR_TYPES)),)),
    "CONCATENATION": Options(10, (Field("axis", 0, "i32"), _activation(1))),
    "EXPAND_DIMS": Options(52),
    "MIRROR_PAD": Options(77, (Field("mode", 0, "i8", 0, MIRROR_MODE),)),
    "PAD": Options(22),
    "PADV2": Options(43),
    "REDUCE_MAX": _REDUCER,
    "RESIZE_NEAREST_NEIGHBOR": Options(
        74, (Field("align_corners", 0, "bool"), Field("half_pixel_centers", 1, "bool"))
    ),
    "SPLIT": Options(35, (Field("num_splits", 0, "i32"),)),
    "SQUEEZE": Options(30),
    "STRIDED_SLICE": Options(
        32,
        (
            Field("begin_mask", 0, "i32"),
            Field("end_mask", 1, "i32"),
            Field("ellipsis_mask", 2, "i32"),
            Field("new_axis_mask", 3, "i32"),
            Field("shrink_axis_mask", 4, "i32"),
            Field("offset", 5, "bool"),
        ),
    ),
    "SUM": _REDUCER,
    "TRANSPOSE": Options(26),
    "TRANSPOSE_CONV": Options(
        49,
        (
            _padding(),
            Field("stride_width", 1, "i32"),
            Field("stride_height", 2, "i32"),
            _activation(3),
        ),
    ),
}
