"""An ONNX file to `Graph`: what stands between DequantizeLinear and QuantizeLinear becomes one
integer operator.

Integer rules are those of .tflite files from here on; ONNX computes these operators in float, so
its results differ now and then by one step of the output's scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinytrain.converters.onnx import elementwise, pooling, shaping, weighted
from tinytrain.converters.onnx.builder import Activation, Builder, same
from tinytrain.converters.onnx.layout import channels_last, layout_of, plain_order
from tinytrain.converters.onnx.reader import Edge, File, Node, NodeError, printable, read_file
from tinytrain.converters.onnx.values import ADVICE, FREE, Call, Clamp, Constant, Pending, Value
from tinytrain.converters.refusal import FileEdge, FileNode, RefusedError
from tinytrain.converters.tflite import MAX_TABLES, limit_constants
from tinytrain.errors import InputError
from tinytrain.graph import Graph, Quantization, validate

NODES: Mapping[str, Callable[[Call], Value]] = {
    "Add": elementwise.binary,
    "AveragePool": pooling.average_pool,
    "Clip": elementwise.clip,
    "Concat": shaping.concat,
    "Conv": weighted.conv,
    "Dropout": elementwise.nothing,
    "Flatten": shaping.flatten,
    "Gemm": weighted.gemm,
    "GlobalAveragePool": pooling.global_average_pool,
    "HardSwish": elementwise.hard_swish,
    "Identity": elementwise.nothing,
    "LeakyRelu": elementwise.leaky_relu,
    "MatMul": weighted.matmul,
    "MaxPool": pooling.max_pool,
    "Mul": elementwise.binary,
    "Pad": shaping.pad,
    "ReduceMean": pooling.reduce_mean,
    "Relu": elementwise.relu,
    "Reshape": shaping.reshape,
    "Sigmoid": elementwise.sigmoid,
    "Softmax": elementwise.softmax,
    "Squeeze": shaping.squeeze,
    "Sub": elementwise.binary,
    "Tanh": elementwise.tanh,
    "Transpose": shaping.transpose,
    "Unsqueeze": shaping.unsqueeze,
}

QUANTIZERS = ("DequantizeLinear", "QuantizeLinear")
DOMAINS = ("", "com.microsoft")
"""Where QuantizeLinear and DequantizeLinear may come from; all others are standard operators."""

STORED = ("int8", "uint8", "int32")
"""Types that can stand before a DequantizeLinear. uint8 is int8 and 128 more."""

OUTPUT_DTYPES: Mapping[int, str] = {0: "uint8", 2: "uint8", 3: "int8"}
"""QuantizeLinear's attribute output_dtype, where it has no zero point."""


def parse_onnx(data: bytes, name: str) -> Graph:
    """The graph of a file's bytes; `name` is for messages. Images become channels last.

    Raises RefusedError that names every node that is not supported, and InputError for a file that
    is damaged or too large.
    """
    return _Fold(read_file(data, name)).graph()


