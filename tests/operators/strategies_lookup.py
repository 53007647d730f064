"""Random models of functions of one int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.models import Operator, Tensor, build
from tests.operators.cases import Case, scales, seeds, shapes, zero_points


@dataclass(frozen=True)
class Unary(Case):
    kind: str
    shape: tuple[int, ...]
    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int
    seed: int
    table: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "int8"

    def build(self) -> bytes:
        tensors = [
            Tensor(self.shape, self.dtype, self.input_scale, self.input_zero_point),
            Tensor(self.shape, self.dtype, self.output_scale, self.output_zero_point),
        ]
        operator = Operator(self.kind, (0,), (1,), self.table, self.options)
        return build(tensors, [operator], [0], [1])


long_shapes = shapes(elements=3000)
"""Long enough for a random sample to hold most of the 256 inputs."""


@st.composite
def rescaling(
    draw: st.DrawFn,
    kind: str,
    table: str | None = None,
    options: st.SearchStrategy[Mapping[str, Any]] = st.just({}),  # noqa: B008
    gain: tuple[float, float] = (-7.0, 6.0),
) -> Case:
    """`gain` bounds log2 of output scale / input scale; the same scale is frequent."""
    scale = draw(scales)
    return Unary(
        kind,
        draw(long_shapes),
        scale,
        draw(zero_points),
        draw(st.just(scale) | st.floats(*gain).map(lambda gain: scale * 2.0**gain)),
        draw(zero_points),
        draw(seeds),
        table,
        draw(options),
    )


@st.composite
def unchanged(draw: st.DrawFn, kind: str) -> Case:
    """Input and output of the same quantization."""
    scale, zero_point = draw(scales), draw(zero_points)
    return Unary(kind, draw(long_shapes), scale, zero_point, scale, zero_point, draw(seeds))


def fixed_output(kind: str, output_scale: float, output_zero_point: int) -> st.SearchStrategy[Case]:
    return st.builds(
        Unary,
        kind=st.just(kind),
        shape=long_shapes,
        input_scale=scales | st.floats(2.0**-16, 64.0, width=32),
        input_zero_point=zero_points,
        output_scale=st.just(output_scale),
        output_zero_point=st.just(output_zero_point),
        seed=seeds,
    )


alphas = st.floats(0.0, 2.0, width=32) | st.sampled_from([0.0, 0.01, 0.2, 0.3, 1.0])

STRATEGIES: dict[str, st.SearchStrategy[Case]] = {
    "ABS": rescaling("ABS"),
    "HARD_SWISH": rescaling("HARD_SWISH", gain=(-6.9, 6.0)),
    "LEAKY_RELU": rescaling(
        "LEAKY_RELU", "LeakyReluOptions", alphas.map(lambda alpha: {"alpha": alpha})
    ),
    "LOGISTIC": fixed_output("LOGISTIC", 1 / 256, -128),
    "RELU": rescaling("RELU"),
    "RELU6": unchanged("RELU6"),
    "TANH": fixed_output("TANH", 1 / 128, 0),
}

EXAMPLES: dict[str, tuple[Case, ...]] = {
    # Factors are computed in double; in float32 one input of 256 comes out otherwise.
    "HARD_SWISH": (
        Unary("HARD_SWISH", (3000,), 0.3485519587993622, -9, 0.2021370679140091, -116, 0),
        Unary("HARD_SWISH", (3000,), 0.08115057647228241, -99, 0.01228468120098114, 17, 0),
    ),
    "LEAKY_RELU": (
        Unary(
            "LEAKY_RELU",
            (3000,),
            0.6130436658859253,
            49,
            1.2298603057861328,
            67,
            0,
            "LeakyReluOptions",
            {"alpha": 0.9548524022102356},
        ),
    ),
}
"""Cases that failed once."""
