"""What learning takes of a device's memory: the macros of learner.h and lda.h in Python."""

from __future__ import annotations

from tinytrain.learner import LearnerParts


def learner_bytes(parts: LearnerParts) -> int:
    """RAM of a learner's buffer: TT_LEARNER_BYTES."""
    head, rules = parts.head, parts.rules
    rows, features = head.capacity, head.features
    copies = parts.copies * _aligned(rows * (features * 2 + 4))
    memory = _aligned(rows * rules.slots * (features + 3) + rows * 5)
    return _aligned(head.bytes) + copies + memory + _lda_bytes(parts)


def _lda_bytes(parts: LearnerParts) -> int:
    if parts.analytic is None:
        return 0
    rows, features = parts.head.capacity, parts.head.features
    triangle = features * (features + 1) // 2 * 4 if parts.blended else 0
    state = rows * features * 4 + triangle + (rows + 2) // 2 * 4
    return _aligned(state + triangle + features * 8) + _aligned(features * 2)


def _aligned(count: int) -> int:
    return -(-count // 4) * 4
