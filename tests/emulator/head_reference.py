"""A head in Python integers, a step at a time, written from LEARNING.md's rules alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.test_arithmetic import mbqm
from tinytrain.head import HeadConstants

BIAS_LIMIT = 1 << 30


def factors(constants: HeadConstants, kind: str, row: int) -> tuple[int, int]:
    """A row's multiplier and shift."""
    shift = "logit_shift" if kind == "logit" else f"{kind}_multiplier_shift"
    units = constants.units
    return int(getattr(units, f"{kind}_multiplier")[row]), int(getattr(units, shift)[row])


EXP2 = [round(2**15 * 2 ** (-i / 256)) for i in range(256)]


class Reference:
    """One head: LEARNING.md's rules in their order."""

    def __init__(self, constants: HeadConstants) -> None:
        self.k = constants
        self.fraction = 16 if constants.wide else 0
        self.masters = [
            [int(w) * 128 * 2**self.fraction + (self.fraction and 0x8000) for w in row]
            for row in constants.weights
        ]
        self.bias = [int(b) * 128 for b in constants.bias]

    def logits(self, x: list[int]) -> list[int]:
        found = []
        for c, row in enumerate(self.masters):
            acc = sum((m >> self.fraction) * v for m, v in zip(row, x, strict=True))
            acc = acc + self.bias[c] + 64 >> 7
            found.append(mbqm(acc, *factors(self.k, "logit", c)))
        return found

    def learn(
        self, features: NDArray[np.int8], y: int
    ) -> tuple[list[int], list[int], list[int], list[int]]:
        """Logits, probabilities, errors and the rows written."""
        k = self.k
        x = [int(v) - k.feature_zero_point for v in features]
        z = self.logits(x)
        e = [EXP2[(max(z) - v & 1023) >> 2] >> min(max(z) - v >> 10, 31) for v in z]
        p = [(v << 15) // sum(e) for v in e]
        error = list(p)
        error[y] = -sum(p[c] for c in range(len(p)) if c != y)
        written: list[int] = []
        if -error[y] > k.tau:
            others = sorted((c for c in range(len(p)) if c != y), key=lambda c: (-error[c], c))
            written = [y, *[c for c in others[: k.rows - 1] if error[c] > 0]]
        for c in written:
            self.write(c, error[c], x)
        return z, p, error, written

    def write(self, c: int, error: int, x: list[int]) -> None:
        g = mbqm(error, *factors(self.k, "gradient", c))
        g = min(max(g, -32767), 32767)
        limit = 1 << 15 + self.fraction
        for i, v in enumerate(x):
            step = g * v * 2 ** (16 - self.k.units.gradient_shift)
            m = self.masters[c][i] - (step if self.fraction else step + 32768 >> 16)
            self.masters[c][i] = min(max(m, -limit), limit - 1)
        b = self.bias[c] - mbqm(error, *factors(self.k, "bias", c))
        self.bias[c] = min(max(b, -BIAS_LIMIT), BIAS_LIMIT)

    def add_class(self) -> None:
        """The mean of the weights; of wide masters, of their upper halves."""
        columns = zip(*self.masters, strict=True)
        means = [mean([m >> self.fraction for m in column]) for column in columns]
        self.masters.append([m * 2**self.fraction + (self.fraction and 0x8000) for m in means])
        self.bias.append(mean(self.bias))


def mean(values: list[int]) -> int:
    """To nearest, ties away from zero."""
    total, count = sum(values), len(values)
    magnitude = (2 * abs(total) + count) // (2 * count)
    return magnitude if total >= 0 else -magnitude
