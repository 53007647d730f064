"""Random and chosen learning heads, for the emulator's and C's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.models import Operator, Tensor, build
from tinytrain.converters.tflite import parse_tflite
from tinytrain.emulator.head import (
    Rows,
)
from tinytrain.errors import InputError
from tinytrain.head import Head, HeadConstants, HeadOptions, build_head
from tinytrain.operators.table import require_kernels


@dataclass(frozen=True)
class Recipe:
    """A random head in a few numbers."""

    classes: int
    features: int
    input_scale: float
    zero_point: int
    weight_scale: float
    per_row: bool
    eta: float
    tau: float
    rows: int
    seed: int
    extreme: bool = False
    """Weights, features and labels at their limits, not spread."""
    reserved: int = 0
    masters: int = 16

    def model(self) -> bytes:
        """A model whose only layer is dense."""
        rng = np.random.default_rng(self.seed)
        shape = (self.classes, self.features)
        weights = rng.choice([-128, 127], shape) if self.extreme else rng.integers(-128, 128, shape)
        spread = 2.0 ** rng.uniform(-2, 2, self.classes) if self.per_row else np.ones(1)
        tensors = [
            Tensor((1, self.features), scale=self.input_scale, zero_point=self.zero_point),
            Tensor(shape, scale=self.weight_scale * spread, data=weights),
            Tensor((self.classes,), "int32", data=rng.integers(-9000, 9000, self.classes)),
            Tensor((1, self.classes), scale=self.input_scale * self.weight_scale * 500),
        ]
        operator = Operator("FULLY_CONNECTED", (0, 1, 2), (3,), "FullyConnectedOptions")
        return build(tensors, [operator], [0], [3])

    def head(self) -> Head:
        """As `convert` makes it of the model."""
        graph = parse_tflite(self.model(), "head")
        energy = None if self.extreme else self.features * 5500.0
        options = HeadOptions(self.eta, self.tau, self.rows, energy, self.reserved, self.masters)
        return build_head(graph, require_kernels(graph), 0, options)

    def stream(self, steps: int) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Features (steps, D), a tenth of them at the zero point, and labels (steps,)."""
        rng = np.random.default_rng(self.seed + 1)
        shape = (steps, self.features)
        x = rng.choice([-128, 127], shape) if self.extreme else rng.integers(-128, 128, shape)
        x = np.where(rng.random(shape) < 0.1, self.zero_point, x)
        if self.extreme:
            x[:] = x[0]
        return x.astype(np.int8), rng.integers(0, self.classes, steps)


recipes = st.builds(
    Recipe,
    classes=st.integers(2, 12),
    features=st.integers(1, 40) | st.sampled_from([64, 255, 256, 257, 513]),
    input_scale=st.floats(2.0**-7, 0.5, width=32),
    zero_point=st.integers(-128, 127),
    weight_scale=st.floats(2.0**-12, 2.0**-4, width=32),
    per_row=st.booleans(),
    eta=st.floats(2.0**-4, 16.0),
    tau=st.floats(0.0, 1.0),
    rows=st.integers(1, 12),
    seed=st.integers(0, 2**31),
    extreme=st.booleans(),
    reserved=st.integers(0, 3),
    masters=st.sampled_from([16, 32]),
)


def prepared(recipe: Recipe) -> HeadConstants:
    """Its constants; draws whose scales `convert` refuses are passed over."""
    try:
        return recipe.head().constants
    except InputError:
        assume(False)
        raise


FIXED = [
    Recipe(2, 1, 0.1, 0, 0.01, False, 1.0, 0.0, 1, 1),
    Recipe(3, 40, 0.02, -128, 0.004, True, 1.0, 0.1, 2, 2),
    Recipe(12, 24, 0.05, 5, 0.01, True, 4.0, 0.05, 3, 3),
    Recipe(7, 16, 0.1, 127, 0.002, True, 0.25, 0.0, 7, 4),
    Recipe(10, 33, 0.02, -3, 0.01, False, 16.0, 0.0, 10, 5, extreme=True),
    Recipe(5, 8, 0.03, -128, 0.008, True, 16.0, 0.5, 2, 6, extreme=True),
    Recipe(5, 17, 0.03, -7, 0.01, True, 4.0, 0.0, 5, 7, reserved=2, masters=32),
    Recipe(6, 300, 0.02, 9, 0.02, True, 1.0, 0.0, 3, 8, reserved=3),
]
"""Heads for long streams."""


def copied(rows: Rows) -> Rows:
    low = None if rows.low is None else rows.low.copy()
    return Rows(rows.weights.copy(), rows.bias.copy(), rows.classes.copy(), rows.units.copy(), low)


def masters_of(rows: Rows, device: int = 0) -> list[list[int]]:
    """Weights of the rows in use, with their low bits where there are any."""
    used = rows.classes[device]
    weights = rows.weights[device, :used].astype(np.int64)
    if rows.low is not None:
        weights = weights * 65536 + rows.low[device, :used]
    return weights.tolist()


def equal_head(classes: int, rows: int) -> HeadConstants:
    """A head whose rows are all the same, so that everything is a tie."""
    constants = Recipe(classes, 3, 0.1, 0, 0.01, False, 1.0, 0.0, rows, 9).head().constants
    weights = np.repeat(constants.weights[:1], classes, axis=0)
    return replace(constants, weights=weights, bias=np.zeros(classes, np.int32))
