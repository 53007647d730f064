"""How fast a thousand emulated devices learn."""

from __future__ import annotations

import time

import numpy as np

from tinytrain.adapt.comparison import learner_options
from tinytrain.adapt.floating import quantized_head
from tinytrain.adapt.simulation import Lesson, moments
from tinytrain.head import HeadOptions
from tinytrain.lda import LdaOptions, build_lda
from tinytrain.learner import LearnerParts
from tinytrain.learner_options import learner_constants

DEVICES, STEPS, FEATURES, CLASSES = 1000, 40, 64, 12


def steps_a_second(kind: str, guarded: bool) -> float:
    """Labelled samples of all devices together, work included."""
    generator = np.random.default_rng(0)
    centres = generator.normal(0, 25, (CLASSES, FEATURES))
    labels = generator.integers(0, CLASSES, 2000)
    samples = np.clip(centres[labels] + generator.normal(0, 30, (2000, FEATURES)), -128, 127)
    x = samples.astype(np.int8)
    head = quantized_head(centres / 900, np.zeros(CLASSES), x, 1.0, 0, HeadOptions())
    lda = build_lda(
        x, labels, head.constants.feature_zero_point, CLASSES, CLASSES, LdaOptions(),
        head.feature_scale,
    )  # fmt: skip
    parts = LearnerParts(learner_constants(learner_options(kind, guarded)), head.constants, lda)
    order = generator.integers(0, len(x), (DEVICES, STEPS))
    lessons = [Lesson(x[own], labels[own], x[:0], labels[:0]) for own in order]
    start = time.monotonic()
    for _ in moments(parts, lessons):
        pass
    return DEVICES * STEPS / (time.monotonic() - start)
