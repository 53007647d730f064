"""Random models of QUANTIZE and DEQUANTIZE."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.models import Operator, Tensor, build
from tests.operators.cases import Case, scales, seeds, shapes

RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


FINEST_STEP = 2.0**-20
"""Finer ones would make more than 2^31 steps of a test's floats: the reference is undefined there.
test_edges.py tests what we give."""


@dataclass(frozen=True)
class Quantize(Case):
    """QUANTIZE and DEQUANTIZE. The scale and zero point of a float32 side mean nothing."""

    kind: str
    shape: tuple[int, ...]
    dtypes: tuple[str, str]
    scales: tuple[float, float]
    zero_points: tuple[int, int]
    seed: int

    def build(self) -> bytes:
        tensors = [
            Tensor(self.shape, dtype, None if dtype == "float32" else scale, zero_point)
            for dtype, scale, zero_point in zip(
                self.dtypes, self.scales, self.zero_points, strict=True
            )
        ]
        table = "QuantizeOptions" if self.kind == "QUANTIZE" else "DequantizeOptions"
        return build(tensors, [Operator(self.kind, (0,), (1,), table)], [0], [1])


@st.composite
def quantizes(draw: st.DrawFn, kind: str, pairs: list[tuple[str, str]]) -> Case:
    dtypes = draw(st.sampled_from(pairs))
    scale = draw(scales | st.sampled_from([0.5, 0.0625]))
    # An int16 step is about 256 times as fine as an int8 step for the same range.
    wider = 8.0 * (("int16" in dtypes[:1]) - ("int16" in dtypes[1:]))
    gain = draw(st.floats(-6.0, 6.0))
    other = scale * 2.0 ** (wider + gain) if draw(st.booleans()) else scale
    if dtypes[0] == "float32":
        other = max(other, FINEST_STEP)
    return Quantize(
        kind,
        draw(shapes(elements=2000)),
        dtypes,
        (scale, other),
        (
            draw(st.integers(*RANGES.get(dtypes[0], (0, 0)))),
            draw(st.integers(*RANGES.get(dtypes[1], (0, 0)))),
        ),
        draw(seeds),
    )


STRATEGIES: dict[str, st.SearchStrategy[Case]] = {
    "DEQUANTIZE": quantizes("DEQUANTIZE", [("int8", "float32"), ("int16", "float32")]),
    "QUANTIZE": quantizes(
        "QUANTIZE",
        [
            ("float32", "int8"),
            ("float32", "int16"),
            ("int8", "int8"),
            ("uint8", "int8"),
            ("int8", "uint8"),
            ("int8", "int16"),
            ("int16", "int8"),
            ("int16", "int16"),
        ],
    ),
}
