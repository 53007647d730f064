"""The reference kernels of LOGISTIC and TANH on int16."""

from __future__ import annotations

import numpy as np

from tinytrain.emulator.kernels import Value, evaluate
from tinytrain.operators.sigmoid import LogisticInt16, TanhInt16
from tinytrain.sigmoid import sigmoid_q15, tanh_q15


@evaluate.register
def logistic_int16(p: LogisticInt16, x: Value) -> Value:
    return sigmoid_q15(x, p.multiplier, p.shift).astype(np.int16)


@evaluate.register
def tanh_int16(p: TanhInt16, x: Value) -> Value:
    return tanh_q15(x, p.multiplier, p.shift).astype(np.int16)
