"""The learning head of a model: which operator it replaces, and its integer constants.

Letters: D features, C0 classes of the factory head, R rows of memory for classes; sx, sw[c] the
scales of features and of weight row c. The rules of learning stand in firmware/LEARNING.md;
emulator/head.py carries them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log2
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinytrain.errors import InputError
from tinytrain.graph import Graph
from tinytrain.operators.dense import FullyConnected
from tinytrain.operators.kernel import Kernel, Parameters, multipliers

LOGIT_FRACTION_BITS = 10
WEIGHT_FRACTION_BITS = 7
"""Of a weight below the int8 weight that it was; the bit that int16 has left is room to grow."""
PROBABILITY_BITS = 15
GRADIENT_SHIFTS = (9, 16)
"""Fraction bits of a row's gradient factor, so that g and the raised input are 16 bits each."""
BIAS_LIMIT = 1 << 30
LOGIT_LIMIT = (1 << 30) - (1 << 16)
GRADIENT_LIMIT = (1 << 15) - 1
MAX_CLASSES = 1024
MAX_FEATURES = 4096
AUTO_MAX_CLASSES = 256
"""More rows than this are no classifier to `auto`: an autoencoder's last layer has hundreds."""

EXP2_INDEX_BITS = 8
EXP2_TABLE: tuple[int, ...] = tuple(
    round((1 << PROBABILITY_BITS) * 2.0 ** (-index / (1 << EXP2_INDEX_BITS)))
    for index in range(1 << EXP2_INDEX_BITS)
)
"""2^-f in Q15 for f = 0, 1/256, ..., 255/256."""


@dataclass(frozen=True)
class HeadOptions:
    """How the head learns; chosen per task."""

    eta: float = 1.0
    """Step size relative to the features' energy: learning rate = eta / E|x|^2. 0 < eta <= 16."""
    tau: float = 0.1
    """Steps whose probability of the true class is at least 1 - tau are skipped. 0 to 1."""
    rows: int = 2
    """Rows written a step: the true one and the rows - 1 of largest error. At least 1."""
    energy: float | None = None
    """Mean of |x|^2 over samples, x the quantized features less their zero point; None: assumed."""
    reserved: int = 0
    """Rows kept free for classes that are added on the device: R = C0 + reserved."""
    masters: int = 16
    """Bits of the weights that learn, 16 or 32. With 32, inference takes the upper 16."""


@dataclass(frozen=True, eq=False)
class HeadUnits(Parameters):
    """What rows are worth, the twin of the C struct tt_units. Arrays are (R,)."""

    structure: ClassVar[str] = "tt_units"
    gradient_shift: int
    """F: fraction bits of g, within GRADIENT_SHIFTS."""
    logit_multiplier: npt.NDArray[np.int32]
    """And shift: sum / 128 to log2 units, Q10."""
    logit_shift: npt.NDArray[np.int8]
    gradient_multiplier: npt.NDArray[np.int32]
    """And shift: error (Q15) to g, a row's gradient factor."""
    gradient_multiplier_shift: npt.NDArray[np.int8]
    bias_multiplier: npt.NDArray[np.int32]
    """And shift: error (Q15) to units of the bias."""
    bias_multiplier_shift: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class HeadConstants(Parameters):
    """The twin of the C struct tt_head_constants, which says what each field is."""

    structure: ClassVar[str] = "tt_head_constants"
    short: ClassVar[frozenset[str]] = frozenset(
        {"classes", "capacity", "features", "rows", "tau", "wide"}
    )
    classes: int
    """C0"""
    capacity: int
    """R"""
    features: int
    """D"""
    rows: int
    tau: int
    wide: int
    feature_zero_point: int
    units: HeadUnits
    weights: npt.NDArray[np.int8]
    """(C0, D)"""
    bias: npt.NDArray[np.int32]
    """(C0,)"""

    @property
    def bytes(self) -> int:
        """RAM of a head: the twin of the C macro TT_HEAD_BYTES."""
        per_row = 4 + 2 * 4 + 2 * 2
        return (
            self.capacity * (self.features * (4 if self.wide else 2) + per_row) + 4 * self.features
        )