class _Fold:
    """One pass over the nodes. A name whose node failed stands for None, silently from there on."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.builder = Builder()
        self.values: dict[str, Value | None] = {
            name: Constant(name, data) for name, data in file.constants.items()
        }
        self.emitted: dict[tuple[str, float, int], Activation] = {}
        self.inputs: dict[str, int] = {}
        """Tensors of graph inputs, by name."""
        self.problems: list[str] = []
        """Of the nodes, inputs and outputs alike."""
        self.refused: dict[int, str] = {}
        """The first problem of each node that has one."""
        self.judged: set[int] = set()
        """Nodes whose operands are all known."""
        self.notes: list[str] = []

    def graph(self) -> Graph:
        for edge in self.file.inputs:
            self.values[edge.name] = self._input(edge)
        for node in self.file.nodes:
            self._visit(node)
        self._require_no_problems()
        outputs = [self._output(name) for name in self.file.outputs]
        self._require_no_problems()
        inputs = [self.inputs[edge.name] for edge in self.file.inputs if edge.name in self.inputs]
        found = self.builder.graph(self.file.name, inputs, outputs, tuple(self.notes))
        if len(found.tensors) > MAX_TABLES:
            raise InputError(
                f"{found.name}: {len(found.tensors)} tensors; at most {MAX_TABLES} are supported"
            )
        return limit_constants(validate(found))

    def _require_no_problems(self) -> None:
        if self.problems:
            problems = list(self.problems)
            if not all(map(_is_known, self.file.nodes)):
                problems.append(f"supported are {', '.join(sorted((*NODES, *QUANTIZERS)))}")
            edges = (
                [FileEdge(printable(e.name), e.dtype, e.shape) for e in self.file.inputs],
                [FileEdge(printable(n), None, self._shape(n)) for n in self.file.outputs],
            )
            nodes = [self._file_node(node) for node in self.file.nodes]
            raise RefusedError(self.file.name, problems, nodes, edges)

    def _file_node(self, node: Node) -> FileNode:
        output = node.outputs[0] if node.outputs else ""
        constants = self.file.constants
        problem = self.refused.get(node.index)
        return FileNode(
            node.index,
            node.kind,
            tuple(printable(name) for name in node.inputs if name and name not in constants),
            printable(output),
            self._shape(output),
            problem is not None or node.index in self.judged,
            problem,
        )

    def _shape(self, name: str) -> tuple[int, ...] | None:
        """Of what a name stands for, where it is known."""
        value = self.values.get(name)
        if isinstance(value, Constant):
            return value.data.shape
        return None if value is None else value.shape

    def _visit(self, node: Node) -> None:
        for name in node.outputs:
            if name in self.values:
                raise InputError(
                    f"{self.file.name}: {node.fail(f'{name[:200]!r} is written twice')}"
                )
        result: Value | None = None
        try:
            _require_supported(node)
            operands = tuple(self._read(node, name) for name in node.inputs)
            if all(
                found is not None or not name
                for found, name in zip(operands, node.inputs, strict=True)
            ):
                self.judged.add(node.index)
                result = self._evaluate(Call(node, self.builder, operands, self.file.opset))
        except InputError as error:
            self._refuse(error, node.index)
        self.values.update(dict.fromkeys((name for name in node.outputs if name), None))
        if node.outputs:
            self.values[node.outputs[0]] = result

    def _refuse(self, error: InputError, visited: int | None = None) -> None:
        """Keeps a problem with the node that it concerns: that is an earlier one than the visited
        QuantizeLinear, or output, that called for a float result as an operator.
        """
        self.problems.append(str(error))
        refused = error.node if isinstance(error, NodeError) else visited
        if refused is not None:
            self.refused.setdefault(refused, str(error))
        if visited is not None and refused != visited:
            self.judged.discard(visited)

    def _read(self, node: Node, name: str) -> Value | None:
        if name and name not in self.values:
            raise node.fail(f"reads {name[:200]!r}, which nothing before it writes")
        return self.values[name] if name else None

    def _evaluate(self, call: Call) -> Value:
        node = call.node
        if node.kind == "QuantizeLinear":
            return self._quantize(call)
        if node.kind == "DequantizeLinear":
            return _dequantize(call)
        return _constant(node) if node.kind == "Constant" else NODES[node.kind](call)

    def _quantize(self, call: Call) -> Value:
        wanted, dtype = _parameters(call)
        found = call.given(0)
        if isinstance(found, Constant):
            self.builder.spend(found.data.nbytes, call.node.name)
            return _quantized_constant(call, found, wanted, dtype)
        if dtype not in ("int8", "uint8") or not wanted.per_tensor:
            raise call.node.fail(
                f"to {dtype} with {wanted.scale.size} scales; int8 with one is supported"
            )
        name = call.node.inputs[0]
        if isinstance(found, Pending):
            key = (name, float(wanted.scale[0]), int(wanted.zero_point[0]))
            value = self.emitted.get(key) or found.emit(wanted, FREE, name)
            self.emitted[key] = value
        elif found.real:
            value = call.finish(found, wanted, FREE, name)
        else:
            raise call.node.fail(f"its input is an integer; {ADVICE}")
        return replace(value, real=False)

    def _input(self, edge: Edge) -> Value | None:
        """An int8 input of the graph; a float one is what its QuantizeLinear makes of it."""
        if edge.dtype == "float32":
            made: list[Activation] = []

            def emit(wanted: Quantization, clamp: Clamp, name: str) -> Activation:
                if clamp != FREE:
                    raise InputError(f"input '{name[:200]}' is clamped before it is quantized")
                if not made:
                    made.append(self._place(edge, wanted))
                held = self.builder.quantization(made[0].tensor)
                if same(held, wanted):
                    return made[0]
                return self.builder.unary("QUANTIZE", made[0], f"{name}/rescaled", wanted)

            return Pending(edge.shape, emit)
        readers = [n for n in self.file.nodes if edge.name in n.inputs[:1] and n.kind in QUANTIZERS]
        if edge.dtype not in ("int8", "uint8") or not readers:
            self.problems.append(
                f"input '{edge.name[:200]}' is {edge.dtype} and no DequantizeLinear reads it; "
                "float32, or int8 in front of a DequantizeLinear, is supported"
            )
            return None
        operands = tuple(self.values.get(name) for name in readers[0].inputs)
        try:
            wanted, _ = _parameters(Call(readers[0], self.builder, operands, self.file.opset))
        except InputError as error:
            self.problems.append(str(error))
            return None
        if edge.dtype == "uint8":
            self.notes.append(f"input '{edge.name[:200]}' is int8, the ONNX input less 128")
        return replace(self._place(edge, wanted), real=False)

    def _place(self, edge: Edge, quantized: Quantization) -> Activation:
        order = plain_order(len(edge.shape))
        if len(edge.shape) == 4 or (len(edge.shape) == 3 and self._has_signals()):
            order = channels_last(len(edge.shape))
        layout = layout_of(edge.shape, order)
        shape = tuple(edge.shape[axis] for axis in order)
        if not layout.plain:
            self._note("input", edge.name, shape, edge.shape)
        tensor = self.inputs[edge.name] = self.builder.input(edge.name, shape, quantized)
        return Activation(tensor, edge.shape, layout, True)

    def _note(self, what: str, name: str, shape: tuple[int, ...], given: tuple[int, ...]) -> None:
        self.notes.append(
            f"{what} '{name[:200]}' has shape {shape}, channels last; in the ONNX file "
            f"it is {given}"
        )

    def _has_signals(self) -> bool:
        """Whether some Conv or pool slides along one axis."""
        ranks = {name: data.ndim for name, data in self.file.constants.items()}
        for node in self.file.nodes:
            if node.kind in QUANTIZERS and node.outputs and node.inputs:
                ranks[node.outputs[0]] = ranks.get(node.inputs[0], 0)
        return any(
            (node.kind == "Conv" and [ranks.get(name) for name in node.inputs[1:2]] == [3])
            or (node.kind in ("MaxPool", "AveragePool") and len(_kernel_shape(node)) == 1)
            for node in self.file.nodes
        )

    def _output(self, name: str) -> int:
        """The tensor of a graph output: images channels last, all else as ONNX has it."""
        value = self.values.get(name)
        if isinstance(value, Pending) and value.natural is not None:
            try:
                value = value.emit(value.natural, FREE, name)
            except InputError as error:
                self._refuse(error)
                return 0
        if not isinstance(value, Activation):
            self.problems.append(
                f"output '{name[:200]}' is a constant, or float32 that no QuantizeLinear reads; "
                "quantize it, or end the graph in Softmax, Sigmoid or Tanh"
            )
            return 0
        if value.real:
            value = replace(value, tensor=self.builder.before_rescaling(value.tensor))
        rank = len(value.shape)
        order = plain_order(rank)
        if rank in (3, 4) and value.layout == layout_of(value.shape, channels_last(rank)):
            order = channels_last(rank)
        shape = tuple(value.shape[axis] for axis in order)
        if not layout_of(value.shape, order).plain:
            self._note("output", name, shape, value.shape)
        return self.builder.arranged(value, order)


def _is_known(node: Node) -> bool:
    if node.kind in QUANTIZERS:
        return node.domain in DOMAINS
    return node.kind in (*NODES, "Constant") and node.domain == ""


def _require_supported(node: Node) -> None:
    if not _is_known(node):
        origin = f"of domain {node.domain} " if node.domain else ""
        raise node.fail(f"{origin}is not supported")
    if not node.outputs or not node.outputs[0]:
        raise node.fail("it has no output")


def _kernel_shape(node: Node) -> tuple[object, ...]:
    value = node.attributes.get("kernel_shape")
    return value if isinstance(value, tuple) else ()


def _constant(node: Node) -> Constant:
    """The value of a Constant node, in whichever attribute it stands."""
    for name, value in node.attributes.items():
        if name == "value" and isinstance(value, np.ndarray):
            return Constant(node.outputs[0], value)
        if name in ("value_int", "value_ints"):
            return Constant(node.outputs[0], np.array(value, np.int64))
        if name in ("value_float", "value_floats"):
            return Constant(node.outputs[0], np.array(value, np.float32))
    raise node.fail("its value is missing, or no tensor or number")


def _parameters(call: Call) -> tuple[Quantization, str]:
    """Scales and zero points of a Quantize- or DequantizeLinear, in terms of int8; and its type."""
    node = call.node
    scale = call.constant(1).data
    if scale.dtype != np.float32 or scale.ndim > 1 or not scale.size:
        raise node.fail(f"scale is {scale.dtype} {scale.shape}; float32, one a channel or for all")
    scales = scale.reshape(-1).astype(np.float32)
    if not bool(np.all(np.isfinite(scales) & (scales > 0))):
        raise node.fail("scales must be finite and positive")
    if node.integer("block_size", 0):
        raise node.fail("scales by blocks are not supported; per tensor and per channel are")
    if call.optional(2) is None:
        points = np.zeros(scale.size, np.int64)
        dtype = OUTPUT_DTYPES.get(node.integer("output_dtype", 0), "unsupported")
        found = call.given(0)
        if node.kind == "DequantizeLinear":
            dtype = str(found.data.dtype) if isinstance(found, Constant) else "int8"
    else:
        data = call.constant(2).data
        points, dtype = data.reshape(-1).astype(np.int64), str(data.dtype)
        if points.size != scale.size:
            raise node.fail(f"{scale.size} scales for {points.size} zero points")
    if dtype not in STORED:
        raise node.fail(
            f"type {dtype}; {', '.join(STORED)} are supported (activation_type=QuantType.QInt8)"
        )
    axis = node.integer("axis", 1)
    axis += len(call.shape()) if axis < 0 else 0
    points = points - 128 if dtype == "uint8" else points
    return Quantization(scales, points, axis if scale.size > 1 else 0), dtype


def _signed(data: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return data if data.dtype != np.uint8 else (data.astype(np.int16) - 128).astype(np.int8)


def _quantized_constant(call: Call, found: Constant, wanted: Quantization, dtype: str) -> Constant:
    """QuantizeLinear of a float constant: rounded half to even, saturated."""
    if found.data.dtype != np.float32 or found.quantization is not None:
        raise call.node.fail(f"constant '{found.name}' is {found.data.dtype}; float32 is supported")
    data = found.data.astype(np.float32)
    if not bool(np.all(np.isfinite(data))):
        raise call.node.fail(f"constant '{found.name}' holds numbers that are not finite")
    scale, point = _along(call, found, wanted)
    limits = np.iinfo("int8" if dtype == "uint8" else dtype)
    levels = np.rint(data / scale).astype(np.float64) + point
    held = np.clip(levels, limits.min, limits.max).astype(limits.dtype)
    return Constant(found.name, held if dtype != "uint8" else held.view(np.int8))


def _along(
    call: Call, found: Constant, quantized: Quantization
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Scales and zero points, shaped to stretch over the constant."""
    shape = [1] * found.data.ndim
    if not quantized.per_tensor:
        if quantized.axis >= found.data.ndim or found.data.shape[quantized.axis] != len(
            quantized.scale
        ):
            raise call.node.fail(
                f"{len(quantized.scale)} scales along axis {quantized.axis} do not fit shape "
                f"{found.data.shape}"
            )
        shape[quantized.axis] = len(quantized.scale)
    return quantized.scale.reshape(shape), quantized.zero_point.reshape(shape)


def _dequantize(call: Call) -> Value:
    held, dtype = _parameters(call)
    found = call.given(0)
    if isinstance(found, Constant):
        data = _signed(found.data)
        if found.quantization is not None or str(found.data.dtype) not in (dtype, str(data.dtype)):
            raise call.node.fail(
                f"constant '{found.name}' is {found.data.dtype}, its zero point {dtype}"
            )
        _along(call, found, held)
        return Constant(found.name, data, held)
    if not isinstance(found, Activation) or found.real:
        raise call.node.fail("its input is float32; a QuantizeLinear has to come first")
    if not held.per_tensor or not same(held, call.builder.quantization(found.tensor)):
        raise call.node.fail(
            "its scale or zero point is not that of the QuantizeLinear that its input comes from"
        )
    return replace(found, real=True)
