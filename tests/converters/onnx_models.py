"""Float ONNX models from a few nodes, quantized by ONNX Runtime, and what ONNX Runtime gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from tinytrain.converters.onnx.folding import parse_onnx
from tinytrain.emulator.inference import run
from tinytrain.graph import Graph
from tinytrain.operators.table import require_kernels

Float = NDArray[np.float32]
SAMPLES = 32
IR_VERSION = 10
"""One that all tested versions of ONNX Runtime read."""


@dataclass(frozen=True, eq=False)
class Network:
    """A float model of one input x and one output, that of the last node."""

    nodes: Sequence[onnx.NodeProto]
    shape: tuple[int, ...]
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    opset: int = 17

    def build(self) -> onnx.ModelProto:
        output = self.nodes[-1].output[0]
        graph = helper.make_graph(
            list(self.nodes),
            "network",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self.opset)],
            ir_version=IR_VERSION,
        )


@dataclass(frozen=True)
class Scheme:
    """How ONNX Runtime quantizes."""

    per_channel: bool = True
    symmetric: bool = False
    activations: str = "QInt8"


SCHEMES = {
    "per_channel": Scheme(),
    "per_tensor": Scheme(per_channel=False),
    "symmetric": Scheme(symmetric=True),
    "symmetric_per_tensor": Scheme(per_channel=False, symmetric=True),
    "uint8": Scheme(activations="QUInt8"),
}


class Inputs(CalibrationDataReader):
    def __init__(self, samples: Float) -> None:
        self.left = iter(samples)

    def get_next(self) -> dict[str, Float] | None:
        sample = next(self.left, None)
        return None if sample is None else {"x": sample[None]}


def weights(*shape: int, seed: int = 0, spread: float = 0.4) -> Float:
    values = np.random.default_rng(seed).normal(0, spread, shape)
    return values.astype(np.float32)


def inputs(shape: Sequence[int]) -> Float:
    """(SAMPLES, *shape without batch), with a few values beyond what calibration saw."""
    values = np.random.default_rng(7).normal(0, 1.2, (SAMPLES, *shape[1:]))
    return values.astype(np.float32)


def quantize(network: Network, folder: Path, scheme: Scheme | None = None) -> Path:
    """The path of the quantized model."""
    scheme = scheme or Scheme()
    source, target = folder / "float.onnx", folder / "model.onnx"
    onnx.save(network.build(), source)
    seen = np.random.default_rng(1).normal(0, 1, (16, *network.shape[1:])).astype(np.float32)
    quantize_static(
        source,
        target,
        Inputs(seen),
        quant_format=QuantFormat.QDQ,
        per_channel=scheme.per_channel,
        activation_type=getattr(QuantType, scheme.activations),
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": scheme.symmetric},
    )
    return target


def surround(network: Network, folder: Path, scheme: Scheme | None = None) -> Path:
    """The path of the model with quantizers around it, which ONNX Runtime's quantizer leaves out
    where nothing but such nodes is there. Operators that only move or choose numbers keep their
    input's scale, as they do there.
    """
    scheme = scheme or Scheme()
    model = network.build()
    onnx.save(model, folder / "float.onnx")
    x = inputs(network.shape)
    y = runtime_outputs(folder / "float.onnx", x)
    inner = model.graph.node
    shared = inner[-1].op_type in ("AveragePool", "MaxPool", "Pad")
    inner[0].input[0], inner[-1].output[0] = "xd", "yf"
    nodes = [
        *(helper.make_node(f"{kind}Linear", [source, "xs", "xz"], [target])
          for kind, source, target in (("Quantize", "x", "xq"), ("Dequantize", "xq", "xd"))),
        *inner,
        *(helper.make_node(f"{kind}Linear", [source, "ys", "yz"], [target])
          for kind, source, target in (("Quantize", "yf", "yq"), ("Dequantize", "yq", "y"))),
    ]  # fmt: skip
    constants = dict(network.constants)
    for name, values in (("x", x), ("y", x if shared else y)):
        constants[f"{name}s"], constants[f"{name}z"] = _levels(values, scheme)
    around = Network(nodes, network.shape, constants, network.opset)
    onnx.save(around.build(), folder / "model.onnx")
    return folder / "model.onnx"


def _levels(values: Float, scheme: Scheme) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Scale and zero point that hold the values' range."""
    dtype = np.dtype(scheme.activations.removeprefix("Q").lower())
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if scheme.symmetric:
        return np.float32(max(-low, high) / 127), dtype.type(0)
    scale = np.float32((high - low) / 255)
    return scale, dtype.type(round(np.iinfo(dtype).min - low / float(scale)))


def runtime_outputs(path: Path, x: Float) -> Float:
    """(n, elements): every operator in float between its quantizers, as the file says."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"x": row[None]})[0].reshape(1, -1) for row in x])


def channels_last(values: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """(n, elements) in ONNX's order to the same, channels last."""
    return np.moveaxis(values.reshape(len(values), *shape[1:]), 1, -1).reshape(len(values), -1)


def emulated_outputs(graph: Graph, x: Float) -> Float:
    """(n, elements) real values of the graph's output, of real inputs in ONNX's order."""
    source = graph.tensors[graph.inputs[0]]
    if any(note.startswith("input") for note in graph.notes):
        x = channels_last(x, x.shape).reshape(len(x), *source.shape[1:])
    assert source.quantization is not None
    scale, zero_point = source.quantization.scale, source.quantization.zero_point
    levels = np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)
    output = graph.tensors[graph.outputs[0]]
    assert output.quantization is not None
    found = run(graph, require_kernels(graph), [levels])[graph.outputs[0]].astype(np.float32)
    return (found - output.quantization.zero_point) * output.quantization.scale


def steps_apart(path: Path) -> NDArray[np.float64]:
    """How far emulator and ONNX Runtime are apart, in steps of the coarser of both outputs."""
    graph = parse_onnx(path.read_bytes(), path.name)
    model = onnx.load(path)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    x = inputs(shape)
    expected, found = runtime_outputs(path, x), emulated_outputs(graph, x)
    output = graph.tensors[graph.outputs[0]]
    if any(note.startswith("output") for note in graph.notes):
        expected = channels_last(expected, (1, output.shape[-1], *output.shape[1:-1]))
    assert output.quantization is not None
    constants = {entry.name: entry for entry in model.graph.initializer}
    last = float(numpy_helper.to_array(constants[model.graph.node[-1].input[1]]))
    return np.abs(found - expected) / max(last, float(output.quantization.scale[0]))