@dataclass(frozen=True, eq=False)
class Head:
    """A model's learning head."""

    operator: int
    """The FULLY_CONNECTED that it replaces."""
    feature_tensor: int
    constants: HeadConstants
    options: HeadOptions
    feature_scale: float
    """sx"""
    weight_scale: npt.NDArray[np.float64]
    """sw, (C0,)"""
    energy: float
    """Mean |x|^2 in quantized units that the step size rests on."""


def find_head(graph: Graph, kernels: Sequence[Kernel], choice: str) -> int | None:
    """The index of the FULLY_CONNECTED that learns, or None.

    `choice`: "none"; "auto", the last FULLY_CONNECTED where only SOFTMAX, RESHAPE and DEQUANTIZE
    follow and it has at most AUTO_MAX_CLASSES rows; or the name or index of its output tensor.
    """
    if choice == "none":
        return None
    if choice == "auto":
        return _last_classifier(kernels)
    for kernel in kernels:
        tensor = kernel.outputs[0]
        if choice in (str(tensor), graph.tensors[tensor].name):
            problem = _unfit(kernel) or _state_behind(graph, kernels[kernel.index :])
            if problem:
                raise InputError(f"{graph.name}: --head {choice}: {problem}")
            return kernel.index
    fit = [graph.describe(k.outputs[0]) for k in kernels if _unfit(k) is None]
    raise InputError(
        f"{graph.name}: --head {choice}: no operator writes a tensor of that name or index; "
        f"auto, none and these can learn: {', '.join(fit) or 'no tensor'}"
    )


def _last_classifier(kernels: Sequence[Kernel]) -> int | None:
    for kernel in reversed(kernels):
        if kernel.kind == "FULLY_CONNECTED":
            fits = _unfit(kernel) is None and kernel.parameters.output_depth <= AUTO_MAX_CLASSES  # type: ignore[attr-defined]
            return kernel.index if fits else None
        if kernel.kind not in ("SOFTMAX", "RESHAPE", "SQUEEZE", "DEQUANTIZE", "ARG_MAX"):
            return None
    return None


def _state_behind(graph: Graph, kernels: Sequence[Kernel]) -> str | None:
    """Why none of `kernels`, the head and what follows it, may be left out; None where they may.

    Learning and classifying run what stands before the head, and have to move the state on.
    """
    for kernel in kernels:
        if kernel.state or any(graph.tensors[tensor].is_variable for tensor in kernel.outputs):
            return (
                f"operator {kernel.index} ({kernel.kind}) after it writes a variable, and would "
                "not run when the head learns; assign variables before the head"
            )
    return None


def _unfit(kernel: Kernel) -> str | None:
    """Why an operator cannot be the head, or None."""
    p = kernel.parameters
    if not isinstance(p, FullyConnected):
        return f"operator {kernel.index} is {kernel.kind}; only int8 FULLY_CONNECTED can learn"
    if p.rows != 1:
        return f"operator {kernel.index} has {p.rows} rows of input; one is supported"
    if (p.activation_min, p.activation_max) != (-128, 127):
        return f"operator {kernel.index} has a fused activation; a head gives logits"
    if not 2 <= p.output_depth <= MAX_CLASSES or p.input_depth > MAX_FEATURES:
        return (
            f"operator {kernel.index} has {p.output_depth} classes and {p.input_depth} features; "
            f"2 to {MAX_CLASSES} and at most {MAX_FEATURES} are supported"
        )
    return None


def build_head(
    graph: Graph, kernels: Sequence[Kernel], operator: int, options: HeadOptions
) -> Head:
    """The integer constants of the head at `operator`. Raises InputError where they do not fit."""
    kernel = kernels[operator]
    layer = kernel.parameters
    assert isinstance(layer, FullyConnected)
    feature_tensor = kernel.inputs[0]
    weight_tensor = graph.tensors[graph.operators[operator].inputs[1]]
    features, weights = graph.tensors[feature_tensor].quantization, weight_tensor.quantization
    assert features is not None and weights is not None
    sx = float(features.scale[0])
    sw = np.broadcast_to(weights.scale.astype(np.float64), (layer.output_depth,)).copy()
    energy = options.energy if options.energy is not None else assumed_energy(layer.input_depth)
    _check_options(graph, options, energy, layer.output_depth)
    constants = _constants(graph, layer, options, sx, sw, energy)
    return Head(operator, feature_tensor, constants, options, sx, sw, energy)


def assumed_energy(features: int) -> float:
    """Mean |x|^2 where no samples tell: every feature at a quarter of its range."""
    return features * 64.0**2


