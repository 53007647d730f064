"""Weights in pairs: the same sums, 256 times as large, from half of the instructions that widen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.variants.test_fast import dense, folded
from tinytrain import arithmetic as fixed
from tinytrain.converters.c.source import ConstantBlock
from tinytrain.operators.dense import FullyConnected
from tinytrain.operators.kernel import Kernel
from tinytrain.variants.choose import SPEED, choose_variants
from tinytrain.variants.fast import CHANNEL, FastConv2D
from tinytrain.variants.instruction_set import InstructionSet
from tinytrain.variants.paired import Arrays, is_relu, paired

EXTREMES = np.array([-128, -127, -1, 0, 1, 127])


def layer(**changes: object) -> FullyConnected:
    found = dense(**changes)  # type: ignore[arg-type]
    return replace(found, weights=np.maximum(found.weights, np.int8(-127)))


def pairs_of(given_layer: FullyConnected) -> Arrays | None:
    fast = folded(given_layer)
    assert fast is not None
    found = paired(fast)
    return None if found is None else found[1]


def sums_of_pairs(
    starts: NDArray[np.int64], words: NDArray[np.int32], x: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Of a group of channels whose words lie side by side: in 32 bits that wrap, of factors of 16
    bits."""
    u = x[1::2] + 128
    z = -(256 * x[::2] + u) - 1
    u[-1] -= 1 << 15
    for factors in (u, z):
        assert -(1 << 15) <= factors.min() <= factors.max() < 1 << 15
    stored = words.view("<i2").reshape(-1, len(starts), 2)
    low_bytes = stored.astype(np.int8).astype(np.int64)
    sums = starts + np.einsum("wci,wi->c", stored.astype(np.int64), u.reshape(-1, 2))
    sums += np.einsum("wci,wi->c", low_bytes, z.reshape(-1, 2))
    return sums.astype(np.uint32).view(np.int32).astype(np.int64)


