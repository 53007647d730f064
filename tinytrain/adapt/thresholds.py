"""From where on a device takes its answers for labels: found out on people that training did not
see, where there are any.
"""

from __future__ import annotations

import numpy as np

from tinytrain.adapt.answers import answers
from tinytrain.adapt.people import Class
from tinytrain.head import PROBABILITY_BITS, HeadConstants

PRECISION = 0.99
"""Share of right answers that pseudo-labels are to have."""
LEAST_ANSWERS = 20
"""Answers that a threshold for pseudo-labels has to rest on."""


def pseudo_label_threshold(constants: HeadConstants, validation: Class) -> float:
    """The lowest probability from which on PRECISION of the answers are right; 1 where there is
    none."""
    seen = answers(constants, validation.features)
    order = np.argsort(-seen.probabilities, kind="stable")
    right = (seen.classes == validation.dataset.y[validation.samples])[order]
    share = np.cumsum(right) / np.arange(1, len(right) + 1)
    enough = np.flatnonzero((share >= PRECISION) & (np.arange(len(right)) >= LEAST_ANSWERS - 1))
    if not len(enough):
        return 1.0
    return float(seen.probabilities[order[enough[-1]]]) / (1 << PROBABILITY_BITS)
