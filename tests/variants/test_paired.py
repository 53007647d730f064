"""Weights in pairs: the same sums, 256 times as large, from half of the instructions that widen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.variants.test_fast import dense, folded
from tinytrain.converters.c.source import ConstantBlock
from tinytrain.operators.dense import FullyConnected
from tinytrain.operators.kernel import Kernel
from tinytrain.variants.choose import SPEED, choose_variants
from tinytrain.variants.instruction_set import InstructionSet
from tinytrain.variants.paired import Arrays, paired

EXTREMES = np.array([-128, -127, -1, 0, 1, 127])


def layer(**changes: object) -> FullyConnected:
    found = dense(**changes)  # type: ignore[arg-type]
    return replace(found, weights=np.maximum(found.weights, np.int8(-127)))


def pairs_of(given_layer: FullyConnected) -> Arrays | None:
    fast = folded(given_layer)
    assert fast is not None
    return paired(fast)


def sums_by_pairs(pairs: Arrays, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """As the block adds them: in 32 bits that wrap, of factors of 16 bits."""
    stored = np.ascontiguousarray(pairs["weights"]).view("<i2").astype(np.int64)
    low_bytes = np.ascontiguousarray(pairs["weights"]).view(np.int8)[:, ::2].astype(np.int64)
    u = x[1::2] + 128
    z = -(256 * x[::2] + u) - 1
    for factors in (stored, low_bytes, u, z):
        assert -(1 << 15) <= factors.min() <= factors.max() < 1 << 15
    total = pairs["channels"]["start"].astype(np.int64) + stored @ u + low_bytes @ z  # type: ignore[call-overload]
    return total.astype(np.uint32).view(np.int32).astype(np.int64)


@given(st.integers(0, 1 << 32), st.booleans(), st.booleans())
def test_sums_are_256_times_those_of_the_layer(seed: int, x_edges: bool, w_edges: bool) -> None:
    rng = np.random.default_rng(seed)
    plain = layer()
    if w_edges:
        plain = replace(
            plain, weights=rng.choice(EXTREMES[1:], plain.weights.shape).astype(np.int8)
        )
    x = rng.choice(EXTREMES, plain.input_depth) if x_edges else rng.integers(-128, 128, 40)
    pairs = pairs_of(plain)
    assert pairs is not None
    expected = plain.weights.astype(np.int64) @ (x - plain.input_zero_point) + plain.bias
    np.testing.assert_array_equal(sums_by_pairs(pairs, x.astype(np.int64)), 256 * expected)


def test_a_weight_of_the_lowest_value_is_left_in_bytes() -> None:
    plain = layer()
    plain.weights[3, 7] = -128
    assert pairs_of(plain) is None


def test_sums_of_more_than_23_bits_are_left_in_bytes() -> None:
    assert pairs_of(layer(bias=np.full(16, 1 << 22, np.int32))) is not None
    assert pairs_of(layer(bias=np.full(16, 1 << 23, np.int32))) is None


@pytest.mark.parametrize("depth", [2, 39, 41])
def test_a_depth_that_is_no_whole_words_is_left_in_bytes(depth: int) -> None:
    weights = np.ones((16, depth), np.int8)
    assert pairs_of(layer(weights=weights, input_depth=depth)) is None


def test_the_layer_of_the_head_keeps_its_bytes_which_the_head_reads() -> None:
    kernel = Kernel(0, "FULLY_CONNECTED", layer(), (0,), (1,), macs=640)
    alone, shared = (choose_variants([kernel], frozenset(), SPEED, head)[0] for head in (None, 0))
    assert alone.kernel == "tt_fast_fully_connected_paired"
    assert set(alone.dsp) == {"weights", "channels"}
    assert (shared.kernel, shared.dsp) == ("tt_fast_fully_connected", {})


def test_flash_is_compared_with_what_the_instruction_set_has() -> None:
    block = ConstantBlock("w", "w", b"\1\2", "int8", dsp=b"\3\4")
    found = {each: block.data_on(each) for each in InstructionSet}
    assert found.pop(InstructionSet.DSP) == b"\3\4"
    assert set(found.values()) == {b"\1\2"}
