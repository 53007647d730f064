"""What a random one-operator model is, and the strategies that the operators share."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Bytes = NDArray[np.int8]


class Case:
    """What is random about a model with one operator. `seed` gives constants and samples."""

    seed: int

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def build(self) -> bytes:
        """The .tflite file."""
        raise NotImplementedError


def numbers(
    rng: np.random.Generator, shape: tuple[int, ...], style: str, dtype: str = "int8"
) -> NDArray[Any]:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    if style == "extremes":
        return rng.choice(np.array([low, low + 1, high], dtype), shape)
    if style == "symmetric":
        return rng.integers(-high, high + 1, shape).astype(dtype)
    if style == "zeros":
        return np.zeros(shape, dtype)
    return rng.integers(low, high + 1, shape).astype(dtype)


styles = st.sampled_from(["any", "any", "extremes", "zeros"])
scales = st.floats(2.0**-10, 4.0, width=32)
zero_points = st.integers(-128, 127)
activations = st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
biases = st.sampled_from(["none", "left out", "small", "large"])
seeds = st.integers(0, 2**32 - 1)
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))


def shapes(elements: int = 600, rank: int = 4) -> st.SearchStrategy[tuple[int, ...]]:
    extents = st.lists(st.integers(1, 12), min_size=1, max_size=rank)
    return extents.map(tuple).filter(lambda shape: prod(shape) <= elements)


def extent(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Outputs along one axis, as TensorFlow's documentation of tf.nn.convolution states them."""
    if padding == "SAME":
        return -(-size // stride)
    return -(-(size - (kernel - 1) * dilation) // stride)
