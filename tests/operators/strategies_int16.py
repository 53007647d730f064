"""Random models of int16 activations, and of int8 weights where there are any."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.operators.cases import Case, biases, scales, seeds
from tests.operators.strategies_elementwise import Binary, binaries
from tests.operators.strategies_lookup import Unary, long_shapes
from tests.operators.strategies_weighted import (
    Conv2D,
    DepthwiseConv2D,
    convolutions,
    fully_connected,
    weighted,
)

weighted_int16: dict[str, Any] = {
    **weighted,
    "input_zero_point": st.just(0),
    "output_zero_point": st.just(0),
    "gain": st.floats(4.0, 24.0),
    "dtype": st.just("int16"),
    "bias_dtype": st.sampled_from(["int32", "int64", "int64"]),
}

depthwise_int16 = {
    **weighted_int16,
    # With an int32 bias the reference reads beyond its end, at index -1 it crashes.
    "bias_dtype": st.just("int64"),
    "bias": biases.filter(lambda bias: bias != "none"),
}

wide_zero_points = st.just(0) | st.integers(-32767, 32767)

powers_of_two = st.sampled_from([2.0**-11, 2.0**-12, 2.0**-13, 2.0**-15])


def sigmoids(kind: str) -> st.SearchStrategy[Case]:
    return st.builds(
        Unary,
        kind=st.just(kind),
        shape=long_shapes,
        input_scale=powers_of_two
        | st.floats(2.0**-16, 2.5, width=32)
        | scales.map(lambda scale: scale / 2**11),
        input_zero_point=st.just(0),
        output_scale=st.just(2.0**-15),
        output_zero_point=st.just(0),
        seed=seeds,
        dtype=st.just("int16"),
    )


STRATEGIES: dict[str, st.SearchStrategy[Case]] = {
    "ADD int16": binaries("ADD", "int16", wide_zero_points),
    "CONV_2D int16": convolutions(Conv2D, weighted_int16),
    "DEPTHWISE_CONV_2D int16": convolutions(DepthwiseConv2D, depthwise_int16),
    "FULLY_CONNECTED int16": fully_connected(weighted_int16),
    "LOGISTIC int16": sigmoids("LOGISTIC"),
    "MUL int16": binaries("MUL", "int16", st.just(0), st.floats(2.0, 22.0)),
    "SUB int16": binaries("SUB", "int16", wide_zero_points),
    "TANH int16": sigmoids("TANH"),
}

EXAMPLES: dict[str, tuple[Case, ...]] = {
    # Factors are computed in double.
    "SUB int16": (
        Binary(
            kind="SUB",
            shapes=((2, 2, 4), (2, 2, 4)),
            scales=(3.60546875, 1.5),
            zero_points=(0, 0, 0),
            gain=0.015625,
            operands="first",
            style="any",
            activation="NONE",
            seed=0,
            dtype="int16",
        ),
    ),
}
"""Cases that failed once."""
