"""MLPerf Tiny's four int8 networks as .tflite bytes, without TensorFlow's converter.

Keyword spotting (kws) and anomaly detection (ad) are the published files. Image classification (ic,
ResNet-8) and person detection (vww, MobileNetV1 0.25) are built here in the published shapes, with
random weights. As normalization does in training, scales and biases are chosen such that every
channel of every layer is centred and spread alike on random inputs, so that activations use their
range and multipliers are those of trained networks; the same bytes on every machine.

Letters: N inputs, H rows, W columns, C channels, K channels or classes of the output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

# The builder of .tflite files lives with the tests, which are no part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.models import Operator, Tensor, build
from tinytrain.errors import InputError
from tinytrain.pipeline.convert import convert
from tinytrain.project import Project, load_project
from tinytrain.variants.choose import BALANCED, Optimize

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "models"
"""Where the published files lie, unless told otherwise."""
PUBLISHED = {"kws": "kws_ref_model.tflite", "ad": "ad01_int8.tflite"}
MACS = {"kws": 2_656_768, "ic": 12_501_632, "vww": 7_489_664, "ad": 264_192}
"""Multiply-accumulates of each network, by its short name."""
BUILT: Mapping[str, Callable[[], bytes]] = {
    "ic": lambda: resnet8(),
    "vww": lambda: mobilenet_v1(),
}


def reference_model(name: str, folder: Path = FOLDER) -> bytes:
    """The file of one of MACS. Raises InputError where a published file is not in `folder`."""
    if name in BUILT:
        return BUILT[name]()
    path = folder / PUBLISHED[name]
    if not path.is_file():
        raise InputError(
            f"{path} is not here: give --models-folder, the folder with MLPerf Tiny's files"
        )
    return path.read_bytes()


def reference_project(
    name: str, folder: Path, out: Path, optimize: Optimize = BALANCED, ram: int | None = None
) -> Project:
    """A project of one of MACS for inference alone, converted into the folder `out`."""
    source = out / f"{name}.tflite"
    out.mkdir(parents=True, exist_ok=True)
    source.write_bytes(reference_model(name, folder))
    convert(source, out / name, name, head="none", optimize=optimize, ram=ram)
    return load_project(out / name)


def resnet8(seed: int = 0) -> bytes:
    """Images of 32x32x3, 10 classes: stages of 16, 32 and 64 channels."""
    network = _Network(seed, (32, 32, 3))
    x = network.convolution(network.source, 16)
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = network.convolution(x, channels, stride)
        y = network.convolution(y, channels, relu=False)
        if stride > 1:
            x = network.convolution(x, channels, stride, kernel=1, relu=False)
        x = network.add(x, y)
    return network.classifier(x, 10)


def mobilenet_v1(seed: int = 0) -> bytes:
    """Images of 96x96x3, 2 classes: a quarter of the published width."""
    network = _Network(seed, (96, 96, 3))
    x = network.convolution(network.source, 8, stride=2)
    blocks = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2))
    for channels, stride in (*blocks, (256, 1)):
        x = network.depthwise(x, stride)
        x = network.convolution(x, channels, kernel=1)
    return network.classifier(x, 2)


SAMPLES = 4
"""Random inputs that scales are chosen on."""
INPUT_SCALE = 1 / 255
RECTIFIED_RANGE, SIGNED_RANGE = 3.0, 6.0
"""Standard deviations that the 256 steps of an activation cover."""
WEIGHT_SPREAD = 40.0
"""Standard deviation of int8 weights."""
OFFSET_SPREAD = 0.3
"""Of biases, in standard deviations of their channel."""
PROBABILITY_SCALE = 1 / 256

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Activation:
    """A tensor of the graph, and the SAMPLES that are in it."""

    tensor: int
    values: Numbers
    """(N, H, W, C) or (N, C) integers, the zero point subtracted."""
    scale: float


@dataclass
class _Network:
    """A graph that grows layer by layer."""

    seed: int
    shape: tuple[int, int, int]
    """(H, W, C) of the input."""
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        drawn = self.rng.integers(0, 256, (SAMPLES, *self.shape)).astype(np.float64)
        self.tensors.append(Tensor((1, *self.shape), scale=INPUT_SCALE, zero_point=-128))
        self.source = _Activation(0, drawn, INPUT_SCALE)

    def convolution(
        self, x: _Activation, channels: int, stride: int = 1, kernel: int = 3, relu: bool = True
    ) -> _Activation:
        weights = self._weights((channels, kernel, kernel, x.values.shape[-1]))
        taps = _taps(x.values, kernel, stride)
        sums = np.sum([t @ weights[:, i, j].T for (i, j), t in taps.items()], axis=0)
        return self._weighted("CONV_2D", x, weights, 0, sums, _strides(stride), relu)

    def depthwise(self, x: _Activation, stride: int) -> _Activation:
        weights = self._weights((1, 3, 3, x.values.shape[-1]))
        taps = _taps(x.values, 3, stride)
        sums = np.sum([t * weights[0, i, j] for (i, j), t in taps.items()], axis=0)
        options = {**_strides(stride), "depthMultiplier": 1}
        return self._weighted("DEPTHWISE_CONV_2D", x, weights, 3, sums, options)

    def add(self, a: _Activation, b: _Activation) -> _Activation:
        """The sum of two, rectified."""
        total = a.values * a.scale + b.values * b.scale
        scale = _rounded(RECTIFIED_RANGE * float(total.std()) / 255)
        y = self._activation(total / scale, scale, rectified=True)
        options = {"fusedActivationFunction": "RELU"}
        self.operators.append(
            Operator("ADD", (a.tensor, b.tensor), (y.tensor,), "AddOptions", options)
        )
        return y

    def classifier(self, x: _Activation, classes: int) -> bytes:
        """The mean of each channel, a dense layer and a softmax; gives the file."""
        height, width, channels = x.values.shape[1:]
        like = self.tensors[x.tensor]
        pooled = self._tensor(Tensor((1, 1, 1, channels), scale=x.scale, zero_point=-128))
        assert like.zero_point == -128
        pool = {"strideH": 1, "strideW": 1, "filterHeight": height, "filterWidth": width}
        options = {**pool, "padding": "VALID"}
        self.operators.append(
            Operator("AVERAGE_POOL_2D", (x.tensor,), (pooled,), "Pool2DOptions", options)
        )
        flat = self._tensor(Tensor((1, channels), scale=x.scale, zero_point=-128))
        shape = {"newShape": [1, channels]}
        self.operators.append(Operator("RESHAPE", (pooled,), (flat,), "ReshapeOptions", shape))
        features = _Activation(flat, np.round(x.values.mean((1, 2))), x.scale)
        weights = self._weights((classes, channels))
        sums = features.values @ weights.T
        logits = self._weighted("FULLY_CONNECTED", features, weights, None, sums, {}, relu=False)
        last = self._tensor(Tensor((1, classes), scale=PROBABILITY_SCALE, zero_point=-128))
        self.operators.append(
            Operator("SOFTMAX", (logits.tensor,), (last,), "SoftmaxOptions", {"beta": 1.0})
        )
        return build(self.tensors, self.operators, [0], [last])

    def _weights(self, shape: tuple[int, ...]) -> Numbers:
        return np.clip(np.round(self.rng.normal(0, WEIGHT_SPREAD, shape)), -127, 127)

    def _weighted(
        self,
        kind: str,
        x: _Activation,
        weights: Numbers,
        axis: int | None,
        sums: Numbers,
        options: Mapping[str, object],
        relu: bool = True,
    ) -> _Activation:
        """A layer whose products add up to `sums` (..., K). `axis`: of the weights, with a scale
        for each slice along it; None: one scale."""
        rows = sums.reshape(-1, sums.shape[-1])
        mean, spread = rows.mean(0), rows.std(0)
        if axis is None:
            spread = np.full_like(spread, spread.mean())
        offsets = np.round(self.rng.normal(0, OFFSET_SPREAD, len(spread)) * spread - mean)
        # Every channel's standard deviation becomes 1.
        scales = [_rounded(1 / (x.scale * float(s))) for s in spread]
        scale = _rounded((RECTIFIED_RANGE if relu else SIGNED_RANGE) / 255)
        place = {"scale": scales, "axis": axis} if axis is not None else {"scale": scales[0]}
        bias_scale = [x.scale * s for s in scales] if axis is not None else x.scale * scales[0]
        constants = (
            self._tensor(Tensor(weights.shape, data=weights, **place)),
            self._tensor(Tensor((len(spread),), "int32", scale=bias_scale, data=offsets)),
        )
        y = self._activation((sums + offsets) * x.scale * np.array(scales) / scale, scale, relu)
        table = {
            "CONV_2D": "Conv2DOptions",
            "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
            "FULLY_CONNECTED": "FullyConnectedOptions",
        }[kind]
        fused = {"fusedActivationFunction": "RELU" if relu else "NONE"}
        self.operators.append(
            Operator(kind, (x.tensor, *constants), (y.tensor,), table, {**options, **fused})
        )
        return y

    def _activation(self, steps: Numbers, scale: float, rectified: bool) -> _Activation:
        """A tensor of values in units of its scale, which it clamps."""
        zero_point = -128 if rectified else 0
        values = np.clip(np.round(steps), -128 - zero_point, 127 - zero_point)
        shape = (1, *steps.shape[1:])
        return _Activation(
            self._tensor(Tensor(shape, scale=scale, zero_point=zero_point)), values, scale
        )

    def _tensor(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1


def _taps(x: Numbers, kernel: int, stride: int) -> dict[tuple[int, int], Numbers]:
    """By place in the kernel, what it meets at every place of the output; padding as SAME."""
    height, width = (-(-size // stride) for size in x.shape[1:3])
    missing = [
        max((count - 1) * stride + kernel - size, 0)
        for count, size in zip((height, width), x.shape[1:3], strict=True)
    ]
    rows, columns = ((half // 2, half - half // 2) for half in missing)
    padded = np.pad(x, ((0, 0), rows, columns, (0, 0)))
    return {
        (i, j): padded[:, i::stride, j::stride][:, :height, :width]
        for i in range(kernel)
        for j in range(kernel)
    }


def _strides(stride: int) -> dict[str, object]:
    return {"strideH": stride, "strideW": stride, "padding": "SAME"}


def _rounded(scale: float) -> float:
    """Three digits: what no machine's rounding of a mean can change."""
    return float(f"{scale:.2e}")
