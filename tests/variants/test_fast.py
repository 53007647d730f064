"""What is folded for the fast kernels, and which layers they take."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytrain import arithmetic as fixed
from tinytrain.operators.convolution import Conv2D
from tinytrain.operators.dense import FullyConnected
from tinytrain.operators.kernel import Kernel, Parameters
from tinytrain.variants.choose import BALANCED, SIZE, SPEED, Optimize, Variant, choose_variants
from tinytrain.variants.fast import FastFullyConnected, fast_parameters

DEPTH = 40


def dense(shift: int = -6, channels: int = 16, **changes: object) -> FullyConnected:
    rng = np.random.default_rng(1)
    layer = FullyConnected(
        rows=1,
        input_depth=DEPTH,
        output_depth=channels,
        input_zero_point=-7,
        output_zero_point=11,
        activation_min=-128,
        activation_max=127,
        weights=rng.integers(-127, 128, (channels, DEPTH)).astype(np.int8),
        bias=rng.integers(-3000, 3000, channels).astype(np.int32),
        multiplier=rng.integers(1 << 30, 1 << 31, channels).astype(np.int32),
        shift=np.full(channels, shift, np.int8),
    )
    return replace(layer, **changes)  # type: ignore[arg-type]


def convolution(channels: int) -> Conv2D:
    like = dense(channels=channels)
    return Conv2D(
        9, 9, DEPTH, 9, 9, channels, 1, 1, 1, 1, 1, 1, 0, 0, -7, 11, -128, 127,
        like.weights.reshape(channels, 1, 1, DEPTH), like.bias, like.multiplier, like.shift,
    )  # fmt: skip


def folded(layer: FullyConnected) -> FastFullyConnected | None:
    found = fast_parameters(layer)
    assert found is None or isinstance(found, FastFullyConnected)
    return found


@given(st.integers(-30, -1), st.integers(-128, 127), st.integers(0, 1 << 32))
def test_the_folded_numbers_give_the_outputs_of_the_layer(shift: int, zero: int, seed: int) -> None:
    layer = dense(shift, output_zero_point=zero)
    fast = folded(layer)
    assert fast is not None
    x = np.random.default_rng(seed).integers(-128, 128, DEPTH)
    weights = layer.weights.astype(np.int64)
    sums = weights @ (x - layer.input_zero_point) + layer.bias
    expected = fixed.multiply_by_quantized_multiplier(sums, layer.multiplier, layer.shift) + zero
    channel = {name: fast.channels[name].astype(np.int64) for name in fast.channels.dtype.names}
    start = weights @ x + channel["start"]
    scaled = (start * channel["multiplier"] + (1 << 30)) >> 31
    found = (scaled + (start >> 31) + channel["rounding"]) >> channel["shift"]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shift", [0, 1])
def test_factors_of_one_half_and_more_keep_the_plain_kernel(shift: int) -> None:
    assert folded(dense(shift)) is None


def test_sums_that_cannot_be_doubled_keep_the_plain_kernel() -> None:
    assert folded(dense(bias=np.full(16, 1 << 29, np.int32))) is not None
    assert folded(dense(bias=np.full(16, 1 << 30, np.int32))) is None


def test_a_far_shift_that_a_sum_survives_keeps_the_plain_kernel() -> None:
    assert folded(dense(-24, bias=np.full(16, 1 << 28, np.int32))) is None


def chosen(optimize: Optimize, layer: Parameters, renewed: bool = False) -> Variant:
    kernel = Kernel(0, layer.function, layer, (0,), (1,), macs=0)
    (variant,) = choose_variants([kernel], frozenset([0] if renewed else []), optimize)
    return variant


def test_size_keeps_the_plain_kernel_and_speed_takes_the_fast_one() -> None:
    layer = dense()
    assert chosen(SIZE, layer).parameters is layer
    assert chosen(SPEED, layer).kernel == "tt_fast_fully_connected_paired"


def test_balanced_takes_a_fast_kernel_where_it_saves_enough() -> None:
    assert chosen(BALANCED, dense(channels=1)).block is None
    assert chosen(BALANCED, dense(channels=200)).block is not None


def flash(variant: Variant) -> int:
    found = re.search(r"([\d,]+) bytes of flash", variant.reason)
    assert found is not None
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize("optimize", [SPEED, BALANCED, SIZE])
def test_a_layer_whose_statistics_are_renewed_has_the_same_choice_and_two_tables(
    optimize: Optimize,
) -> None:
    layer = convolution(channels=5)
    usual, renewed = (chosen(optimize, layer, renewed=found) for found in (False, True))
    assert usual.kernel == renewed.kernel
    assert flash(renewed) - flash(usual) == 5 * 9 + 88
    beyond = "" if optimize is SIZE else " beyond the plain kernel's"
    assert f"and 35 of RAM{beyond}" in renewed.reason
    assert ("instructions or more" in usual.reason) == (optimize is SIZE)
    assert "RAM" not in usual.reason


def test_a_layer_whose_statistics_are_renewed_keeps_its_bytes() -> None:
    """The estimation of its statistics reads them."""
    layer = convolution(channels=30)
    assert chosen(SPEED, layer, renewed=False).dsp
    assert not chosen(SPEED, layer, renewed=True).dsp
