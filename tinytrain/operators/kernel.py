"""`Kernel`, an operator ready to run, and `Reading`, the checked view on one being lowered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.arithmetic import quantize_multiplier
from tinytrain.errors import InputError
from tinytrain.graph import Attribute, Graph, Operator, Quantization, Tensor


class UnsupportedError(InputError):
    """An operator that cannot be lowered; the message says what was found and what is allowed."""


class Parameters:
    """Base of the frozen dataclasses that twin the C structs.

    Fields are integers (C: int32_t), floats (C: float), other parameters (C: structs) and numpy
    arrays (C: pointers to const), in the names and the order of the struct.
    """

    structure: ClassVar[str]
    """The C struct's name, such as tt_convolution."""
    function: ClassVar[str] = ""
    """The C kernel's name, such as tt_conv_2d; empty for a struct inside others."""
    short: ClassVar[frozenset[str]] = frozenset()
    """The fields that are uint16_t in C."""
    input_array: ClassVar[bool] = False
    """Whether the C kernel takes its inputs as one array of pointers: there may be any number."""
    output_array: ClassVar[bool] = False
    """The same for its outputs."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """One operator ready to run."""

    index: int
    """Its place in the graph."""
    kind: str
    parameters: Parameters
    inputs: tuple[int, ...]
    """Operands read, as graph tensor indices, in the order of the C arguments. Most are activations
    in the arena; a constant tensor is read from flash."""
    outputs: tuple[int, ...]
    macs: int = 0
    """Multiply-accumulates of one inference."""
    leads: Mapping[int, int] = field(default_factory=dict)
    """By input that the output may overlap if nothing reads it later: the least number of bytes by
    which the output has to start before it; with 0 they may start together. Any other input may not
    be overlapped. What the C kernels promise for this stands in kernels.h ("Overlap")."""
    state: tuple[int, ...] = ()
    """Variables that it reads and writes: the last of the C arguments, and in the emulator operands
    after the inputs, and results after the outputs."""

    @property
    def weight_bytes(self) -> int:
        """Bytes of its weights and biases."""
        return _weight_bytes(self.parameters)


WEIGHTS = ("weights", "bias", "wide_bias", "time_weights", "recurrent_weights")


def _weight_bytes(parameters: Parameters) -> int:
    """Of a dataclass of parameters, and of those inside it."""
    return sum(
        _weight_bytes(value) if isinstance(value, Parameters) else value.nbytes
        for name, value in vars(parameters).items()
        if isinstance(value, Parameters) or name in WEIGHTS
    )


@dataclass(frozen=True)
class Reading:
    """An operator of a graph, read with checks. Every complaint names the tensor or attribute."""

    graph: Graph
    index: int

    @property
    def operator(self) -> Operator:
        return self.graph.operators[self.index]

    def fail(self, message: str) -> UnsupportedError:
        return UnsupportedError(f"operator {self.index} ({self.operator.kind}): {message}")

    def attribute(self, name: str) -> Attribute:
        return self.operator.attributes[name]

    def integer(self, name: str, low: int, high: int) -> int:
        """An integer attribute within [low, high]."""
        value = self.operator.attributes[name]
        if not isinstance(value, int) or not low <= value <= high:
            raise self.fail(f"{name} is {value}; {low} to {high} is supported")
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        value = str(self.operator.attributes[name])
        if value not in allowed:
            raise self.fail(f"{name} is {value}; supported are {', '.join(allowed)}")
        return value

    def count(self, inputs: tuple[int, int], outputs: int = 1) -> None:
        """Checks how many inputs (lowest, highest) and outputs there are."""
        low, high = inputs
        given = len(self.operator.inputs)
        if not low <= given <= high or len(self.operator.outputs) != outputs:
            raise self.fail(
                f"{given} inputs and {len(self.operator.outputs)} outputs; "
                f"{low} to {high} and {outputs} are supported"
            )

    def name(self, tensor: int) -> str:
        return f"tensor {self.graph.describe(tensor)}"

    def input_index(self, position: int) -> int:
        if position >= len(self.operator.inputs) or self.operator.inputs[position] == -1:
            raise self.fail(f"input {position} is missing")
        return self.operator.inputs[position]

    def activation(
        self, position: int = 0, dtypes: Sequence[str] = ("int8",)
    ) -> tuple[int, Tensor, Quantization]:
        """An input of one of `dtypes` that is no constant, with its per-tensor quantization."""
        index = self.input_index(position)
        if self.graph.tensors[index].data is not None:
            raise self.fail(f"input {self.name(index)} is a constant; an activation is supported")
        return self.operand(position, dtypes)

    def operand(
        self, position: int, dtypes: Sequence[str] = ("int8",)
    ) -> tuple[int, Tensor, Quantization]:
        """An input of one of `dtypes`, activation or constant, with its per-tensor quantization."""
        index = self.input_index(position)
        return index, self.graph.tensors[index], self._quantized(index, dtypes)

    def output(
        self, position: int = 0, dtypes: Sequence[str] = ("int8",)
    ) -> tuple[int, Tensor, Quantization]:
        index = self.operator.outputs[position]
        return index, self.graph.tensors[index], self._quantized(index, dtypes)

    def _quantized(self, index: int, dtypes: Sequence[str]) -> Quantization:
        tensor = self.graph.tensors[index]
        if tensor.dtype not in dtypes:
            raise self.fail(
                f"{self.name(index)} is {tensor.dtype}; supported here: {', '.join(dtypes)} "
                "(quantize the model to full int8, inputs and outputs included)"
            )
        if tensor.quantization is None or not tensor.quantization.per_tensor:
            raise self.fail(f"{self.name(index)} needs one scale and zero point")
        return tensor.quantization

    def rank(self, index: int, rank: int) -> tuple[int, ...]:
        """The tensor's shape, which must have `rank` dimensions and, from rank 2 on, batch 1."""
        shape = self.graph.tensors[index].shape
        if len(shape) != rank or (rank > 1 and shape[0] != 1):
            raise self.fail(
                f"{self.name(index)} has shape {shape}; rank {rank} with batch 1 is supported"
            )
        return shape

    def constant(self, position: int, dtype: str) -> tuple[int, npt.NDArray[np.generic]]:
        """A constant input of type `dtype`."""
        index = self.input_index(position)
        tensor = self.graph.tensors[index]
        if tensor.data is None or tensor.dtype != dtype:
            raise self.fail(
                f"{self.name(index)} is {'a constant' if tensor.data is not None else 'computed'} "
                f"{tensor.dtype}; a constant {dtype} is supported"
            )
        return index, tensor.data

    def weights(
        self, position: int, rank: int, channel_axis: int
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """Constant symmetric int8 weights, and a scale for each channel or one for all."""
        index, data = self.constant(position, "int8")
        quantization = self.graph.tensors[index].quantization
        if quantization is None or bool(np.any(quantization.zero_point != 0)):
            raise self.fail(f"weights {self.name(index)} need scales and zero points of 0")
        if data.ndim != rank:
            raise self.fail(f"weights {self.name(index)} have shape {data.shape}; rank {rank}")
        if not quantization.per_tensor and quantization.axis != channel_axis:
            raise self.fail(
                f"weights {self.name(index)} have scales along axis {quantization.axis}; "
                f"axis {channel_axis} is supported"
            )
        return data.astype(np.int8, copy=False), quantization.scale

    def bias(self, position: int, channels: int) -> npt.NDArray[np.int32]:
        """The int32 bias, zeros where it is left out."""
        inputs = self.operator.inputs
        if position >= len(inputs) or inputs[position] == -1:
            return np.zeros(channels, np.int32)
        index, data = self.constant(position, "int32")
        if data.shape != (channels,):
            raise self.fail(f"bias {self.name(index)} has shape {data.shape}, not ({channels},)")
        return data.astype(np.int32)

    def in_place(self, output: int, *inputs: int) -> dict[int, int]:
        """Leads of an operator that reads only later elements once it has written one: 0 for inputs
        of the output's size.
        """
        size = self.graph.tensors[output].bytes
        return {tensor: 0 for tensor in inputs if self.graph.tensors[tensor].bytes == size}

    def expect_shape(self, index: int, shape: tuple[int, ...]) -> None:
        found = self.graph.tensors[index].shape
        if found != shape:
            raise self.fail(f"output {self.name(index)} has shape {found}, expected {shape}")

    def check_accumulator(
        self,
        weights: npt.NDArray[np.int8],
        bias: npt.NDArray[np.int32],
        shift: npt.NDArray[np.int8],
        largest: int = 255,
    ) -> None:
        """Refuses weights [channels, ...] whose sums could leave int32 for some input, before or
        after the left shift of the requantization, or when the zero point is added.

        `largest`: magnitude of an activation less its zero point.
        """
        magnitude = np.abs(weights.astype(np.int16)).reshape(len(bias), -1)
        reach = magnitude.sum(axis=1, dtype=np.int64) * largest + np.abs(bias.astype(np.int64))
        worst = int((reach << np.maximum(shift, 0).astype(np.int64)).max())
        if worst >= (1 << 31) - 256:
            raise self.fail(f"its sums can reach {worst}, more than 32 bits hold")


INTEGER_RANGES = {"int8": (-128, 127), "int16": (-32768, 32767)}


def activation_range(
    reading: Reading, output: Quantization, dtype: str = "int8"
) -> tuple[int, int]:
    """The fused activation's clamp on quantized outputs of type `dtype`.

    TensorFlow Lite's CalculateActivationRangeQuantized: the bounds are rounded in float32, half
    away from zero.
    """
    allowed = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
    kind = reading.choice("activation", allowed)
    bounds = {
        "NONE": (None, None),
        "RELU": (0.0, None),
        "RELU6": (0.0, 6.0),
        "RELU_N1_TO_1": (-1.0, 1.0),
    }
    low, high = bounds[kind]
    lowest, highest = INTEGER_RANGES[dtype]
    return (
        lowest if low is None else max(lowest, quantize_real(low, output)),
        highest if high is None else min(highest, quantize_real(high, output)),
    )


def quantize_real(real: float, quantization: Quantization) -> int:
    """zero_point + round(real / scale), the division in float32, half away from zero."""
    ratio = float(np.float32(real) / np.float32(quantization.scale[0]))
    magnitude = int(np.floor(abs(ratio) + 0.5))
    return int(quantization.zero_point[0]) + (magnitude if ratio >= 0 else -magnitude)


MAX_SHIFT = 30

MAX_ADDENDS = 1 << 23
"""Of int8 values, so that their sum stays within 32 bits."""

SCALES_TOO_FAR_APART = f"the ratio of its scales is 2^{MAX_SHIFT} or more; check the quantization"


def multipliers(reals: Sequence[float]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    """`quantize_multiplier` of each, as the arrays that kernels take; each below 2^MAX_SHIFT."""
    pairs = [quantize_multiplier(real) for real in reals]
    return (
        np.array([multiplier for multiplier, _ in pairs], np.int32),
        np.array([shift for _, shift in pairs], np.int8),
    )


def channel_multipliers(
    reading: Reading,
    input_: Quantization,
    weight_scale: npt.NDArray[np.float32],
    output: Quantization,
    channels: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    """Per channel input_scale * weight_scale / output_scale, as multiplier and shift.

    The product is taken in double, with one weight scale for all channels too.
    """
    scale = np.broadcast_to(weight_scale.astype(np.float64), (channels,))
    reals = float(input_.scale[0]) * scale / float(output.scale[0])
    if float(reals.max()) >= 2.0**MAX_SHIFT:
        raise reading.fail(SCALES_TOO_FAR_APART)
    return multipliers([float(real) for real in reals])


def rescaling(reading: Reading, real: float, reach: int) -> tuple[int, int]:
    """`quantize_multiplier` of a factor for integers of magnitude up to `reach`.

    Refused where a left shift, or adding a zero point of 16 bits after it, could leave 32 bits.
    """
    if not abs(real) < 2.0**MAX_SHIFT:
        raise reading.fail(SCALES_TOO_FAR_APART)
    multiplier, shift = quantize_multiplier(abs(real))
    if reach << max(shift, 0) >= (1 << 31) - (1 << 16):
        raise reading.fail(
            f"rescaling by {real:.3g} can reach {reach << shift}, more than 32 bits hold; check "
            "the quantization"
        )
    return (-multiplier if real < 0 else multiplier), shift


def check_shift(reading: Reading, shift: int) -> None:
    """Refuses a ratio of scales so large that its shift leaves the primitives' range."""
    if shift > MAX_SHIFT:
        raise reading.fail(SCALES_TOO_FAR_APART)