class Block:
    """Reads the arrays as the block does, from front to back."""

    def __init__(self, layer: FullyConnected, pairs: Arrays) -> None:
        self.layer = layer
        self.words = np.ascontiguousarray(pairs["weights"]).view("<i4")
        self.numbers = np.ascontiguousarray(pairs["channels"]).view("<i4").astype(np.int64)
        self.uniform = len({*zip(layer.multiplier, layer.shift, strict=True)}) == 1
        if self.uniform:
            _, *self.way = self.take(4)

    def take(self, count: int) -> NDArray[np.int64]:
        taken, self.numbers = self.numbers[:count], self.numbers[count:]
        return taken

    def vector(self, x: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The sums, and (O, 3) multipliers, roundings and shifts."""
        left = self.layer.output_depth
        sums, ways = [], []
        while left:
            together = min(8, 1 << (left.bit_length() - 1))
            sums.append(self.group(together, x))
            ways.append([self.way if self.uniform else self.take(3) for _ in range(together)])
            left -= together
        assert self.words.size == 0
        assert self.numbers.size == (-self.layer.output_depth % 4 if self.uniform else 0)
        return np.concatenate(sums), np.concatenate(ways)

    def group(self, together: int, x: NDArray[np.int64]) -> NDArray[np.int64]:
        words = self.words[: together * len(x) // 4]
        self.words = self.words[words.size :]
        return sums_of_pairs(self.take(together), words, x)


@given(
    st.integers(0, 1 << 32),
    st.integers(1, 20).map(lambda words: 4 * words),
    st.integers(1, 20),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_sums_are_256_times_those_of_the_layer(
    seed: int, depth: int, channels: int, x_edges: bool, w_edges: bool, uniform: bool
) -> None:
    rng = np.random.default_rng(seed)
    among = EXTREMES[1:] if w_edges else np.arange(-127, 128)
    plain = dense(
        channels=channels,
        input_depth=depth,
        weights=rng.choice(among, (channels, depth)).astype(np.int8),
    )
    if uniform:
        plain = replace(plain, multiplier=np.full(channels, plain.multiplier[0]))
    x = rng.choice(EXTREMES if x_edges else np.arange(-128, 128), depth)
    fast, pairs = folded(plain), pairs_of(plain)
    assert fast is not None and pairs is not None
    sums, ways = Block(plain, pairs).vector(x.astype(np.int64))
    expected = plain.weights.astype(np.int64) @ (x - plain.input_zero_point) + plain.bias
    np.testing.assert_array_equal(sums, 256 * expected)
    np.testing.assert_array_equal(ways, np.array(fast.channels.tolist())[:, 1:])


def convolution(rng: np.random.Generator, depth: int, channels: int) -> FastConv2D:
    """Of windows of one pixel."""
    found = np.zeros(channels, CHANNEL)
    found["start"] = rng.integers(-5000, 5000, channels)
    found["multiplier"] = rng.integers(1 << 30, 1 << 31, channels)
    found["rounding"] = found["shift"] = rng.integers(1, 23, channels)
    weights = rng.integers(-127, 128, (channels, 1, 1, depth)).astype(np.int8)
    return FastConv2D(
        *(4, 4, depth, 4, 4, channels, 1, 1, 1, 1, 0, 0, -3, -128, 127),
        weights=weights,
        channels=found,
    )


@given(st.integers(0, 1 << 32), st.integers(1, 70), st.integers(6, 21))
def test_sums_of_a_convolution_are_256_times_those_of_the_layer(
    seed: int, depth: int, channels: int
) -> None:
    rng = np.random.default_rng(seed)
    fast = convolution(rng, depth, channels)
    found = paired(fast)
    assert found is not None
    x = rng.choice(EXTREMES, -(-depth // 4) * 4)
    words = found[1]["weights"].view("<i4").reshape(-1, len(x) // 4, 2)
    # The last of an odd number comes with the one before.
    pairs = [(first, first + 1) for first in (*range(0, channels - 1, 2), channels - 2)]
    expected = fast.channels["start"] + fast.weights.reshape(channels, -1) @ x[:depth]
    stored = found[1]["channels"].view("<i4").reshape(-1, 4).astype(np.int64)
    np.testing.assert_array_equal(stored[:, 1:], fast.channels.view("<i4").reshape(-1, 4)[:, 1:])
    for of_two, pair in zip(words, pairs, strict=False):
        sums = sums_of_pairs(stored[list(pair), 0], of_two, x)
        np.testing.assert_array_equal(sums, 256 * expected[list(pair)])
    assert len(words) == -(-channels // 2)


def test_a_convolution_of_few_channels_is_left_in_bytes() -> None:
    rng = np.random.default_rng(0)
    assert paired(convolution(rng, 16, 6)) is not None
    assert paired(convolution(rng, 16, 5)) is None


@given(st.integers(0, 1 << 32), st.integers(1, 15), st.integers(-128, 127))
def test_a_relu_gives_the_outputs_of_the_layer(seed: int, shift: int, zero: int) -> None:
    rng = np.random.default_rng(seed)
    multiplier = rng.integers(1 << 30, 1 << 31, 16).astype(np.int32)
    # By powers of two there are ties.
    multiplier[::2] = 1 << 30
    plain = dense(-shift, multiplier=multiplier, output_zero_point=zero, activation_min=zero)
    fast, pairs = folded(plain), pairs_of(plain)
    assert fast is not None and pairs is not None and is_relu(fast)
    sums = rng.integers(-(1 << 23), 1 << 23, (100, 16)) >> rng.integers(0, 20, (100, 1))
    _, ways = Block(plain, pairs).vector(np.zeros(40, np.int64))
    found = (((256 * sums * ways[:, 0]) >> 32) + ways[:, 1]) >> ways[:, 2]
    expected = fixed.multiply_by_quantized_multiplier(sums, multiplier, plain.shift) + zero
    np.testing.assert_array_equal(found.clip(zero, 127), expected.clip(zero, 127))


def test_an_activation_that_begins_below_the_zero_point_is_no_relu() -> None:
    found = [folded(dense(output_zero_point=zero, activation_min=-100)) for zero in (-100, -99)]
    assert [is_relu(fast) for fast in found if fast] == [True, False]


def test_what_all_channels_have_in_common_is_in_flash_once() -> None:
    plain = layer(channels=40)
    alike = replace(plain, multiplier=np.full(40, 1 << 30, np.int32))
    sizes = [pairs["channels"].nbytes for pairs in map(pairs_of, (plain, alike)) if pairs]
    assert sizes == [16 * 40, 16 + 4 * 40]


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
    dsp = ConstantBlock("w", "w", b"\3\4\5", "int8")
    block = ConstantBlock("w", "w", b"\1\2", "int8", dsp=dsp)
    found = {each: block.on(each) for each in InstructionSet}
    assert found.pop(InstructionSet.DSP) is dsp
    assert set(found.values()) == {block}
