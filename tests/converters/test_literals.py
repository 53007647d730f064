"""Numbers as C text."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from tinytrain.converters.c.source import float_literal


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(1.0)
@example(float(np.float32(0.1)))
@example(-(2.0**100))
@example(2.0**-149)
def test_a_float_is_written_in_decimal_digits_that_read_back_as_it(value: float) -> None:
    text = float_literal(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", text) and re.search("[.e]", text)
    assert np.float32(text.removesuffix("f")) == np.float32(value)
