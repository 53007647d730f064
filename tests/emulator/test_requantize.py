"""The fast way from sums to outputs gives what the rule gives, near ties above all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytrain import arithmetic as fixed
from tinytrain.emulator.requantize import EXACT_FLOAT32, Outputs, Rescale
from tinytrain.emulator.scratch import Scratch

CHANNELS = 3


@st.composite
def rescales(draw: st.DrawFn) -> Rescale:
    scales = [10.0 ** draw(st.floats(-5, 0.2)) for _ in range(CHANNELS)]
    multiplier, shift = zip(*(fixed.quantize_multiplier(scale) for scale in scales), strict=True)
    zero_point = draw(st.integers(-128, 127))
    low = draw(st.sampled_from((-128, zero_point)))
    bias = draw(st.lists(st.integers(-(1 << 22), 1 << 22), min_size=3, max_size=3))
    return Rescale(
        bias=np.array(bias, np.int32),
        multiplier=np.array(multiplier, np.int32),
        shift=np.array(shift, np.int8),
        zero_point=zero_point,
        low=low,
        high=draw(st.integers(low, 127)),
        reach=draw(st.integers(1 << 10, EXACT_FLOAT32 - 1)),
    )


def sums_near_ties(rescale: Rescale, seed: int) -> np.ndarray:
    """(n, 7, CHANNELS) integers up to `reach`: half of them next to where an output changes."""
    rng = np.random.default_rng(seed)
    scale = rescale.multiplier * 2.0 ** (rescale.shift.astype(np.float64) - 31)
    steps = rng.integers(-200, 200, (100, 7, CHANNELS)) + 0.5
    near = np.rint(steps / scale - rescale.bias) + rng.integers(-1, 2, steps.shape)
    anywhere = rng.integers(-rescale.reach, rescale.reach + 1, steps.shape)
    sums = np.where(rng.integers(0, 2, steps.shape) == 1, near, anywhere)
    return np.clip(sums, -rescale.reach, rescale.reach)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(rescale=rescales(), seed=st.integers(0, 2**32 - 1))
def test_outputs_are_those_of_the_rule(dtype: type, rescale: Rescale, seed: int) -> None:
    sums = sums_near_ties(rescale, seed)
    outputs = Outputs(rescale, sums.shape, Scratch())
    for first in range(0, len(sums), 30):
        outputs.write(first, sums[first : first + 30].astype(dtype))
    np.testing.assert_array_equal(outputs.result(), rescale.exactly(sums))