def _check_options(graph: Graph, options: HeadOptions, energy: float, classes: int) -> None:
    if not 0 < options.eta <= 16:
        raise InputError(f"--eta {options.eta}: more than 0, at most 16")
    if not 0 <= options.tau <= 1:
        raise InputError(f"--tau {options.tau}: 0 to 1")
    if not 1 <= options.rows <= classes:
        raise InputError(f"--rows {options.rows}: 1 to {classes}, the classes of {graph.name}")
    if not 0 <= options.reserved <= MAX_CLASSES - classes:
        raise InputError(f"--reserve {options.reserved}: 0 to {MAX_CLASSES - classes}")
    if options.masters not in (16, 32):
        raise InputError(f"head.masters is {options.masters}; 16 or 32")
    if not energy > 0:
        raise InputError(
            f"{graph.name}: the features of the given samples are all zero (energy {energy}); "
            "give samples that the model reacts to"
        )


def _constants(
    graph: Graph,
    layer: FullyConnected,
    options: HeadOptions,
    sx: float,
    sw: npt.NDArray[np.float64],
    energy: float,
) -> HeadConstants:
    sw = np.concatenate([sw, np.full(options.reserved, sw.max())])
    return HeadConstants(
        classes=layer.output_depth,
        capacity=len(sw),
        features=layer.input_depth,
        rows=options.rows,
        tau=round(options.tau * (1 << PROBABILITY_BITS)),
        wide=int(options.masters == 32),
        feature_zero_point=layer.input_zero_point,
        units=_units(graph, layer, options, sx, sw, energy),
        weights=layer.weights,
        bias=layer.bias,
    )


def _units(
    graph: Graph,
    layer: FullyConnected,
    options: HeadOptions,
    sx: float,
    sw: npt.NDArray[np.float64],
    energy: float,
) -> HeadUnits:
    """Of rows with scales sw (R,). Raises InputError where they leave the range of integers."""
    widest = int(np.abs(layer.bias.astype(np.int64)).max()) << WEIGHT_FRACTION_BITS
    try:
        if widest > BIAS_LIMIT:
            raise InputError("the bias of the head leaves 23 bits")
        return units(sw, sx, layer.input_depth, options.eta, energy)
    except InputError as error:
        message = f"{graph.name}: learning head: {error}; or convert with --head none"
        raise InputError(message) from None


def units(
    scale: npt.NDArray[np.float64], sx: float, features: int, eta: float, energy: float
) -> HeadUnits:
    """Of rows (R, features) in which a weight is worth scale (R,) / 128, on features worth sx.

    `energy`: mean |x|^2 in quantized units. Raises InputError, without saying of what, where they
    leave the range of integers.
    """
    rate = eta / (energy * sx * sx)
    one = 1 << PROBABILITY_BITS
    logit = scale * sx * log2(np.e) * (1 << LOGIT_FRACTION_BITS)
    gradient = (1 << WEIGHT_FRACTION_BITS) * rate * sx / scale / one
    bias = (1 << WEIGHT_FRACTION_BITS) * rate / (sx * scale) / one
    steepest = float(gradient.max()) * one
    lowest, highest = GRADIENT_SHIFTS
    fraction = floor(log2(GRADIENT_LIMIT / min(max(steepest, 1e-9), 1e9)))
    # Where even the lowest is too high, the steps of large errors are clipped.
    fraction = min(max(fraction, lowest), highest)
    reach = features * 128 * 255 + (BIAS_LIMIT >> WEIGHT_FRACTION_BITS)
    # Both steps grow with eta, so the largest that fits follows from how far they are off.
    excess = max(steepest * 2 / GRADIENT_LIMIT, float(bias.max()) * one / BIAS_LIMIT)
    if excess >= 1:
        raise InputError(
            f"eta {eta} leaves the range of its integers: at most "
            f"{0.99 * eta / excess:.2g} fits this model"
        )
    # Of two logits the difference, and the logarithm of E, have to fit 32 bits.
    if float(logit.max()) * reach >= LOGIT_LIMIT:
        raise InputError("the logits of the head can leave 31 bits")
    return HeadUnits(
        fraction,
        *multipliers(logit.tolist()),
        *multipliers((gradient * (1 << fraction)).tolist()),
        *multipliers(bias.tolist()),
    )
